"""Text from a person or a file to `ReceivedMessage`: one entry of a ReceiveMessage answer, or a bare record."""

from __future__ import annotations

from collections.abc import Mapping

from deadletter.errors import ParseError
from deadletter.event import ReceivedMessage
from deadletter.jsontext import decode

_MARKS = {"MessageId", "ReceiptHandle", "Attributes", "MessageAttributes"}
"""What stands beside `Body` in an entry: one of them tells it from an event that merely has a body."""


def read_entry(text: str) -> ReceivedMessage:
    """Read *text* as one entry of ReceiveMessage's `Messages` (boto3's or the AWS CLI's), else as a bare record.

    A bare record has no message id and no attributes; its body is *text* as it stands.

    Raises:
        ParseError: There is nothing in *text*.
    """
    if not text.strip("\ufeff \t\r\n"):
        message = "There is nothing to parse: give one entry of ReceiveMessage's answer, or a bare record, as JSON."
        raise ParseError(message)
    entry = _entry(decode(text.removeprefix("\ufeff"))[1])
    if entry is None:
        return ReceivedMessage(message_id="", body=text.removeprefix("\ufeff"))
    return ReceivedMessage(
        message_id=_text(entry.get("MessageId")) or "",
        body=str(entry["Body"]),
        attributes=_texts(entry.get("Attributes")),
        message_attributes=_attributes(entry.get("MessageAttributes")),
        receipt_handle=_text(entry.get("ReceiptHandle")) or "",
    )


def _entry(value: object) -> Mapping[str, object] | None:
    """Return the entry that *value* is, or the only one that it holds."""
    if not isinstance(value, dict):
        return None
    if isinstance(messages := value.get("Messages"), list) and len(messages) == 1:
        value = messages[0]
    if not isinstance(value, dict) or not isinstance(value.get("Body"), str):
        return None
    return None if _MARKS.isdisjoint(value) else value


def _attributes(value: object) -> dict[str, dict[str, str]]:
    if not isinstance(value, dict):
        return {}
    return {name: _texts(attribute) for name, attribute in value.items() if isinstance(attribute, dict)}


def _texts(value: object) -> dict[str, str]:
    """Return what *value* maps to a text; numbers, which hand-made entries have here, become texts."""
    pairs = value.items() if isinstance(value, dict) else ()
    return {name: text for name, part in pairs if (text := _text(part)) is not None}


def _text(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else None
