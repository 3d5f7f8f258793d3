"""AWS records to `FailedEvent`: one module a producer, all alike, in one order. Pure, total: no message is an error."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from deadletter.event import FailedEvent, Producer, ReceivedMessage, Redrivable
from deadletter.parse import (
    event_source_mapping,
    eventbridge_rule,
    lambda_async_dlq,
    lambda_destination,
    pipes,
    scheduler,
    sns_subscription,
    sqs_redrive,
)
from deadletter.parse.describe import describe, label_and_digest, payload_digest
from deadletter.parse.entry import read_entry
from deadletter.parse.envelope import opened
from deadletter.parse.label import label_of
from deadletter.parse.record import Record, record_of

__all__ = ["describe", "label_and_digest", "label_of", "parse_message", "payload_digest", "read_entry"]

BY_ATTRIBUTES = (
    # By what stands outside of the body: nobody who writes an event can forge it by what the event says.
    eventbridge_rule.parse,
    scheduler.parse,
    lambda_async_dlq.parse,
    sqs_redrive.parse,
)
BY_BODY = (
    lambda_destination.parse,
    event_source_mapping.parse,
    pipes.parse,
)
PRODUCERS = (*BY_ATTRIBUTES, *BY_BODY)
"""Each takes a `Record` and returns the event, or None for another producer's record. The first that knows it wins."""

UNKNOWN = (
    "Nothing in the message says who wrote it, or where it should be sent again. Its body is kept as it is, and can be "
    "sent to a target that you name."
)
CONTRADICTED = (
    "Its attributes say that it is of {winner}, and {loser}. The attributes are believed: whoever writes an event can "
    "write anything into its body."
)

_MARKS = ('"requestContext"', '"partnerResourceArn"', '"Notification"', '"Lambda Function Invocation Result')
"""One of these is in every body that reads like a record: looking for them is cheaper than reading every body."""


def parse_message(message: ReceivedMessage) -> FailedEvent:
    """Say what a message is and what it says; what nobody recognises is `unrecognised`, with the body as its payload.

    Pure and total: no bytes, sizes, types or nesting raise.
    """
    record = record_of(message)
    known = (parse(layer) for layer in opened(record) for parse in PRODUCERS)
    event = next((event for event in known if event), None) or sns_subscription.parse(record) or _unrecognised(record)
    doubts = tuple(_contradictions(record, event))
    return replace(event, notes=(*doubts, *event.notes)) if doubts else event


def _contradictions(record: Record, event: FailedEvent) -> Iterator[str]:
    """Yield what else the message claims to be, beside what its attributes say."""
    by_attributes = [told.producer for parse in BY_ATTRIBUTES if (told := parse(record))]
    if event.producer not in by_attributes:
        return
    for other in by_attributes[1:]:
        yield CONTRADICTED.format(winner=event.producer, loser=f"further attributes that it is of {other}")
    if any(mark in record.text for mark in _MARKS):
        layers = opened(Record(text=record.text))
        body = next((told for layer in layers for parse in PRODUCERS if (told := parse(layer))), None)
        if body:
            yield CONTRADICTED.format(winner=event.producer, loser=f"its body reads like a record of {body.producer}")


def _unrecognised(record: Record) -> FailedEvent:
    return FailedEvent(
        producer=Producer.UNRECOGNISED,
        occurred_at=record.arrived_at,
        payload_text=record.text,
        redrivable=Redrivable.YES,
        reason=UNKNOWN,
    )
