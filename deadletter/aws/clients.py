"""boto3 clients, made once a service, Region and purpose: making one takes longer than fifty calls with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from threading import Lock
from typing import Any

import boto3
from botocore import xform_name
from botocore.config import Config

from deadletter.aws.sqs_wire import Wire, speaks_directly


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

_lock = Lock()
_clients: dict[tuple[str, str, Purpose], Any] = {}
_wires: dict[tuple[str, str], Wire] = {}

Call = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
"""One call to a service: the operation's name, its parameters, and what it answers."""


def client(service: str, region: str, purpose: Purpose) -> Any:  # noqa: ANN401 - boto3 makes its classes at run time
    """Return the client of *service* in *region*. Thread-safe, as boto3's own making of clients is not."""
    with _lock:
        key = (service, region, purpose)
        if key not in _clients:
            make: Callable[..., Any] = boto3.Session().client  # its stubs know a service by its literal name only
            _clients[key] = make(service, region_name=region or None, config=_config(purpose))
        return _clients[key]


def sqs_calls(sqs: Any) -> Call:  # noqa: ANN401 - a boto3 client
    """Return what makes the calls of the client *sqs*: itself behind a proxy, and what is much faster elsewhere."""
    endpoint, region = sqs.meta.endpoint_url, sqs.meta.region_name
    if not speaks_directly(endpoint):
        return lambda operation, parameters: getattr(sqs, xform_name(operation))(**parameters)
    with _lock:
        if (endpoint, region) not in _wires:
            _wires[endpoint, region] = Wire(endpoint, region)
        return _wires[endpoint, region].call


def forget() -> None:
    """Close every client: for a process whose endpoints or credentials change, as those of tests do."""
    with _lock:
        for made in [*_clients.values(), *_wires.values()]:
            made.close()
        _clients.clear()
        _wires.clear()


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
