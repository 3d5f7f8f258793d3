"""What every producer's module reads from: a record whose parts are there and of the right type, or None."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property

from deadletter.event import (
    DATA_STREAM_ARN,
    FUNCTION_ARN,
    QUEUE_ARN,
    STATE_MACHINE_ARN,
    TOPIC_ARN,
    ReceivedMessage,
    TargetKind,
    TargetRef,
    storable,
)
from deadletter.jsontext import decode, members

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST = 2**31 - 1
_LONGEST_MS = 14


class Fields:
    """The members of a JSON object, each decoded only when it is asked for. No object, no members."""

    def __init__(self, text: str | None) -> None:
        self._slices = members(text) if text else {}

    def __contains__(self, name: str) -> bool:
        return name in self._slices

    def __iter__(self) -> Iterator[str]:
        return iter(self._slices)

    def raw(self, name: str) -> str | None:
        """Return the exact text of a member's value."""
        return self._slices.get(name)

    def exact(self, name: str) -> str | None:
        """Return a member that is a string, character for character."""
        value = decode(self._slices[name])[1] if name in self._slices else None
        return value if isinstance(value, str) else None

    def text(self, name: str) -> str | None:
        """Return a member that is a string, fit for a database."""
        value = self.exact(name)
        return None if value is None else storable(value)

    def number(self, name: str) -> int | None:
        """Return a member that is a whole number from 0 to 2^31 - 1."""
        return whole_number(self._slices.get(name))

    def fields(self, name: str) -> Fields:
        """Return the members of a member."""
        return Fields(self._slices.get(name))

    def time(self, name: str) -> datetime | None:
        """Return a member that is an ISO 8601 time, in UTC."""
        text = self.text(name)
        return None if text is None else _read_time(text)

    def lines(self, name: str) -> tuple[str, ...] | None:
        """Return a member that is a list of texts; whatever else stands in the list becomes one."""
        value = decode(self._slices.get(name, ""))[1]
        if isinstance(value, str):
            return (storable(value),)
        return tuple(map(_line, value)) if isinstance(value, list) else None


def _line(value: object) -> str:
    """Return one stack entry as text: a string in Python and Node.js, an object in Go, a list in old runtimes."""
    if isinstance(value, dict):
        return storable(" ".join(f"{name}={part}" for name, part in value.items()))
    return storable(" ".join(map(str, value)) if isinstance(value, list) else str(value))


@dataclass(frozen=True)
class Record:
    """One record, out of its envelopes: its exact text, and the attributes that travelled outside of it.

    `attributes` are the sender's, by name, as text. `system` are SQS's own. `arrived_at` is when it was first sent.
    """

    text: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    system: Mapping[str, str] = field(default_factory=dict)
    arrived_at: datetime | None = None

    @cached_property
    def body(self) -> Fields:
        """The members of the record, where it is a JSON object."""
        return Fields(self.text)

    def attribute(self, name: str) -> str | None:
        """Return one of the sender's attributes, fit for a database."""
        value = self.attributes.get(name)
        return None if value is None else storable(value)


def record_of(message: ReceivedMessage) -> Record:
    """Return the outermost record: the message itself."""
    named = {name: _string_value(value) for name, value in message.message_attributes.items()}
    return Record(
        text=message.body,
        attributes={name: value for name, value in named.items() if value is not None},
        system={name: value for name, value in message.attributes.items() if isinstance(value, str)},
        arrived_at=_read_epoch_ms(message.attributes.get("SentTimestamp")),
    )


def whole_number(text: str | None) -> int | None:
    """Read a whole number from 0 to 2^31 - 1 (what every database's integer holds); anything else is None."""
    if text is None or not text.isascii() or not text.isdecimal() or len(text) > len(str(_MOST)):
        return None
    return int(text) if int(text) <= _MOST else None


def split_function(arn: str | None) -> tuple[str | None, str | None]:
    """Split a function's ARN into the ARN proper and its qualifier; ``(None, None)`` for what is no function's ARN."""
    match = FUNCTION_ARN.fullmatch(arn or "")
    return (match[1], match[2]) if match else (None, None)


def lambda_target(function_arn: str | None, qualifier: str | None) -> TargetRef | None:
    """Return the function as a target; `$LATEST` is what Lambda takes without a qualifier, so it is left out."""
    if function_arn is None:
        return None
    suffix = f":{qualifier}" if qualifier not in {None, "$LATEST"} else ""
    return TargetRef(TargetKind.LAMBDA, function_arn + suffix)


def sqs_target(arn: str | None) -> TargetRef | None:
    """Return the queue as a target, or None for what is no queue's ARN."""
    return TargetRef(TargetKind.SQS, arn) if arn and QUEUE_ARN.fullmatch(arn) else None


_OTHERS = {
    TargetKind.SNS: TOPIC_ARN,
    TargetKind.KINESIS: DATA_STREAM_ARN,
    TargetKind.STEP_FUNCTIONS: STATE_MACHINE_ARN,
}


def any_target(arn: str) -> TargetRef | None:
    """Return what a redrive sends to by itself under that ARN; None for anything else, also a bus, which fans out."""
    for kind, pattern in _OTHERS.items():
        if pattern.fullmatch(arn):
            return TargetRef(kind, arn)
    return lambda_target(*split_function(arn)) or sqs_target(arn)


def _string_value(attribute: object) -> str | None:
    value = attribute.get("StringValue") if isinstance(attribute, Mapping) else None
    return value if isinstance(value, str) else None


def _read_epoch_ms(text: object) -> datetime | None:
    if not isinstance(text, str) or not text.isascii() or not text.isdecimal() or len(text) > _LONGEST_MS:
        return None
    return _EPOCH + timedelta(milliseconds=int(text))


def _read_time(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
