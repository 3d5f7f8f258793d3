"""The `context` that a handler gets: the attributes and the one method of AWS's."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any


def _env(name: str) -> Any:  # noqa: ANN401 - a dataclass field
    return field(default_factory=lambda: os.environ.get(name, ""))


@dataclass(slots=True, kw_only=True)
class LambdaContext:
    """What a handler may know of its invocation.

    `deadline_ms` is epoch milliseconds; memory is text, in MB, as on AWS.
    """

    aws_request_id: str
    invoked_function_arn: str
    deadline_ms: int
    client_context: SimpleNamespace | None = None
    identity: SimpleNamespace = field(
        default_factory=lambda: SimpleNamespace(cognito_identity_id=None, cognito_identity_pool_id=None)
    )
    tenant_id: str | None = None
    function_name: str = _env("AWS_LAMBDA_FUNCTION_NAME")
    function_version: str = _env("AWS_LAMBDA_FUNCTION_VERSION")
    memory_limit_in_mb: str = _env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
    log_group_name: str = _env("AWS_LAMBDA_LOG_GROUP_NAME")
    log_stream_name: str = _env("AWS_LAMBDA_LOG_STREAM_NAME")

    def get_remaining_time_in_millis(self) -> int:
        """Return how many milliseconds are left until the function times out."""
        return max(0, self.deadline_ms - int(time.time() * 1000))

    def log(self, message: object) -> None:
        """Write *message* to the log as it is."""
        print(message, end="")  # noqa: T201 - the log of a function is its standard output


def client_context(fields: Mapping[str, Any] | None) -> SimpleNamespace | None:
    """Return `context.client_context` from the caller's JSON: `custom`, `env` and `client`."""
    if fields is None:
        return None
    client = fields.get("client")
    return SimpleNamespace(
        custom=fields.get("custom"), env=fields.get("env"), client=SimpleNamespace(**client) if client else None
    )
