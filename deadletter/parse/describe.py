"""A parsed event as one JSON object, and its payload's digest."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime

from deadletter.event import FailedEvent, Json, StreamRange, TargetRef
from deadletter.jsontext import decode
from deadletter.parse.label import label_in

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def describe(event: FailedEvent) -> dict[str, Json]:
    """Return what `redrive parse` prints: null where the record does not say.

    `payload` is the original event decoded, and `payload_text` is null then. It is the other way round where the event
    is not JSON, or holds what does not survive being decoded and written again: `1e400`, an integer of 5,000 digits,
    nesting beyond 200.
    """
    is_json, payload = (False, None) if event.payload_text is None else decode(event.payload_text)
    return {
        "producer": event.producer.value,
        "request_id": event.request_id,
        "function_arn": event.function_arn,
        "qualifier": event.qualifier,
        "condition": event.condition,
        "invoke_count": event.invoke_count,
        "error_type": event.error_type,
        "error_message": event.error_message,
        "stack_trace": None if event.stack_trace is None else list(event.stack_trace),
        "status_code": event.status_code,
        "occurred_at": _time(event.occurred_at),
        "payload": payload,
        "payload_text": None if is_json else event.payload_text,
        "target": _target(event.target),
        "redrivable": event.redrivable.value,
        "reason": event.reason,
        "truncated": event.truncated,
        "origin_arn": event.origin_arn,
        "stream": _stream(event.stream),
        "notes": list(event.notes),
    }


def payload_digest(text: str) -> str:
    """Return the SHA-256, in hex, of *text* as canonical JSON (without key order and white space), else of itself."""
    return _digest(text, *decode(text))


def label_and_digest(text: str) -> tuple[str | None, str]:
    """Return the payload's label and digest; it is decoded once for both."""
    is_json, value = decode(text)
    return label_in(value) if text else None, _digest(text, is_json, value)


def _digest(text: str, is_json: bool, value: object) -> str:  # noqa: FBT001 - what `decode` returns
    canonical = _CANONICAL(value) if is_json else text
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


def _time(moment: datetime | None) -> str | None:
    """Write a time as AWS does: ISO 8601, UTC, milliseconds."""
    return None if moment is None else moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _target(target: TargetRef | None) -> dict[str, str] | None:
    return None if target is None else {"kind": target.kind.value, "arn": target.arn}


def _stream(where: StreamRange | None) -> dict[str, Json] | None:
    if where is None:
        return None
    return {
        "stream_arn": where.stream_arn,
        "shard_id": where.shard_id,
        "first": where.first,
        "last": where.last,
        "size": where.size,
        "first_arrived_at": _time(where.first_arrived_at),
        "last_arrived_at": _time(where.last_arrived_at),
    }
