"""JSON as text: find a value's exact slice without decoding it. Pure, linear, and never recursive.

Decoding and encoding again is not neutral (`18.40`, `1e400`, big integers, equal keys, deep nesting), and what we send
again must be what was sent first. So records are cut, not re-made.
"""

from __future__ import annotations

import json
import re

STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
"""A JSON string as a regex (needs DOTALL); possessive, so that a missing end quote costs no backtracking."""

MAX_DEPTH = 200
"""How deep nesting may go and still be decoded. Python's own limit depends on who calls; this one does not."""

_OBJECT = re.compile(r"[ \t\n\r]*\{")
_MEMBER = re.compile(rf"[ \t\n\r]*({STRING})[ \t\n\r]*:[ \t\n\r]*", re.DOTALL)
_SCALAR = re.compile(rf'{STRING}|[^\s,\[\]{{}}"]++', re.DOTALL)
_BRACKET = re.compile(rf"{STRING}|[\[\]{{}}]", re.DOTALL)
_COMMA = re.compile(r"[ \t\n\r]*,")
_END = re.compile(r"[ \t\n\r]*\}[ \t\n\r]*\Z")


def members(text: str) -> dict[str, str]:
    """Return the members of the JSON object that *text* is: each name with the exact text of its value.

    Of equal names the last one wins. Values are cut by their brackets and quotes, not checked any further. Text that is
    no object has no members.
    """
    found: dict[str, str] = {}
    opening = _OBJECT.match(text)
    at = opening.end() if opening else -1
    while at >= 0 and (member := _MEMBER.match(text, at)):
        end = value_end(text, member.end())
        if end < 0 or (name := _unquoted(member[1])) is None:
            return {}
        found[name] = text[member.end() : end]
        comma = _COMMA.match(text, end)
        at = comma.end() if comma else -1
        if not comma and _END.match(text, end):
            return found
    return {}


def value_end(text: str, start: int) -> int:
    """Return the index after the value that starts at *start*, or -1 where it does not end."""
    if text[start : start + 1] not in {"{", "["}:
        scalar = _SCALAR.match(text, start)
        return scalar.end() if scalar else -1
    try:
        return _ANY.raw_decode(text, start)[1]  # in C; what it refuses may still be cut
    except (ValueError, RecursionError):
        return _closing(text, start)


def _closing(text: str, start: int) -> int:
    """Return the index after the bracket that closes the one at *start*, or -1."""
    depth = 0
    for token in _BRACKET.finditer(text, start):
        depth += _STEP.get(text[token.start()], 0)
        if depth == 0:
            return token.end()
    return -1


def decode(text: str) -> tuple[bool, object]:
    """Return ``(True, value)`` for JSON that Python can hold and write again, and ``(False, None)`` for anything else.

    Not held: NaN and numbers beyond a float's range, integers of more than 4,300 digits, nesting beyond `MAX_DEPTH`.
    """
    if not _is_shallow(text):
        return False, None
    try:
        return True, _DECODER.decode(text)
    except (ValueError, RecursionError):
        return False, None


def decode_from(text: str, start: int) -> tuple[int, object] | None:
    """Return where the value that begins at *start* ends, and the value; None for what `decode` would not hold."""
    try:
        value, end = _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        return None
    return (end, value) if _is_shallow(text[start:end]) else None


_STEP = {"{": 1, "[": 1, "}": -1, "]": -1}


def _is_shallow(text: str) -> bool:
    """Whether no value lies deeper than `MAX_DEPTH`; brackets are only followed where there are enough to matter."""
    if text.count("{") + text.count("[") <= MAX_DEPTH:
        return True
    depth = 0
    for token in _BRACKET.finditer(text):
        depth += _STEP.get(text[token.start()], 0)
        if depth > MAX_DEPTH:
            return False
    return True


def _unquoted(text: str) -> str | None:
    try:
        return text[1:-1] if "\\" not in text else str(_DECODER.decode(text))
    except ValueError:
        return None


def _finite(text: str) -> float:
    number = float(text)
    return number if abs(number) != float("inf") else float(_refuse(text))


def _refuse(text: str) -> str:
    message = f"{text} is not a number that can be written again"
    raise ValueError(message)


_ANY = json.JSONDecoder()
_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)
