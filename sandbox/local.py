"""The whole local AWS, started and ended as one."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from sandbox import functions
from sandbox.asynchronous import AWS_WAITS_S
from sandbox.clients import CREDENTIALS, Clients
from sandbox.emulator import HOST, Emulator
from sandbox.pool import MOST_AT_ONCE
from sandbox.service import LambdaService
from sandbox.web import create_app

RETRY_WAITS_S = (0.2, 0.4)
"""Waits before the second and the third attempt; AWS has (60, 120)."""


class Sandbox:
    """A local AWS for one process and its children. Use as a context manager; ready in about a second.

    Args:
        data_dir: Where logs and the emulator's files go; made if it is not there.
        port: Port of the emulator; 0 for a free one.
        lambda_port: Port of Lambda, whose `/` is also the sandbox's own page; 0 for a free one.
        retry_waits_s: Seconds before the second and the third attempt of an asynchronous invocation.
        most_at_once: Invocations that run at once, all functions together; the rest wait.
    """

    region = functions.REGION
    account = functions.ACCOUNT

    def __init__(
        self,
        data_dir: Path,
        *,
        port: int = 0,
        lambda_port: int = 0,
        retry_waits_s: Sequence[float] = RETRY_WAITS_S,
        most_at_once: int = MOST_AT_ONCE,
    ) -> None:
        self.data_dir = data_dir.absolute()
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self._lambda_port = lambda_port
        self._retry_waits_s = retry_waits_s
        self._most_at_once = most_at_once
        self._emulator = Emulator(self.data_dir, port)
        self._ending = ExitStack()
        self.endpoint = self._emulator.endpoint

    def __enter__(self) -> Self:
        """Start everything; the emulator comes up while the rest does."""
        with ExitStack() as ending:
            self._server = _listen(self._lambda_port)
            self.lambda_endpoint = f"http://{HOST}:{self._server.port}"
            ending.push(self._emulator)
            self._emulator.start(self.lambda_endpoint, self._retry_waits_s[0] / AWS_WAITS_S[0])
            self.clients = Clients(self.endpoint, self.lambda_endpoint)
            ending.callback(self.clients.close)
            service = LambdaService(
                self.data_dir / "logs", self.env, self.clients, self._retry_waits_s, most_at_once=self._most_at_once
            )
            self.lambda_service = ending.enter_context(service)
            self._serve(ending)
            self._emulator.__enter__()
            self._ending = ending.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.close()

    @property
    def env(self) -> dict[str, str]:
        """The variables with which boto3, in any process, finds this AWS and no other."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ENDPOINT_URL_LAMBDA": self.lambda_endpoint,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            **CREDENTIALS,
        }

    def _serve(self, ending: ExitStack) -> None:
        self.app = create_app(self.lambda_service)
        self._server.app = self.app
        thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True, name="lambda"
        )
        thread.start()
        ending.callback(self._server.server_close)
        ending.callback(thread.join)
        ending.callback(self._server.shutdown)


class _Quiet(WSGIRequestHandler):
    """Requests are not logged: whoever watches the sandbox watches its functions' logs."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing."""


def _listen(port: int) -> BaseWSGIServer:
    """Take the port now, so that its number is known; the application comes later."""
    return make_server(HOST, port, app=lambda _environ, _start: [], threaded=True, request_handler=_Quiet)
