"""Test data: `make_*` returns something sensible, and takes what the test is about."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from deadletter.actor import Actor
from deadletter.event import FailedEvent, Producer, ReceivedMessage, TargetKind, TargetRef
from deadletter.fingerprint import cause_of, fingerprint
from deadletter.store.ingest import Parsed, store_messages
from deadletter.store.rows import SourceRow
from deadletter.store.sources import add_source

ADA, BOB, GRACE = (Actor(name, "192.0.2.7") for name in ("ada", "bob", "grace"))
NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
"""What time it is in most tests."""

ACCOUNT = "arn:aws:{}:eu-west-1:123456789012:{}"
QUEUE = ACCOUNT.format("sqs", "orders-dlq")
FUNCTION = ACCOUNT.format("lambda", "function:orders-capture")
TARGET = TargetRef(TargetKind.LAMBDA, FUNCTION)

ANYWHERE = ("arn:aws:*:*:123456789012:*", "arn:aws:*:*:000000000000:*", "arn:aws:*:*:210987654321:*")
"""Targets that tests may send to which are not about that."""

_numbers = count(1)


def make_id() -> str:
    """Return an id as AWS makes them, never the same again."""
    return str(UUID(int=next(_numbers), version=4))


def make_message(body: str | None = None, **given: Any) -> ReceivedMessage:
    """Return a message as SQS hands it over; its id is new unless given."""
    order = {"order_id": f"ord-{next(_numbers)}"}
    given.setdefault("message_id", make_id())
    return ReceivedMessage(body=json.dumps(order) if body is None else body, **given)


def make_event(**given: Any) -> FailedEvent:
    """Return a failed event of an asynchronous invocation, as its on-failure record tells it."""
    facts: dict[str, Any] = {
        "producer": Producer.LAMBDA_DESTINATION,
        "request_id": make_id(),
        "function_arn": FUNCTION,
        "qualifier": "$LATEST",
        "condition": "RetriesExhausted",
        "invoke_count": 3,
        "error_type": "PaymentError",
        "error_message": "card was declined",
        "status_code": 200,
        "occurred_at": NOW - timedelta(minutes=5),
        "payload_text": json.dumps({"order_id": f"ord-{next(_numbers)}"}),
        "target": TARGET,
    }
    return FailedEvent(**facts | given)


def make_dlq_event(event: FailedEvent) -> FailedEvent:
    """Return what the DLQ's message tells of the same failure: no function, no error type, no stack."""
    unknown: dict[str, Any] = dict.fromkeys(
        ("function_arn", "qualifier", "condition", "invoke_count", "error_type", "stack_trace", "target")
    )
    return replace(event, producer=Producer.LAMBDA_ASYNC_DLQ, **unknown)


def make_parsed(
    event: FailedEvent | None = None,
    *,
    message: ReceivedMessage | None = None,
    stands_for: str = FUNCTION,
    target: TargetRef | None = TARGET,
    **facts: Any,
) -> Parsed:
    """Return one message with what it says: *event*, or one with these *facts*."""
    event = event or make_event(**facts)
    message = message or make_message(body=event.payload_text or "")
    return Parsed(message, event, fingerprint(cause_of(event, stands_for=stands_for)), event.target or target)


def make_source(session: Session, name: str = "orders-dlq", **given: Any) -> SourceRow:
    """Return a source that is registered."""
    given.setdefault("target", None)
    return add_source(session, ACCOUNT.format("sqs", name), by=ADA, now=NOW - timedelta(days=1), **given)


def store_some(session: Session, *parsed: Parsed, source: str = "orders-dlq", now: datetime = NOW) -> int:
    """Store messages that came by a source; return its id."""
    source_id = make_source(session, source).id
    store_messages(session, source_id, parsed, now=now)
    return source_id
