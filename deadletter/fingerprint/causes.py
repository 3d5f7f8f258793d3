"""What a record says, read as a cause; and the ways in which the runtime itself ends an invocation."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import NamedTuple

from deadletter.errors import BadInput
from deadletter.event import Cause, FailedEvent, Producer

_TYPES = ("error_type", "error_message", "stack_trace", "function_arn")
_PREFIX = r"\s*(?:RequestId: \S{1,64} (?:Error: )?|\S{1,40}Z \S{1,64} )?"
_ENDS = (
    (re.compile(_PREFIX + r"(Task timed out after [\d.]{1,20} seconds)\s*"), "Sandbox.Timedout", "Task timed out"),
    (
        re.compile(_PREFIX + r"(Runtime exited with(?:out|) [^\n]{1,200})", re.DOTALL),
        "Runtime.ExitError",
        "Runtime exited",
    ),
)

_TITLES = {
    Producer.SQS_REDRIVE: "Received too often, never deleted",
    Producer.KINESIS_ESM: "Stream batch failed",
    Producer.DYNAMODB_ESM: "Stream batch failed",
    Producer.KAFKA_ESM: "Kafka batch failed",
    Producer.PIPES: "Pipe's batch failed",
    Producer.SNS_SUBSCRIPTION: "Not delivered to its subscriber",
    Producer.UNRECOGNISED: "Unrecognised message",
}
_CONDITIONS = {
    "ZeroReservedConcurrency": "Reserved concurrency was 0",
    "EventAgeExceeded": "Too old before it could run",
    "RecordAgeExceeded": "Too old before it could run",
    "RetriesExhausted": "Retries exhausted",
    "RetryAttemptsExhausted": "Retries exhausted",
}


class End(NamedTuple):
    """How the runtime ended an invocation: the type that newer records carry, the message that all do, and a title."""

    error_type: str
    message: str
    title: str


def end_of(cause: Cause) -> End | None:
    """Return how the runtime ended the invocation, where it did: by time-out or by exit.

    Lambda writes these in several forms, with an error type and without, with the request id before or behind a time.
    """
    for pattern, error_type, title in _ENDS:
        if cause.error_type in {None, "", error_type} and (match := pattern.fullmatch(cause.error_message or "")):
            return End(error_type, match[1].strip(), title)
    return None


def fallback_title(cause: Cause) -> str:
    """Return a title for a cause without error type and message."""
    if cause.producer in _TITLES:
        return _TITLES[cause.producer]
    return _CONDITIONS.get(cause.condition or "", cause.condition or "No error recorded")


def cause_of(event: FailedEvent, *, stands_for: str | None = None) -> Cause:
    """Return the cause of *event*; *stands_for* is an ARN for events that do not name their function.

    That is the function that the source was said to stand for, or the queue itself.
    """
    source_arn = event.target.arn if event.producer is Producer.SQS_REDRIVE and event.target else None
    return Cause(
        function_arn=event.function_arn or stands_for or source_arn,
        error_type=event.error_type,
        error_message=event.error_message,
        stack_trace=event.stack_trace,
        condition=event.condition,
        producer=event.producer,
    )


def cause_from(fields: Mapping[str, object]) -> Cause:
    """Read a cause from a decoded JSON object.

    It may have `error_type`, `error_message` and `function_arn`, each a text or null, and `stack_trace`: a text, a list
    of texts, or null. Other members do not matter.

    Raises:
        BadInput: It is no object, or one of the four is of another type; the message names it.
    """
    if not isinstance(fields, Mapping):
        message = f"Expected an object with {', '.join(_TYPES)}, and got {_json(fields)}."
        raise BadInput(message)
    return Cause(
        function_arn=_text(fields, "function_arn"),
        error_type=_text(fields, "error_type"),
        error_message=_text(fields, "error_message"),
        stack_trace=_stack(fields.get("stack_trace")),
    )


def _text(fields: Mapping[str, object], name: str) -> str | None:
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        message = f"{name} is {_json(value)}, and must be a text or null."
        raise BadInput(message)
    return value


def _stack(value: object) -> tuple[str, ...] | None:
    if value is None or isinstance(value, str):
        return None if value is None else (value,)
    if not isinstance(value, list) or not all(isinstance(line, str) for line in value):
        message = f"stack_trace is {_json(value)}, and must be a text, a list of texts, or null."
        raise BadInput(message)
    return tuple(value)


def _json(value: object) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."  # noqa: PLR2004 - a line's worth
