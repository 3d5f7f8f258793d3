"""The network and the clock as the use cases see them.

Each has one real adapter, one fake, and one contract test for both.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from deadletter.event import FailedEvent, ObjectRef, ReceivedMessage, StreamRange
from deadletter.preflight import Record, Rules
from deadletter.route import Route


class Clock(Protocol):
    """Time, injected so that tests own it."""

    def now(self) -> datetime:
        """Return the time now: aware, UTC."""
        ...


@dataclass(frozen=True, slots=True)
class SourceState:
    """What a source's queue says of itself: messages visible and in flight, and how long it keeps one, in seconds."""

    depth: int
    in_flight: int
    retention_s: int
    redrives_to: str | None = None
    """ARN of the DLQ that this very queue's own redrive policy names: reading it counts towards moving messages on."""
    max_receives: int | None = None
    """After how many receives that policy moves a message on."""


class Source(Protocol):
    """A place where failures land, to be read and, only once its messages are durably ours, emptied."""

    def receive(self, *, most: int, wait_s: float) -> Sequence[ReceivedMessage]:
        """Take at most *most* messages, waiting at most *wait_s* seconds for the first.

        Raises:
            SourceError: It cannot be read now; the message names the permission, queue or limit.
        """
        ...

    def delete(self, messages: Sequence[ReceivedMessage]) -> Sequence[str]:
        """Delete *messages*; return the message ids that were **not** deleted (they will come again, and be known)."""
        ...

    def state(self) -> SourceState:
        """Return how full the source is now. Raises SourceError."""
        ...


class ObservedSource(Protocol):
    """A queue that is read and left as it is."""

    def receive(self, *, most: int, wait_s: float, hide_s: int | None = None) -> Sequence[ReceivedMessage]:
        """Take messages as `Source.receive` does, and hide them for *hide_s* seconds from everybody else."""
        ...

    def release(self, messages: Sequence[ReceivedMessage], *, after_s: int = 0) -> None:
        """Let at most 10 *messages* be seen again *after_s* seconds from now.

        One that is gone, or was seen meanwhile, is no error.
        """
        ...

    def delete(self, messages: Sequence[ReceivedMessage]) -> Sequence[str]:
        """Delete messages as `Source.delete` does: only for a redrive that took them."""
        ...

    def state(self) -> SourceState:
        """Return how full the queue is now; does not count as a receive. Raises SourceError."""
        ...


@dataclass(frozen=True, slots=True)
class Skip:
    """An object that is left where it lies, and the sentence that says why."""

    ref: ObjectRef
    reason: str


class ObjectSource(Protocol):
    """A prefix of a bucket that failures land under."""

    def list_after(self, key: str, *, most: int = 1_000) -> Sequence[ObjectRef]:
        """Return at most *most* objects whose keys come after *key*; fewer than asked for means that there are no more.

        Raises:
            SourceError: The bucket cannot be listed now.
        """
        ...

    def fetch(self, ref: ObjectRef) -> ReceivedMessage | Skip | None:
        """Return an object as a message, or why it is left alone; None where it is gone.

        Raises:
            ObjectRefused: This one may not be read.
            SourceError: None can be read now.
        """
        ...

    def current(self, key: str) -> ObjectRef | None:
        """Return the object under *key* as it is now, without what it holds; None where there is none.

        Raises:
            SourceError: It may not be looked at, or not now.
        """
        ...

    def delete(self, refs: Sequence[ObjectRef]) -> None:
        """Delete objects that are durably ours, or that a redrive sent. Raises SourceError."""
        ...


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One event on its way out: `key` is ours, to match the answer to.

    `message_attributes` and `group_id` matter to queues and topics only, `partition_key` to data streams only.
    `deduplication_id` is fresh for every redrive, and the same each time that one redrive tries to send the event.
    """

    key: int
    payload: str
    message_attributes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    group_id: str | None = None
    deduplication_id: str | None = None
    partition_key: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the target said of one event that it took.

    `sent_id` is the id by which a later failure can be recognised: Lambda's request id, SQS's message id. `finished`
    is true when the outcome is known already (a RequestResponse invocation); then `error_*` are None for success, and
    say how it failed again.
    """

    key: int
    sent_id: str | None
    finished: bool
    failed: bool = False
    error_type: str | None = None
    error_message: str | None = None
    stack_trace: tuple[str, ...] | None = None
    evidence: str | None = None


@dataclass(frozen=True, slots=True)
class TargetFacts:
    """What a target says of itself.

    `settle_s` seconds after which a failure would have been seen; None where it would not say.
    """

    settle_s: float | None = None
    timeout_s: float | None = None
    reserved_concurrency: int | None = None
    batch_size: int = 1


class Target(Protocol):
    """A place that a redrive sends to."""

    batch_size: int
    """How many events one `send` may carry (SQS: 10, Lambda: 1)."""

    def send(self, batch: Sequence[Outgoing]) -> Sequence[Answer | Exception]:
        """Send *batch*; return, in its order, an `Answer` or the error of each.

        The errors are TargetBusy, TargetRefused and AnswerLost. Never raises for one event's sake, and never retries
        by itself: a second send is the plan's decision.
        """
        ...

    def facts(self) -> TargetFacts:
        """Read the target's own limits; whatever may not be read is None."""
        ...


@dataclass(frozen=True, slots=True)
class StreamPart:
    """What a stream returned for a range: records as boto3 has them, the stream's retention in seconds, and a role.

    `role_arn` is the function's, whose name stands in Lambda's events; None where it may not be read.
    """

    records: Sequence[Mapping[str, Any]]
    retention_s: int | None = None
    role_arn: str | None = None


class Lookups(Protocol):
    """AWS, asked for what a record left out. Reads only, and little: each answer is kept."""

    def fetch(self, where: StreamRange, function_arn: str | None) -> StreamPart:
        """Read the records of a range from its stream.

        Raises:
            LookupBusy: Not now.
            LookupRefused: Never, as things are.
        """
        ...

    def retention_s(self, where: StreamRange) -> int | None:
        """Return how long the stream keeps a record, in seconds; None where it may not be read."""
        ...

    def route(self, event: FailedEvent) -> Route:
        """Return who was to get the event, and in which form. Raises LookupBusy, LookupRefused."""
        ...


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of a bus: its pattern as JSON text (None for one that only runs by the clock), and whether it is off."""

    name: str
    pattern: str | None
    off: bool = False


class Listeners(Protocol):
    """Who gets what is put on a bus, or published to a topic. Reads only; each raises LookupBusy and LookupRefused."""

    def rules(self, bus_arn: str) -> Sequence[Rule]:
        """Return the rules of a bus."""
        ...

    def targets(self, bus_arn: str, rule: str) -> Sequence[str]:
        """Return the ARNs of the targets of a bus's rule."""
        ...

    def subscribers(self, topic_arn: str) -> Sequence[str]:
        """Return the endpoints that are subscribed to a topic: ARNs, addresses, numbers."""
        ...


class IdempotencyRecords(Protocol):
    """The table where a handler keeps which events it has done. Read only."""

    def look_up(self, keys: Collection[str]) -> Mapping[str, Record]:
        """Return the records of those of *keys* that have one, as they are now (a consistent read).

        Raises:
            SourceError: The table cannot be read now; the message names the permission, the table or the limit.
        """
        ...


OpenRecords = Callable[[Rules, str], IdempotencyRecords]
"""From a target's rules and its ARN to the records of its consumer."""
