"""An event's payload out of a stored message whose producer is known: mostly cut, without reading the record again."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from deadletter.event import Producer, ReceivedMessage
from deadletter.jsontext import decode, decode_from
from deadletter.parse import parse_message

_BLANK = r"[ \t\n\r]*+"
_PLAIN = r'"[^"\\]*+"'
_FLAT = rf'\{{(?:[^{{}}"\\]++|{_PLAIN})*+\}}'
_HEAD = re.compile(
    rf'{_BLANK}\{{(?:{_BLANK}(?!"requestPayload"){_PLAIN}{_BLANK}:{_BLANK}'
    rf'(?:{_PLAIN}|{_FLAT}|[^\s,\[\]{{}}"\\]++){_BLANK},)*+{_BLANK}"requestPayload"{_BLANK}:{_BLANK}(?=[{{\[])'
)
"""An on-failure record up to its payload, which is an object or a list; what has escapes is read at leisure."""

_WHOLE = frozenset({Producer.LAMBDA_ASYNC_DLQ, Producer.SQS_REDRIVE, Producer.EVENTBRIDGE_RULE, Producer.UNRECOGNISED})
"""Whose event is all of the body, unless that is an envelope."""

_DESTINATION = str(Producer.LAMBDA_DESTINATION)


class Payload(NamedTuple):
    """An event as it stands in its record, and what `jsontext.decode` says of it."""

    text: str
    is_json: bool
    value: object


def payload_of(producer: str, body: str, attributes: str, message_attributes: str) -> Payload | None:
    """Return the payload that `parse_message` finds in a message, or None where the record does not hold it.

    *producer* is what `parse_message` said of the message; the attributes are JSON texts, as they are stored.
    """
    if not _may_be_envelope(body):
        if producer == _DESTINATION and (cut := _cut(body)):
            return cut
        if producer in _WHOLE:
            return Payload(body, *decode(body))
    message = ReceivedMessage("", body, json.loads(attributes), json.loads(message_attributes))
    text = parse_message(message).payload_text
    return None if text is None else Payload(text, *decode(text))


def _may_be_envelope(body: str) -> bool:
    """Return whether *body* has what each envelope has in it, or an escape that could spell it."""
    return '"Notification"' in body or "Lambda Function Invocation Result" in body or "\\u00" in body


def _cut(body: str) -> Payload | None:
    head = _HEAD.match(body)
    found = decode_from(body, head.end()) if head else None
    if not head or not found or body.find('"requestPayload"', found[0]) >= 0:  # of equal names the last one wins
        return None
    end, value = found
    return Payload(body[head.end() : end], True, value)  # noqa: FBT003 - by name it takes twice as long
