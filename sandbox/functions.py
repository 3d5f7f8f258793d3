"""What is deployed: functions with their settings, and event source mappings."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid4, uuid5

REGION = "eu-west-1"
ACCOUNT = "000000000000"
LATEST = "$LATEST"
MAX_RETRIES = 2
MIN_EVENT_AGE_S, MAX_EVENT_AGE_S = 60, 21_600
"""Limits of PutFunctionEventInvokeConfig (API reference). The greatest are also the defaults."""


class NoSuchFunction(Exception):
    """There is no function of that name, or it has no such version or alias."""


class BadFunction(Exception):
    """A setting is outside of what AWS takes; the message says which, and what it takes."""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """One function and all its settings, as AWS names them.

    `code` is the folder that a handler sees as `/var/task`; `handler` is ``module.function`` inside it. `timeout_s`
    is in seconds, `memory_mb` in MB (a handler that grows beyond it is killed). Every change makes a new `revision`:
    environments of an older one finish what they do and are never used again, as after a deployment. Aliases all
    point at `$LATEST`. `refuses_events` stands for an account that asks more often than it may: asynchronous
    invocations are answered with 429.
    """

    name: str
    handler: str
    code: Path
    timeout_s: float = 3.0
    memory_mb: int = 128
    environment: Mapping[str, str] = field(default_factory=dict)
    dead_letter_arn: str | None = None
    on_failure_arn: str | None = None
    maximum_retry_attempts: int = MAX_RETRIES
    maximum_event_age_s: int = MAX_EVENT_AGE_S
    reserved_concurrency: int | None = None
    refuses_events: bool = False
    aliases: frozenset[str] = frozenset()
    revision: str = field(default_factory=lambda: str(uuid4()))
    last_modified: datetime = field(default_factory=_now)

    def __post_init__(self) -> None:
        within(self.maximum_retry_attempts, 0, MAX_RETRIES, "MaximumRetryAttempts")
        within(self.maximum_event_age_s, MIN_EVENT_AGE_S, MAX_EVENT_AGE_S, "MaximumEventAgeInSeconds")
        one_of(self.dead_letter_arn, {"sqs", "sns"}, "DeadLetterConfig")
        for arn in filter(None, (self.dead_letter_arn, self.on_failure_arn)):
            if arn.endswith(".fifo"):
                message = f"{arn} is FIFO: Lambda leaves failures in standard queues and topics only."
                raise BadFunction(message)

    @property
    def arn(self) -> str:
        """The ARN without a qualifier."""
        return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self.name}"

    @property
    def role_arn(self) -> str:
        """The ARN of its execution role."""
        return f"arn:aws:iam::{ACCOUNT}:role/{self.name}"

    def arn_of(self, qualifier: str | None) -> str:
        """Return the ARN with *qualifier*, or with none."""
        return f"{self.arn}:{qualifier}" if qualifier else self.arn


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueMapping:
    """An SQS queue as a function's event source, with ReportBatchItemFailures.

    `window_s` is how long a batch is gathered after its first message, in seconds. `maximum_concurrency` is how many
    batches run at once. `retry_wait_s` is how many seconds what failed stays hidden; None leaves that to the queue's
    visibility timeout, as AWS does.
    """

    queue_arn: str
    function_name: str
    batch_size: int = 10
    window_s: float = 0.0
    maximum_concurrency: int = 2
    retry_wait_s: int | None = None
    last_modified: datetime = field(default_factory=_now)

    @property
    def source_arn(self) -> str:
        """What is polled."""
        return self.queue_arn

    @property
    def uuid(self) -> str:
        """The mapping's id: the same for the same queue and function."""
        return str(uuid5(NAMESPACE_URL, f"{self.queue_arn} {self.function_name}"))


@dataclass(frozen=True, slots=True)
class FunctionName:
    """A function as a caller may name it: by name, by part of its ARN or by all of it, with or without a qualifier."""

    name: str
    qualifier: str | None = None

    @property
    def arn(self) -> str:
        """The ARN, qualified if the name is."""
        return ":".join(filter(None, (f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self.name}", self.qualifier)))

    @classmethod
    def parse(cls, text: str, qualifier: str | None = None) -> FunctionName:
        """Read *text* as the API's `FunctionName`.

        *qualifier* is the request's own, which stands where *text* has none.
        """
        parts = text.rpartition("function:")[2].split(":")
        return cls(parts[0], parts[1] if len(parts) > 1 else qualifier)


class Registry:
    """The functions by name. Safe to use from many threads."""

    def __init__(self) -> None:
        self._functions: dict[str, Function] = {}
        self._lock = threading.Lock()

    def put(self, function: Function) -> Function:
        """Deploy *function*, in the place of one of the same name if there is one."""
        with self._lock:
            self._functions[function.name] = function
        return function

    def update(self, name: str, **settings: Any) -> Function:  # noqa: ANN401 - the fields of `Function`
        """Change some settings of a function: a new revision, as a deployment makes one.

        Raises:
            NoSuchFunction: There is no function *name*.
            BadFunction: A value is outside of what AWS takes.
        """
        with self._lock:
            old = self._find(name)
            new = replace(old, **settings, revision=str(uuid4()), last_modified=_now())
            self._functions[name] = new
        return new

    def remove(self, name: str) -> None:
        """Delete a function, as DeleteFunction does. Raises NoSuchFunction."""
        with self._lock:
            self._find(name)
            del self._functions[name]

    def get(self, name: str, qualifier: str | None = None) -> Function:
        """Return the function.

        Raises:
            NoSuchFunction: There is none of that name, or *qualifier* is neither `$LATEST` nor one of its aliases.
        """
        with self._lock:
            function = self._find(name)
        if qualifier not in {None, LATEST, *function.aliases}:
            raise NoSuchFunction(function.arn_of(qualifier))
        return function

    def find(self, name: str) -> Function | None:
        """Return the function, or None where there is none."""
        return self._functions.get(name)

    def all(self) -> list[Function]:
        """Return the functions, by name."""
        with self._lock:
            return sorted(self._functions.values(), key=lambda function: function.name)

    def _find(self, name: str) -> Function:
        try:
            return self._functions[name]
        except KeyError:
            raise NoSuchFunction(f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}") from None


def one_of(arn: str | None, services: Collection[str], name: str) -> None:
    """Check of which service the place of a setting is, where it has one.

    Raises:
        BadFunction: *arn* is of none of *services*.
    """
    if arn is not None and not arn.startswith(tuple(f"arn:aws:{service}:" for service in services)):
        message = f"{name} takes ARNs of {', '.join(sorted(services))}, and {arn!r} is none of those."
        raise BadFunction(message)


def within(value: int, least: int, most: int, name: str) -> None:
    """Check the value of a setting.

    Raises:
        BadFunction: *value* is less than *least* or more than *most*.
    """
    if not least <= value <= most:
        message = f"{name} is {value}, and must be from {least} to {most}."
        raise BadFunction(message)
