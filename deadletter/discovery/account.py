"""What an account's listings say about failing: who leaves failures where. All fields may be missing but the ARNs.

`None` means that it is not set; where it can also mean that nobody was allowed to read it, the field says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from itertools import chain

LATEST = "$LATEST"
_OFF = frozenset({"Disabled", "Disabling", "Deleting"})


@dataclass(frozen=True, slots=True)
class InvokeConfig:
    """How asynchronous invocations of one version or alias go: `qualifier` is `$LATEST` for the function itself."""

    qualifier: str
    on_failure_arn: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function; `arn` is without a qualifier.

    `role_id` is its role's `AROA...`, which begins the SenderId of what the function's dead-letter queue gets.
    `invoke_configs` is None where they could not be read.
    """

    arn: str
    role_arn: str | None = None
    role_id: str | None = None
    dead_letter_arn: str | None = None
    invoke_configs: tuple[InvokeConfig, ...] | None = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceMapping:
    """An event source mapping; a self-managed Kafka's has no `source_arn`."""

    uuid: str
    function_arn: str
    source_arn: str | None = None
    on_failure_arn: str | None = None
    state: str | None = None

    @property
    def runs(self) -> bool:
        """Whether it reads its source; one that is on its way to doing so counts."""
        return self.state not in _OFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """A queue whose attributes could be read. `retention_s` is in seconds."""

    arn: str
    dead_letter_arn: str | None = None
    retention_s: int | None = None

    @property
    def fifo(self) -> bool:
        """Whether it keeps order; AWS puts that into the name."""
        return self.arn.endswith(".fifo")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """An SNS subscription: `endpoint` is an ARN where `protocol` is `lambda` or `sqs`."""

    arn: str
    topic_arn: str | None = None
    protocol: str | None = None
    endpoint: str | None = None
    dead_letter_arn: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTarget:
    """One target of an EventBridge rule."""

    rule_arn: str
    arn: str
    enabled: bool = True
    dead_letter_arn: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A schedule of EventBridge Scheduler."""

    arn: str
    target_arn: str | None = None
    dead_letter_arn: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipe:
    """A pipe; only those that read a stream can have a dead-letter queue of their own."""

    arn: str
    source_arn: str | None = None
    target_arn: str | None = None
    dead_letter_arn: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Everything that was read of one account in one Region, in any order."""

    functions: tuple[Function, ...] = ()
    mappings: tuple[SourceMapping, ...] = ()
    queues: tuple[Queue, ...] = ()
    subscriptions: tuple[Subscription, ...] = ()
    rule_targets: tuple[RuleTarget, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    pipes: tuple[Pipe, ...] = ()


def together(accounts: Iterable[Account]) -> Account:
    """Return several accounts or Regions as one: what one of them writes may land in another."""
    read = tuple(accounts)
    return Account(**{each.name: tuple(chain(*(getattr(one, each.name) for one in read))) for each in fields(Account)})


def service_of(arn: str | None) -> str:
    """Return the service that an ARN is of: `sqs`, `lambda`, ...; empty for what is no ARN.

    `kafka` stands for a topic as Lambda writes it (``kafka://topic``), which is none.
    """
    if (arn or "").startswith("kafka://"):
        return "kafka"
    parts = (arn or "").split(":")
    return parts[2] if len(parts) > 5 and parts[0] == "arn" else ""  # noqa: PLR2004 - an ARN has six parts or more


def unqualified(function_arn: str) -> str:
    """Return a function's ARN without its version or alias."""
    return ":".join(function_arn.split(":")[:7])


def short_name(arn: str) -> str:
    """Return the name at the end of an ARN that ends in a path: ``rule/orders`` is `orders`."""
    return arn.rpartition(":")[2].rpartition("/")[2]
