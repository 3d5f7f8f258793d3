"""AWS records to `FailedEvent`: one module a producer, all alike, in one order. Pure, total: no message is an error."""

from __future__ import annotations

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
from deadletter.parse.describe import describe, payload_digest
from deadletter.parse.entry import read_entry
from deadletter.parse.envelope import opened
from deadletter.parse.label import label_of
from deadletter.parse.record import Record, record_of

__all__ = ["describe", "label_of", "parse_message", "payload_digest", "read_entry"]

PRODUCERS = (
    # By what stands outside of the body: nobody who writes an event can forge it by what the event says.
    eventbridge_rule.parse,
    scheduler.parse,
    lambda_async_dlq.parse,
    sqs_redrive.parse,
    # By the shape of the body.
    lambda_destination.parse,
    event_source_mapping.parse,
    pipes.parse,
)
"""Each takes a `Record` and returns the event, or None for another producer's record. The first that knows it wins."""

UNKNOWN = "Nothing in the message says who wrote it, or what should be sent again. Its body is kept as it is."


def parse_message(message: ReceivedMessage) -> FailedEvent:
    """Say what a message is and what it says; what nobody recognises is `unrecognised`, with the body as its payload.

    Pure and total: no bytes, sizes, types or nesting raise.
    """
    record = record_of(message)
    known = (parse(layer) for layer in opened(record) for parse in PRODUCERS)
    return next((event for event in known if event), None) or sns_subscription.parse(record) or _unrecognised(record)


def _unrecognised(record: Record) -> FailedEvent:
    return FailedEvent(
        producer=Producer.UNRECOGNISED,
        occurred_at=record.arrived_at,
        payload_text=record.text,
        redrivable=Redrivable.NO,
        reason=UNKNOWN,
    )
