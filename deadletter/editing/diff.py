"""What an edit changes, line by line, secrets masked. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import NamedTuple

from deadletter.editing import exact
from deadletter.redact import redact_json, redact_text
from deadletter.secret_rules import NO_RULES, SecretRules

MOST_LINES = 400
"""Lines that one diff shows."""

_MOST_COMPARED = 4_000
"""Lines of a payload that are compared; a longer one is quadratic work for nobody's eyes."""


class Line(NamedTuple):
    """One line: `kind` is `added`, `removed`, `same`, or `gap` where lines are left out."""

    kind: str
    text: str


class Diff(NamedTuple):
    """`secret_changed`: whether something changed that the masks hide. `left_out`: lines not shown."""

    lines: Sequence[Line]
    secret_changed: bool = False
    left_out: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing changed."""
        return not self.lines and not self.secret_changed


_KINDS = {"+": "added", "-": "removed", " ": "same", "@": "gap"}


def diff(before: str, after: str, secrets: SecretRules = NO_RULES) -> Diff:
    """Return what changed from the payload *before* to *after*; *secrets* name secret keys beside the usual ones."""
    pair = _pretty(before, secrets), _pretty(after, secrets)
    if pair[0] == pair[1]:
        return Diff((), secret_changed=_meant(before) != _meant(after))
    old, new = (text.splitlines()[:_MOST_COMPARED] for text in pair)
    marked = list(difflib.unified_diff(old, new, n=2, lineterm=""))[2:]
    lines = [_line(each) for each in marked]
    return Diff(lines[:MOST_LINES], left_out=max(0, len(lines) - MOST_LINES))


def _line(marked: str) -> Line:
    kind = _KINDS.get(marked[:1], "same")
    return Line(kind, "…" if kind == "gap" else marked[1:])


def _pretty(text: str, secrets: SecretRules) -> str:
    try:
        return exact.dump(redact_json(exact.load(text), secrets), indent=2)
    except (ValueError, TypeError, RecursionError):
        return redact_text(text, secrets)


def _meant(text: str) -> str:
    try:
        return exact.dump(exact.load(text))
    except (ValueError, TypeError, RecursionError):
        return text
