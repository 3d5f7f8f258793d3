"""A short name for an event, out of its payload: what a person on call would look it up by."""

from __future__ import annotations

import re

from deadletter.event import storable
from deadletter.jsontext import decode

MAX_CHARS = 40

_ID = re.compile(r"(?:.*[_.-])?(?:id|Id|ID|uuid|UUID|guid)|.*[a-z0-9](?:Id|ID)", re.DOTALL)
_SECRET = re.compile(r"token|secret|session|passw|auth|card|cookie|credential|ssn|iban|account", re.IGNORECASE)
_CARD = re.compile(r"\d(?:[ -]?\d){12,18}")


def label_of(payload_text: str | None) -> str | None:
    """Return the first value in the payload's top level whose key ends in "id" (`id`, `orderId`, `order_id`), as text.

    Only a string or a whole number of at most `MAX_CHARS` characters will do, and nothing that could be a secret or
    the number of a card.
    """
    return label_in(decode(payload_text)[1]) if payload_text else None


def label_in(value: object) -> str | None:
    """Return the label in a payload that is decoded already; see `label_of`."""
    pairs = value.items() if isinstance(value, dict) else ()
    labels = (_label(part) for key, part in pairs if _ID.fullmatch(key) and not _SECRET.search(key))
    return next((label for label in labels if label), None)


def _label(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = storable(str(value)).strip()
    return text if text.isprintable() and 0 < len(text) <= MAX_CHARS and not _CARD.fullmatch(text) else None
