"""Putting an edited payload in the place of the one that the record holds. Pure."""

from __future__ import annotations

import json
from dataclasses import replace

from deadletter.event import FailedEvent, Producer, ReceivedMessage
from deadletter.jsontext import decode


def with_payload(
    message: ReceivedMessage, event: FailedEvent, payload: str | None
) -> tuple[ReceivedMessage, FailedEvent]:
    """Return *message* and *event* as if they had held *payload*; as they are where it is None.

    A message that a queue's redrive policy moved is its own payload, and a topic's notification carries it within;
    any other record holds it.
    """
    if payload is None:
        return message, event
    changed = replace(event, payload_text=payload)
    if event.producer is Producer.SQS_REDRIVE:
        return replace(message, body=payload), changed
    if event.producer is Producer.SNS_SUBSCRIPTION:
        return replace(message, body=_notification(message.body, payload)), changed
    return message, changed


def payload_of(message: ReceivedMessage, event: FailedEvent) -> str | None:
    """Return the text that an edit of this event starts from; None where the record does not hold it."""
    return message.body if event.producer is Producer.SQS_REDRIVE else event.payload_text


def _notification(body: str, payload: str) -> str:
    """Return a topic's notification with another message in it; raw delivery has the message alone."""
    notification = decode(body)[1]
    if not (isinstance(notification, dict) and isinstance(notification.get("Message"), str)):
        return payload
    return json.dumps(notification | {"Message": payload})
