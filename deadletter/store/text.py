"""What of a record's texts goes into the columns that are listed and indexed; the record itself keeps all. Pure."""

from __future__ import annotations

from typing import overload

from deadletter.event import storable

MAX_MESSAGE = 4_096
"""Characters of an error message in a list."""

MAX_NAME = 200
"""Characters of a name: what indexes hold, and an index entry may not exceed 2,700 bytes on PostgreSQL."""

MAX_ID = 128
"""AWS's ids have 36 characters. A longer one is nobody's id, and two of them cut short could look alike."""

MAX_FRAMES = 100
"""Frames of a stack."""

MAX_INT = 2**31 - 1


@overload
def kept(text: str, most: int) -> str: ...
@overload
def kept(text: None, most: int) -> None: ...
@overload
def kept(text: str | None, most: int) -> str | None: ...
def kept(text: str | None, most: int) -> str | None:
    """Return the first *most* characters, as both databases can keep them."""
    if text is None:
        return None
    text = text[:most]
    return text if text.isascii() and "\x00" not in text else storable(text)


def kept_id(text: str | None) -> str | None:
    """Return *text* if it can be an id."""
    return kept(text, MAX_ID) if text and len(text) <= MAX_ID else None


def kept_int(number: int | None) -> int | None:
    """Return *number* if it can be a count of something."""
    return number if number is not None and 0 <= number <= MAX_INT else None
