"""The audit trail as its page, its export and the command line say it. Pure; the time is handed in."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

from console.export import Stream, defused
from console.format import visible
from console.plain import plain
from deadletter.errors import BadInput
from deadletter.event import storable
from deadletter.filters import read_time
from deadletter.redact import redact_json
from deadletter.secret_rules import SecretRules
from deadletter.store.audit import AuditFilter, AuditRow

KINDS = ("redrive", "group", "event", "events", "source")
"""What the page offers to filter by; others can be written into its address."""

_TIMES = ("since", "until")

COLUMNS = tuple(field.name for field in fields(AuditRow))
"""The keys of the export, and of `redrive audit --json`."""


def read_filter(args: Mapping[str, str], *, now: datetime) -> AuditFilter:
    """Read what narrows the trail: `who, verb, kind, subject, since, until`; empty parts do not.

    Raises:
        BadInput: A time is not one, or the range ends before it begins.
    """
    names = [field.name for field in fields(AuditFilter)]
    given: dict[str, Any] = {name: text for name in names if (text := storable(args.get(name, "")).strip())}
    chosen = AuditFilter(**given | {name: read_time(given[name], now=now) for name in _TIMES if name in given})
    if chosen.since and chosen.until and chosen.since >= chosen.until:
        raise BadInput("The time range ends before it begins. Swap the two.")
    return chosen


def told(row: AuditRow, secrets: SecretRules) -> dict[str, Any]:
    """Return an entry as plain JSON, the secrets in what people wrote masked."""
    entry: dict[str, Any] = plain(row)
    return entry | {"details": redact_json(plain(row.details), secrets)}


def export(rows: Iterable[AuditRow], stream: Stream, *, secrets: SecretRules) -> Iterator[str]:
    """Yield *rows* as text, a line at a time; the CSV begins with its header, and no spreadsheet runs its cells."""
    if stream is Stream.CSV:
        yield _csv_line(COLUMNS)
        for row in rows:
            yield _csv_line([defused(visible(_cell(value))) for value in told(row, secrets).values()])
        return
    for row in rows:
        yield json.dumps(told(row, secrets)) + "\n"


def _cell(value: object) -> str:
    return json.dumps(value) if isinstance(value, dict) else str(value)


def _csv_line(cells: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()
