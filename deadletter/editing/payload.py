"""Putting an edited payload in the place of the one that the record holds. Pure."""

from __future__ import annotations

import json
from dataclasses import replace

from deadletter.event import FailedEvent, Producer, ReceivedMessage
from deadletter.jsontext import decode
from deadletter.route import Supplement


def with_payload(
    message: ReceivedMessage, event: FailedEvent, payload: str | None
) -> tuple[ReceivedMessage, FailedEvent]:
    """Return *message* and *event* as if they had held *payload*; as they are where it is None.

    A message that a queue's redrive policy moved is its own payload, and a topic's notification carries it within;
    any other record holds it.
    """
    if payload is None:
        return message, event
    changed = replace(event, payload_text=payload, truncated=False)  # an edit is whole
    if event.producer is Producer.SQS_REDRIVE:
        return replace(message, body=payload), changed
    if event.producer is Producer.SNS_SUBSCRIPTION:
        return replace(message, body=_notification(message.body, payload)), changed
    return message, changed


def without_payload(supplement: Supplement | None, edited: str | None) -> Supplement | None:
    """Return what was looked up for an event, without the payload that *edited* takes the place of."""
    if supplement is None or edited is None:
        return supplement
    route = replace(supplement.route, payload_text=None) if supplement.route else None
    return Supplement(None, route)


def payload_of(message: ReceivedMessage, event: FailedEvent, supplement: Supplement | None = None) -> str | None:
    """Return the text that an edit of this event starts from: the record's, else what was fetched for it, else None."""
    if event.producer is Producer.SQS_REDRIVE:
        return message.body
    given = supplement or Supplement()
    if event.truncated and given.route and given.route.payload_text is not None:
        return given.route.payload_text
    return given.payload_text if event.payload_text is None else event.payload_text


def _notification(body: str, payload: str) -> str:
    """Return a topic's notification with another message in it; raw delivery has the message alone."""
    notification = decode(body)[1]
    if not (isinstance(notification, dict) and isinstance(notification.get("Message"), str)):
        return payload
    return json.dumps(notification | {"Message": payload})
