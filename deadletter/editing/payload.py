"""Putting an edited payload in the place of the one that the record holds. Pure."""

from __future__ import annotations

from dataclasses import replace

from deadletter.event import FailedEvent, Producer, ReceivedMessage


def with_payload(
    message: ReceivedMessage, event: FailedEvent, payload: str | None
) -> tuple[ReceivedMessage, FailedEvent]:
    """Return *message* and *event* as if they had held *payload*; as they are where it is None.

    A message that a queue's redrive policy moved is its own payload; any other record holds it.
    """
    if payload is None:
        return message, event
    moved = event.producer is Producer.SQS_REDRIVE
    return replace(message, body=payload) if moved else message, replace(event, payload_text=payload)


def payload_of(message: ReceivedMessage, event: FailedEvent) -> str | None:
    """Return the text that an edit of this event starts from; None where the record does not hold it."""
    return message.body if event.producer is Producer.SQS_REDRIVE else event.payload_text
