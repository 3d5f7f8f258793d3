"""From a parsed message to the rows that it becomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from deadletter.event import FailedEvent, ReceivedMessage, Redrivable, TargetRef
from deadletter.fingerprint import Fingerprint
from deadletter.outcome import EventStatus
from deadletter.parse import label_and_digest
from deadletter.rebuild import MAY_NOT_BE_JSON, payload_is_json
from deadletter.store import sealing
from deadletter.store.lookups import wanted
from deadletter.store.text import MAX_MESSAGE, MAX_NAME, kept, kept_id, kept_int
from deadletter.store.words import MAX_CHARS, words_of


@dataclass(frozen=True, slots=True)
class Parsed:
    """One message of a source, what its record says, its cause, and where its event would be sent (None: not known).

    `left` says that the message stays in its queue; `expires_at` when AWS drops what only AWS holds of the event.
    What its rows will say is worked out here (but for what storing it decides), and the words that find it: before the
    transaction that stores it, whose locks others wait for.
    """

    message: ReceivedMessage
    event: FailedEvent
    fingerprint: Fingerprint
    target: TargetRef | None
    left: bool = False
    expires_at: datetime | None = None
    columns: dict[str, Any] = field(init=False, repr=False, compare=False)
    record_columns: dict[str, Any] = field(init=False, repr=False, compare=False)
    words: Sequence[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Work out what its rows will say."""
        columns = _cause(self) | _payload(self)
        object.__setattr__(self, "columns", columns)  # frozen, but for this
        object.__setattr__(self, "record_columns", _record_columns(self.message))
        object.__setattr__(self, "words", words_of(_search_text(self, columns)))


CAUSE = (
    "group_id",
    "source_id",
    "producer",
    "function_arn",
    "function_name",
    "qualifier",
    "condition",
    "invoke_count",
    "error_type",
    "error_message",
)
"""Columns of an event that say how it failed. All of them come from the record that says most about that."""

PAYLOAD = (
    "record_id",
    "label",
    "payload_digest",
    "payload_bytes",
    "payload_is_json",
    "target_kind",
    "target_arn",
    "redrivable",
    "reason",
    "truncated",
    "left_record_id",
    "expires_at",
)
"""Columns of an event that say what is sent again. All of them come from one record that holds the payload."""

_TELLING = ("function_arn", "condition", "invoke_count", "error_type")


@dataclass(slots=True, eq=False)
class Incoming:
    """One message on its way into the tables: the columns of its event and of its record, ids left out until known."""

    parsed: Parsed
    event: dict[str, Any]
    record: dict[str, Any]

    @property
    def message_id(self) -> str:
        """The message's id in its source."""
        return self.record["message_id"]  # type: ignore[no-any-return]

    @property
    def request_id(self) -> str | None:
        """The invocation's id, unless it was found to be an imitation."""
        return self.event["request_id"]  # type: ignore[no-any-return]

    def number(self, record_id: int) -> None:
        """Give its record an id, which its event names."""
        self.record["id"] = self.event["record_id"] = record_id
        self.event["left_record_id"] = record_id if self.parsed.left else None

    def disown_request_id(self) -> None:
        """Let the message stand for itself: whoever may write to the queue can write a known request id into it."""
        self.event["request_id"] = self.record["request_id"] = None

    @property
    def error_text(self) -> str:
        """The words of its error, for the search."""
        return _error_text(self.parsed.event)

    @property
    def search_text(self) -> str:
        """All the words that find it: its error, its name, its id, and the beginning of its payload, if not sealed."""
        return _search_text(self.parsed, self.event)

    @property
    def words(self) -> Sequence[str]:
        """The words of `search_text`."""
        is_own = self.request_id == self.parsed.columns["request_id"]
        return self.parsed.words if is_own else words_of(self.search_text)


def richness(event: dict[str, Any]) -> int:
    """Return how much an event's columns say about how it failed: a destination's record says more than a DLQ's."""
    return sum(event[name] is not None for name in _TELLING)


def differs(one: str | None, other: str | None) -> bool:
    """Return whether two payload digests are known and not equal: two records of different events."""
    return one is not None and other is not None and one != other


def incoming(parsed: Parsed, source_id: int, now: datetime) -> Incoming:
    """Return the rows that *parsed* becomes, collected *now*."""
    event = {
        "source_id": source_id,
        "status": EventStatus.UNRESOLVED.value,
        "redrive_id": None,
        "collected_at": now,
        "failures": 1,
        "last_outcome": None,
    }
    event |= parsed.columns
    event["occurred_at"] = event["last_failed_at"] = event["occurred_at"] or now
    return Incoming(parsed, event, _record(parsed, event))


def _cause(parsed: Parsed) -> dict[str, Any]:
    event = parsed.event
    return {
        "producer": event.producer.value,
        "request_id": kept_id(event.request_id),
        "function_arn": kept(event.function_arn, MAX_NAME),
        "function_name": kept(parsed.fingerprint.function_name, MAX_NAME),
        "qualifier": kept(event.qualifier, MAX_NAME),
        "condition": kept(event.condition, MAX_NAME),
        "invoke_count": kept_int(event.invoke_count),
        "error_type": kept(event.error_type, MAX_NAME),
        "error_message": kept(event.error_message, MAX_MESSAGE),
        "occurred_at": event.occurred_at,
    }


def _payload(parsed: Parsed) -> dict[str, Any]:
    event, text = parsed.event, parsed.event.payload_text
    missing = wanted(event)
    target = parsed.target or event.target
    label, digest = (None, None) if text is None else label_and_digest(text)
    if target and len(target.arn) > MAX_NAME:
        target = None  # no ARN is that long, and one cut short would be another's
    return {
        "label": kept(label, MAX_NAME),
        "payload_digest": digest,
        "payload_bytes": None if text is None else len(text.encode("utf-8", "surrogatepass")),
        "payload_is_json": payload_is_json(event) if event.producer in MAY_NOT_BE_JSON else None,
        "target_kind": target and target.kind.value,
        "target_arn": target and kept(target.arn, MAX_NAME),
        "redrivable": (Redrivable.REFETCH if missing else event.redrivable).value,
        "reason": kept(missing or event.reason, MAX_MESSAGE),
        "truncated": event.truncated,
        "left_record_id": None,  # the record's id is not known yet: see `Incoming.number`
        "expires_at": parsed.expires_at,
    }


def _error_text(event: FailedEvent) -> str:
    return " ".join(filter(None, (event.error_type, (event.error_message or "")[:MAX_MESSAGE])))


def _search_text(parsed: Parsed, columns: Mapping[str, Any]) -> str:
    # The words of a sealed payload are in no index: who reads the database would read them there.
    payload = "" if sealing.is_on() else (parsed.event.payload_text or "")[:MAX_CHARS]
    return " ".join(filter(None, (_error_text(parsed.event), columns["label"], columns["request_id"], payload)))


def _record_columns(message: ReceivedMessage) -> dict[str, Any]:
    return {
        "message_id": kept(message.message_id, MAX_MESSAGE),
        "body": message.body.encode("utf-8", "surrogatepass"),
        "attributes": dict(message.attributes),
        "message_attributes": {name: dict(value) for name, value in message.message_attributes.items()},
        "is_failure": True,
    }


def _record(parsed: Parsed, event: dict[str, Any]) -> dict[str, Any]:
    return {name: event[name] for name in _COPIED} | parsed.record_columns


_COPIED = ("source_id", "request_id", "producer", "occurred_at", "collected_at")
