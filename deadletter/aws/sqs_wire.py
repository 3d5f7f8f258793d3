"""SQS's calls without what boto3 does around them, which costs more than everything that we do with a message.

Signed by botocore with the credentials that boto3 would use, made in the protocol that boto3 speaks with SQS (AWS JSON
1.0, https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-making-api-requests-json.html), and
failing with boto3's errors. A proxy is left to boto3 itself: see `speaks_directly`.
"""

from __future__ import annotations

import json
import random
import select
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from botocore import exceptions
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.httpsession import get_cert_path
from botocore.parsers import ResponseParserError
from botocore.session import get_session
from botocore.utils import get_environ_proxies

from deadletter.aws.trouble import Trouble, kind_of

_CONNECT_TIMEOUT_S = 5
_READ_TIMEOUT_S = 30  # a long poll takes up to 20 s
_FRESH_S = 1.0
"""How long after an answer a connection may carry what goes out once: below every server's patience with idle ones.

A server that closes it at the moment when a call goes out cannot be told from one that took the call and died.
"""

_ERROR = 300


class Wire:
    """Calls to one SQS endpoint, from any number of threads, over connections that are kept."""

    def __init__(
        self,
        endpoint: str,
        region: str,
        credentials: Any,  # noqa: ANN401 - botocore's, of many kinds
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._endpoint = endpoint.rstrip("/") + "/"
        self._region = region
        self._url = urlsplit(self._endpoint)
        self._credentials = credentials
        self._ticks = ticks
        self._tls = _tls(get_session().get_config_variable("ca_bundle")) if self._url.scheme == "https" else None
        self._idle: deque[tuple[HTTPConnection, float]] = deque()
        """Connections that nobody uses now, each with when it was used last, in the order of that."""

    def call(self, operation: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        """Make one call, and once more what a fresh connection or a moment's patience may mend.

        Raises:
            BotoCoreError, ClientError, ResponseParserError: As boto3 would.
        """
        body = json.dumps(parameters).encode()
        try:
            return self._exchange(operation, body, self._kept() or self._connection())
        except exceptions.ClientError as error:
            if kind_of(error) not in {Trouble.THROTTLED, Trouble.UNWELL}:
                raise
            time.sleep(random.random())  # noqa: S311 - no secret
        except (exceptions.ConnectionError, exceptions.ConnectionClosedError):
            pass  # the server lets idle connections go without a word
        return self._exchange(operation, body, self._connection())

    def call_once(self, operation: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        """Make one call exactly once, since a second one could be a second message.

        Raises:
            BotoCoreError, ClientError, ResponseParserError: As boto3 would.
        """
        return self._exchange(operation, json.dumps(parameters).encode(), self._alive() or self._connection())

    def close(self) -> None:
        """Close the connections that nobody uses now."""
        while self._idle:
            self._idle.pop()[0].close()

    def _exchange(self, operation: str, body: bytes, connection: HTTPConnection) -> Mapping[str, Any]:
        headers, sent = self._signed(operation, body), False
        try:
            _open(connection)
            sent = True
            connection.request("POST", self._url.path, body, headers)
            answer = connection.getresponse()
            data = answer.read()
        except (OSError, HTTPException) as error:
            connection.close()
            raise _lost(error, self._endpoint, sent=sent) from error
        if answer.will_close:
            connection.close()
        else:
            self._idle.append((connection, self._ticks()))
        return _read(operation, answer.status, {name.lower(): value for name, value in answer.getheaders()}, data)

    def _kept(self) -> HTTPConnection | None:
        try:
            return self._idle.pop()[0]
        except IndexError:  # another thread took it
            return None

    def _alive(self) -> HTTPConnection | None:
        """Return a kept connection that no server has closed or is about to: a call on such a one counts as lost."""
        with suppress(IndexError):  # none is left
            while True:
                connection, used_at = self._idle.pop()
                made: Any = connection.sock
                fresh = self._ticks() - used_at < _FRESH_S
                if fresh and made is not None and not _readable(made):  # nothing to read: not even an end
                    return connection
                connection.close()
        return None

    def _signed(self, operation: str, body: bytes) -> Mapping[str, str]:
        if self._credentials is None:
            raise exceptions.NoCredentialsError
        headers = {
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": f"AmazonSQS.{operation}",
            "User-Agent": "redrive-console",
        }
        request = AWSRequest("POST", self._endpoint, data=body, headers=headers)
        SigV4Auth(self._credentials.get_frozen_credentials(), "sqs", self._region).add_auth(request)
        return dict(request.headers.items())

    def _connection(self) -> HTTPConnection:
        host, port = self._url.hostname or "", self._url.port
        if self._tls is None:
            return HTTPConnection(host, port, timeout=_CONNECT_TIMEOUT_S)
        return HTTPSConnection(host, port, timeout=_CONNECT_TIMEOUT_S, context=self._tls)


def speaks_directly(endpoint: str) -> bool:
    """Return whether nothing stands between us and *endpoint*, as far as the environment says."""
    url: SplitResult = urlsplit(endpoint)
    return url.scheme in {"http", "https"} and url.scheme not in get_environ_proxies(endpoint)


def _tls(bundle: str | None) -> ssl.SSLContext:
    if bundle and Path(bundle).is_dir():
        return ssl.create_default_context(capath=bundle)
    return ssl.create_default_context(cafile=bundle or get_cert_path(True))  # noqa: FBT003 - botocore's way to say "its own"


def _readable(made: socket.socket) -> bool:
    asked = select.poll()  # select.select takes no descriptor above 1023
    asked.register(made, select.POLLIN)
    return bool(asked.poll(0))


def _open(connection: HTTPConnection) -> None:
    if connection.sock is None:
        connection.connect()
        made: Any = connection.sock
        made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        made.settimeout(_READ_TIMEOUT_S)


def _lost(error: Exception, endpoint: str, *, sent: bool) -> exceptions.BotoCoreError:
    """Return boto3's error for a call that got no answer; one without a connection was not *sent*."""
    if isinstance(error, ssl.SSLError) and not sent:
        return exceptions.SSLError(endpoint_url=endpoint, error=error)
    kind: Callable[..., exceptions.BotoCoreError]
    if isinstance(error, TimeoutError):
        kind = exceptions.ReadTimeoutError if sent else exceptions.ConnectTimeoutError
    else:
        kind = exceptions.ConnectionClosedError if sent else exceptions.EndpointConnectionError
    return kind(endpoint_url=endpoint, error=error)


def _read(operation: str, status: int, headers: Mapping[str, str], data: bytes) -> Mapping[str, Any]:
    """Return the answer's members, or raise the error that it is."""
    try:
        answer = json.loads(data or b"{}")
    except (ValueError, RecursionError) as error:
        if status < _ERROR:
            raise ResponseParserError("The answer is not JSON.") from error
        answer = {}
    members = answer if isinstance(answer, dict) else {}
    if status >= _ERROR:
        raise exceptions.ClientError(_error(status, headers, members), operation)
    return members


def _error(status: int, headers: Mapping[str, str], members: Mapping[str, Any]) -> Any:  # noqa: ANN401 - boto3's shape
    """Return the error as boto3 gives it: SQS's older codes, which a header carries, before those of the protocol."""
    named = str(members.get("__type", "")).rsplit("#", 1)[-1].split(":")[0]
    code = headers.get("x-amzn-query-error", "").split(";")[0] or named or str(status)
    message = str(members.get("message") or members.get("Message") or "")
    return {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": headers},
    }
