"""How values read on a page: numbers, times, sizes, states, masked text, JSON. Pure; templates use them as filters."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from deadletter.event import MAX_JSON_DEPTH_ERRORS, storable
from deadletter.fingerprint.masks import MASKS, PATHS, QUOTED
from deadletter.outcome import EventStatus, GroupState, Outcome, RedriveStatus
from deadletter.redact import redact_json, redact_text
from deadletter.secret_rules import MASK, NO_RULES, SecretRules
from deadletter.store.rows import Count

SHOWN_CHARS = 200_000
"""A page shows this much of a body; the rest is one download away."""
COLOURED_CHARS = 40_000
"""Beyond this, JSON is shown in one colour: a browser slows down over a hundred thousand spans."""

_TONES: dict[str, str] = {
    EventStatus.UNRESOLVED: "bad",
    EventStatus.REDRIVING: "busy",
    EventStatus.RESOLVED: "good",
    EventStatus.ARCHIVED: "none",
    GroupState.REGRESSED: "bad",
    GroupState.SNOOZED: "none",
    RedriveStatus.PLANNED: "none",
    RedriveStatus.AWAITING_APPROVAL: "warn",
    RedriveStatus.RUNNING: "busy",
    RedriveStatus.PAUSED: "warn",
    RedriveStatus.TRIPPED: "bad",
    RedriveStatus.WATCHING: "busy",
    RedriveStatus.FINISHED: "good",
    RedriveStatus.CANCELLED: "none",
    Outcome.WAITING: "none",
    Outcome.SENDING: "busy",
    Outcome.SENT: "busy",
    Outcome.SUCCEEDED: "good",
    Outcome.FAILED_AGAIN: "bad",
    Outcome.SKIPPED: "none",
    Outcome.UNKNOWN: "warn",
}
_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_MASKED = re.compile(f"(<(?:{'|'.join(mask.name for mask in (*MASKS, QUOTED, PATHS))})>)")
_JSON_TOKEN = re.compile(
    r'(?P<key>"(?:[^"\\]|\\.)*"(?=:))|(?P<text>"(?:[^"\\]|\\.)*")|(?P<number>-?\d[\d.eE+-]*|\b(?:true|false|null)\b)'
)
# What moves the cursor, hides text or turns its direction is shown by name, so that no payload can dress up as another.
_UNSEEN = {code: f"[U+{code:04X}]" for code in (*range(9), *range(0x0B, 0x20), *range(0x7F, 0xA0))}
_UNSEEN |= {code: f"[U+{code:04X}]" for code in (0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))}
del _UNSEEN[0x0D]
# Numbers that a float would round are carried through as text between two characters of the private use area.
_EXACT = re.compile(r'"\ue0f0([-+.0-9eE]+)\ue0f1"')


class Piece(NamedTuple):
    """A run of text and what it is: "mask"; "key", "text", "number", "secret" in JSON; "" for the rest."""

    kind: str
    text: str


class Shown(NamedTuple):
    """A body as a page shows it: its pieces, and how many characters were left out."""

    pieces: list[Piece]
    is_json: bool
    left_out: int
    masked: bool
    """Whether a secret is masked in it, also in what was left out."""


def number(n: float) -> str:
    """1204 -> ``1,204``; a whole float loses its point."""
    return f"{n:,.0f}" if float(n).is_integer() else f"{n:,.2f}".rstrip("0")


def counted(count: Count) -> str:
    """Return ``1,204``, or ``1,000+`` where counting stopped at a limit."""
    return f"{count.n:,}" + ("" if count.exact else "+")


def plural(n: int, noun: str) -> str:
    """Return ``1 event``, ``1,204 events``."""
    return f"{n:,} {noun}" + ("" if n == 1 else "s")


def span(seconds: float) -> str:
    """Return how long, in its largest unit: ``4 s``, ``14 min``, ``3 h``, ``2 d``. Below a second: ``under 1 s``."""
    for unit_s, name in _UNITS:
        if seconds >= unit_s:
            return f"{int(seconds // unit_s):,} {name}"
    return "under 1 s"


def ago(moment: datetime, now: datetime) -> str:
    """Return how long ago *moment* is (``14 min ago``), or how far ahead (``in 9 h``)."""
    seconds = (now - moment).total_seconds()
    if abs(seconds) < 1:
        return "just now"
    return f"{span(seconds)} ago" if seconds > 0 else f"in {span(-seconds)}"


def utc(moment: datetime) -> str:
    """Return ``2026-11-23 03:14:07 UTC``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def millis(text: str) -> str:
    """Return when an attribute says something was, in milliseconds since 1970; nothing where no calendar has it."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 15):  # noqa: PLR2004 - longer is beyond year 9999
        return ""
    try:
        return utc(datetime.fromtimestamp(int(text) / 1000, tz=UTC))
    except (OverflowError, OSError, ValueError):
        return ""


def clock(moment: datetime) -> str:
    """Return ``Mon 03:00``: a label of a time axis, UTC."""
    return moment.astimezone(UTC).strftime("%a %H:%M")


def size(n: int) -> str:
    """Return a size in bytes as ``312 B``, ``4.2 kB``, ``1.0 MB``."""
    if n < 1000:  # noqa: PLR2004 - the SI step
        return f"{n} B"
    return f"{n / 1000:.1f} kB" if n < 1_000_000 else f"{n / 1_000_000:.1f} MB"  # noqa: PLR2004 - the SI step


def tone(state: str) -> str:
    """Return the style of a state: bad, warn, good, busy or none. The word always stands beside the colour."""
    return _TONES.get(state, "none")


def words(name: str) -> str:
    """``failed_again`` -> ``failed again``."""
    return name.replace("_", " ")


def masked(text: str) -> list[Piece]:
    """Split a masked message at its masks: ``order <uuid>`` -> ("", "order "), ("mask", "<uuid>")."""
    return [Piece("mask" if i % 2 else "", part) for i, part in enumerate(_MASKED.split(text)) if part]


def visible(text: str) -> str:
    """Return *text* with control characters and those that turn the direction of text shown by name, ``[U+202E]``."""
    return storable(text).translate(_UNSEEN)


def shown(text: str, secrets: SecretRules | None = NO_RULES) -> Shown:
    """Return *text* fit to be shown: secrets masked, JSON indented with its numbers exact, cut at `SHOWN_CHARS`.

    With None for *secrets* nothing is masked: for a person who may see it, and whom the audit trail then names.

    Total: what is no JSON, or is nested deeper than Python goes, comes back as the text it is, secrets masked as well.
    """
    pretty = _pretty(text, secrets)
    safe = pretty if pretty is not None else text if secrets is None else redact_text(text, secrets)
    cut = visible(safe[:SHOWN_CHARS])
    coloured = pretty is not None and len(cut) <= COLOURED_CHARS
    pieces = list(_json_pieces(cut)) if coloured else [Piece("", cut)]
    hides = secrets is not None and safe.count(MASK) > text.count(MASK)
    return Shown(pieces, pretty is not None, max(0, len(safe) - SHOWN_CHARS), hides)


def _pretty(text: str, secrets: SecretRules | None) -> str | None:
    try:
        value = json.loads(text, parse_float=_exact, parse_constant=_refuse)
        safe = value if secrets is None else redact_json(value, secrets)
        dumped = json.dumps(safe, indent=2, ensure_ascii=False)
    except MAX_JSON_DEPTH_ERRORS:
        return None
    return _EXACT.sub(r"\1", dumped) if isinstance(value, dict | list) else None


def _exact(literal: str) -> str:
    return f"\ue0f0{literal}\ue0f1"


def _refuse(name: str) -> None:
    message = f"{name} is not JSON"
    raise ValueError(message)


def _json_pieces(text: str) -> Iterator[Piece]:
    end = 0
    for token in _JSON_TOKEN.finditer(text):
        if token.start() > end:
            yield Piece("", text[end : token.start()])
        kind = "secret" if MASK in token.group() and token.lastgroup == "text" else token.lastgroup or ""
        yield Piece(kind, token.group())
        end = token.end()
    if end < len(text):
        yield Piece("", text[end:])


_CALLS = {
    "lambda": "Invoke",
    "sqs": "SendMessage, attributes kept",
    "sns": "Publish",
    "eventbridge": "PutEvents",
    "kinesis": "PutRecord",
    "step-functions": "StartExecution",
}


def call(kind: str) -> str:
    """Return by which call a target of that kind is sent to."""
    return _CALLS[kind]
