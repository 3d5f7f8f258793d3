"""How commands print: one JSON document, or a table that a person reads."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import click

from console.format import visible
from console.plain import plain
from deadletter.filters import MAX_ID

ID = click.IntRange(1, MAX_ID)
"""A group's or a redrive's number."""

MOST_IN_A_CELL = 72


def print_json(value: object) -> None:
    """Print *value* as one JSON document. ASCII: exact, and safe for a terminal of any encoding."""
    click.echo(json.dumps(plain(value), indent=2))


def print_table(heads: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """Print *rows* under *heads*, aligned, numbers to the right; or the sentence *empty* where there is none."""
    lines = [[_cell(value) for value in row] for row in rows]
    if not lines:
        click.echo(empty)
        return
    numeric = [all(_is_number(line[i]) for line in lines) for i in range(len(heads))]
    widths = [max(len(text) for text in column) for column in zip(heads, *lines, strict=True)]
    for line in (list(heads), *lines):
        parts = [
            f"{text:>{width}}" if right else f"{text:<{width}}"
            for text, width, right in zip(line, widths, numeric, strict=True)
        ]
        click.echo("  ".join(parts).rstrip())


def when(moment: datetime | None) -> str:
    """Return ``2026-11-23T03:14:07Z``: a time to the second, UTC; empty for none."""
    return "" if moment is None else moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _cell(value: object) -> str:
    """Return a value on one line, with nothing in it that a terminal would obey."""
    if isinstance(value, int):
        return f"{value:,}"
    text = " ".join(visible("" if value is None else str(value)).split())
    return text if len(text) <= MOST_IN_A_CELL else text[: MOST_IN_A_CELL - 1] + "…"


def _is_number(text: str) -> bool:
    return text.replace(",", "").isdecimal()
