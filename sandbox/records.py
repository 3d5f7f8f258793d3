"""What Lambda writes about an event that it gave up on: the DLQ message's attributes, and the on-failure record."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from sandbox.environment import Result
from sandbox.functions import LATEST, Function

ERROR_MESSAGE_BYTES = 1024
"""A DLQ message has the first 1 KB of the error message (Developer Guide, "Retaining records of invocations")."""


class Condition(StrEnum):
    """Why Lambda gave up."""

    RETRIES_EXHAUSTED = "RetriesExhausted"
    EVENT_AGE_EXCEEDED = "EventAgeExceeded"
    ZERO_RESERVED_CONCURRENCY = "ZeroReservedConcurrency"


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenUp:
    """An event that Lambda gave up on.

    `last` is the last failed attempt's result, None where the function never ran.
    """

    function: Function
    qualifier: str
    request_id: str
    payload: str
    condition: Condition
    invoke_count: int
    last: Result | None


def error_attributes(event: GivenUp) -> dict[str, tuple[str, str]]:
    """Return the attributes of the DLQ message, each a data type and a value.

    SQS refuses an empty value, so an error without a message leaves `ErrorMessage` out. That a throttled event says
    429 and "Rate Exceeded." is an assumption: AWS does not document it.
    """
    message = str(json.loads(event.last.payload).get("errorMessage", "")) if event.last else "Rate Exceeded."
    values = {
        "RequestID": ("String", event.request_id),
        "ErrorCode": ("Number", "200" if event.last else "429"),
        "ErrorMessage": ("String", first_bytes(message, ERROR_MESSAGE_BYTES)),
    }
    return {name: value for name, value in values.items() if value[1]}


def first_bytes(text: str, most: int) -> str:
    """Return as much of *text* as fits *most* bytes of UTF-8 without cutting a character in two."""
    return text.encode("utf-8", "replace")[:most].decode("utf-8", "ignore")


def failure_record(event: GivenUp) -> str:
    """Return the on-failure record as JSON text: the keys in AWS's order, the request's payload as it was."""
    parts = {
        "version": '"1.0"',
        "timestamp": json.dumps(iso(now())),
        "requestContext": _compact(_request_context(event)),
        "requestPayload": event.payload,
    }
    if event.last:
        context = {"statusCode": 200, "executedVersion": LATEST, "functionError": "Unhandled"}
        parts |= {"responseContext": _compact(context), "responsePayload": _compact(json.loads(event.last.payload))}
    return "{" + ",".join(f'"{name}":{value}' for name, value in parts.items()) + "}"


def _request_context(event: GivenUp) -> dict[str, str | int]:
    return {
        "requestId": event.request_id,
        "functionArn": event.function.arn_of(event.qualifier),
        "condition": event.condition,
        "approximateInvokeCount": event.invoke_count,
    }


def now() -> datetime:
    """Return the time, with its zone."""
    return datetime.now(UTC)


def iso(at: datetime, timespec: str = "milliseconds") -> str:
    """Return *at* as AWS writes it, in UTC and as exactly as *timespec* says."""
    return at.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
