"""Where the next page of a list begins, as text that means nothing to a reader. Pure."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence

from deadletter.errors import BadInput

_MAX_CHARS = 200
_LEAST, _MOST = -62_135_596_800_000_000, 253_402_300_799_999_999  # the years 1 to 9999 in microseconds


def write_cursor(order: str, position: Sequence[int]) -> str:
    """Return the cursor of a *position* in a list that is sorted by *order*."""
    text = json.dumps([order, *position], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def read_cursor(cursor: str, order: str) -> tuple[int, int]:
    """Return the position, as two numbers, that `write_cursor` made a cursor of.

    Raises:
        BadInput: It is not one of ours, or of a list that is sorted in another way.
    """
    padded = cursor[:_MAX_CHARS] + "=" * (-len(cursor) % 4)
    try:
        name, *position = json.loads(base64.b64decode(padded, b"-_", validate=True))
    except (ValueError, TypeError, RecursionError):
        raise _not_ours(cursor) from None
    whole = [number for number in position if type(number) is int and _LEAST <= number <= _MOST]
    if name != order or len(whole) != 2 or len(position) != 2:  # noqa: PLR2004 - a sort key and an id
        raise _not_ours(cursor)
    return whole[0], whole[1]


def _not_ours(cursor: str) -> BadInput:
    return BadInput(f"{cursor[:40]!r} is not a page of this list. Start again from its first page.")
