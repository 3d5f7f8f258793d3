"""boto3 clients, made once a service, Region, purpose and role: making one takes longer than fifty calls with it.

An account that has a role is reached by that role, whatever is done there; every other as boto3 finds us.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Mapping
from enum import Enum
from functools import partial
from threading import Lock
from typing import Any

import boto3
import botocore.session
from botocore import xform_name
from botocore.config import Config
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
)

from deadletter.aws.sqs_wire import Wire, speaks_directly
from deadletter.event import account_of, region_of


class Purpose(Enum):
    """What a client is for decides whether the SDK may send a call again by itself."""

    READ = "read"
    LIST = "list"
    """Calls at a pace: one that is sent again by the SDK would be one that nobody counted."""

    SEND = "send"
    """A second call could be a second event, so the SDK makes exactly one: what follows is for the plan to decide."""


LONGEST_INVOCATION_S = 900
"""The longest timeout that a Lambda function can have (AWS's quota). Whoever stops listening earlier sends it twice."""

_READ_TIMEOUT_S = {  # a long poll takes up to 20 s
    Purpose.READ: 30,
    Purpose.LIST: 30,
    Purpose.SEND: LONGEST_INVOCATION_S + 60,
}
_ATTEMPTS = {Purpose.READ: 2, Purpose.LIST: 1, Purpose.SEND: 1}

SESSION_NAME = "redrive-console"
"""How CloudTrail names us where we took a role."""

_lock = Lock()
_clients: dict[tuple[str, str, Purpose, str], Any] = {}
_roles: dict[str, str] = {}
_sessions: dict[str, boto3.Session] = {}
_wires: dict[tuple[str, str, str], Wire] = {}

Call = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
"""One call to a service: the operation's name, its parameters, and what it answers."""


def use_roles(roles: Mapping[str, str]) -> None:
    """Reach accounts by roles from now on: *roles* are ARNs by the account that they are in."""
    with _lock:
        _roles.clear()
        _roles.update(roles)


def client(service: str, region: str, purpose: Purpose, account: str = "") -> Any:  # noqa: ANN401 - boto3 makes its classes at run time
    """Return the client of *service* in *region*, for things of *account*.

    Thread-safe, as boto3's own making of clients is not. Asks nobody for anything yet: a role that may not be taken
    shows at the first call.
    """
    with _lock:
        key = (service, region, purpose, _roles.get(account, ""))
        if key not in _clients:
            make: Callable[..., Any] = _session(
                key[3], region
            ).client  # its stubs know a service by its literal name only
            _clients[key] = make(service, region_name=region or None, config=_config(purpose))
        return _clients[key]


def client_for(arn: str, service: str, purpose: Purpose) -> Any:  # noqa: ANN401 - boto3 makes its classes at run time
    """Return the client of *service* in the Region and the account of *arn*."""
    return client(service, region_of(arn), purpose, account_of(arn))


def sqs_calls(sqs: Any, account: str = "") -> Call:  # noqa: ANN401 - a boto3 client
    """Return what makes the calls of the client *sqs*: itself behind a proxy, and what is much faster elsewhere.

    It signs for *account*, as `client` does.
    """
    wire = _wire(sqs, account)
    return wire.call if wire else lambda operation, parameters: getattr(sqs, xform_name(operation))(**parameters)


def sqs_sends(sqs: Any, account: str = "") -> Call:  # noqa: ANN401 - a boto3 client
    """Return what makes each call exactly once; what is binary in its parameters is Base64, as on the wire.

    *sqs* is a client for sending: behind a proxy the calls are its own.
    """
    wire = _wire(sqs, account)
    return (
        wire.call_once
        if wire
        else lambda operation, parameters: getattr(sqs, xform_name(operation))(**_raw(parameters))
    )


def _raw(value: Any) -> Any:  # noqa: ANN401 - parameters of a call, nested
    """Return *value* as boto3 takes it: bytes where the wire has their Base64."""
    if isinstance(value, list):
        return [_raw(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {name: b64decode(each) if name == "BinaryValue" else _raw(each) for name, each in value.items()}


def _wire(sqs: Any, account: str) -> Wire | None:  # noqa: ANN401 - a boto3 client
    role = _roles.get(account, "")
    endpoint, region = sqs.meta.endpoint_url, sqs.meta.region_name
    if not speaks_directly(endpoint):
        return None
    with _lock:
        if (endpoint, region, role) not in _wires:
            _wires[endpoint, region, role] = Wire(endpoint, region, _session(role, region).get_credentials())
        return _wires[endpoint, region, role]


def forget() -> None:
    """Close every client: for a process whose endpoints or credentials change, as those of tests do."""
    with _lock:
        for made in [*_clients.values(), *_wires.values()]:
            made.close()
        _clients.clear()
        _wires.clear()
        _sessions.clear()


def _session(role_arn: str, region: str) -> boto3.Session:
    """Return a session that acts as *role_arn*, asking STS in *region*; one as boto3 finds us where it is empty."""
    if not role_arn:
        return boto3.Session()
    if role_arn not in _sessions:  # one for all services: each would ask STS by itself
        session = botocore.session.get_session()
        session.register_component("credential_provider", CredentialResolver([_ByRole(role_arn, region)]))
        _sessions[role_arn] = boto3.Session(botocore_session=session)
    return _sessions[role_arn]


class _ByRole(CredentialProvider):
    """Credentials by STS's AssumeRole: asked for when first needed, and again in time."""

    METHOD = "assume-role"

    def __init__(self, role_arn: str, region: str) -> None:
        super().__init__()
        self._role_arn = role_arn
        self._region = region

    def load(self) -> DeferredRefreshableCredentials:
        """Return what fetches the credentials."""
        us = botocore.session.get_session()
        fetcher = AssumeRoleCredentialFetcher(
            client_creator=partial(us.create_client, region_name=self._region or us.get_config_variable("region")),
            source_credentials=us.get_credentials(),
            role_arn=self._role_arn,
            extra_args={"RoleSessionName": SESSION_NAME},
        )
        return DeferredRefreshableCredentials(fetcher.fetch_credentials, self.METHOD)


def _config(purpose: Purpose) -> Config:
    return Config(
        connect_timeout=5,
        read_timeout=_READ_TIMEOUT_S[purpose],
        retries={"total_max_attempts": _ATTEMPTS[purpose], "mode": "standard"},
        max_pool_connections=256,
        parameter_validation=False,  # a tenth of a call's time; what we pass is typed
        tcp_keepalive=True,  # a synchronous invocation is silent for minutes, and NAT gateways forget after 350 s
        user_agent_extra="redrive-console",
    )
