"""Events as CSV and NDJSON, one at a time: however many there are, one is in memory. Secrets are masked.

Both formats have the same keys, `COLUMNS`. Times are ISO 8601 in UTC. CSV goes to spreadsheets, so a cell that
one would run as a formula is given an apostrophe in front (`defused`), and what a terminal would obey or a reader
would not see is named (`[U+001B]`); NDJSON goes to programs and is exact.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from itertools import islice

from console.format import visible
from console.plain import iso
from deadletter.event import Json, ReceivedMessage
from deadletter.jsontext import decode
from deadletter.parse import parse_message
from deadletter.redact import redact_json, redact_text
from deadletter.secret_rules import NO_RULES, SecretRules
from deadletter.store.rows import EventRow, ExportRow

_FACTS: Mapping[str, Callable[[EventRow], object]] = {
    "event_id": lambda event: event.id,
    "group_id": lambda event: event.group_id,
    "cause": lambda event: event.group_title,
    "status": lambda event: event.status,
    "source": lambda event: event.source_name,
    "producer": lambda event: event.producer,
    "label": lambda event: event.label,
    "request_id": lambda event: event.request_id,
    "function": lambda event: event.function_name,
    "function_arn": lambda event: event.function_arn,
    "qualifier": lambda event: event.qualifier,
    "condition": lambda event: event.condition,
    "invoke_count": lambda event: event.invoke_count,
    "error_type": lambda event: event.error_type,
    "error_message": lambda event: event.error_message,
    "occurred_at": lambda event: event.occurred_at,
    "last_failed_at": lambda event: event.last_failed_at,
    "collected_at": lambda event: event.collected_at,
    "failures": lambda event: event.failures,
    "last_outcome": lambda event: event.last_outcome,
    "redrive_id": lambda event: event.redrive_id,
    "target_kind": lambda event: event.target_kind,
    "target_arn": lambda event: event.target_arn,
    "redrivable": lambda event: event.redrivable,
    "reason": lambda event: event.reason,
    "truncated": lambda event: event.truncated,
}
_FREE_TEXT = frozenset({"cause", "label", "error_type", "error_message", "condition", "reason"})
COLUMNS = (*_FACTS, "payload", "payload_text")
"""`payload` is the event as JSON; `payload_text` is it where it is no JSON (one of the two is empty, or both)."""

_LINES_AT_ONCE = 100
_UNSEEN = "\ufeff\u200b\u2060"
_FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20")
_MOVES = ("\t", "\r", "\n")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")


class Stream(StrEnum):
    """What events are exported as."""

    CSV = "csv"
    NDJSON = "ndjson"


def export(rows: Iterable[ExportRow], stream: Stream, *, secrets: SecretRules = NO_RULES) -> Iterator[str]:
    """Yield *rows* as text, some lines at a time, secrets masked; the CSV begins with its header."""
    records = (_record(row, secrets) for row in rows)
    lines = _csv_lines(records) if stream is Stream.CSV else _ndjson_lines(records)
    return _in_blocks(lines)


def defused(cell: str) -> str:
    """Return *cell* as no spreadsheet runs it: with an apostrophe in front where it would.

    That is a cell that begins with ``=``, ``+``, ``-`` or ``@`` (also full-width, also after blanks and characters that
    are not seen), a tab, or a line's end. What is plainly a number (``-1``, ``+2.5e3``) stays a number.
    """
    bare = cell.lstrip().lstrip(_UNSEEN).lstrip()
    runs = bare.startswith(_FORMULA) or cell.startswith(_MOVES)
    return f"'{cell}" if runs and not _NUMBER.fullmatch(bare.rstrip()) else cell


def _record(row: ExportRow, secrets: SecretRules) -> dict[str, Json]:
    record: dict[str, Json] = {name: _fact(read(row.event)) for name, read in _FACTS.items()}
    for name in _FREE_TEXT:
        if record[name]:
            record[name] = redact_text(record[name], secrets)
    return record | _payload(row, secrets)


def _fact(value: object) -> Json:
    return iso(value) if isinstance(value, datetime) else value


def _payload(row: ExportRow, secrets: SecretRules) -> dict[str, Json]:
    main = row.main
    text = parse_message(
        ReceivedMessage(main.message_id, main.body, main.attributes, main.message_attributes)
    ).payload_text
    if text is None:
        return {"payload": None, "payload_text": None}
    is_json, value = decode(text)
    if is_json:
        return {"payload": redact_json(value, secrets), "payload_text": None}
    return {"payload": None, "payload_text": redact_text(text, secrets)}


def _ndjson_lines(records: Iterable[Mapping[str, Json]]) -> Iterator[str]:
    # ASCII: a lone surrogate in a payload has no UTF-8, and its escape is exact.
    return (json.dumps(record) + "\n" for record in records)


def _csv_lines(records: Iterable[Mapping[str, Json]]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield writer.writerow(COLUMNS)
    for record in records:
        yield writer.writerow([_cell(record[name]) for name in COLUMNS])


class _Echo:
    """A file whose `write` hands back the line, so that `writerow` returns it."""

    def write(self, line: str) -> str:
        return line


def _cell(value: Json) -> object:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case int():
            return value
        case str():
            return defused(visible(value))
    return defused(visible(json.dumps(value, ensure_ascii=False)))  # for people: no escapes but those of JSON itself


def _in_blocks(lines: Iterator[str]) -> Iterator[str]:
    while block := "".join(islice(lines, _LINES_AT_ONCE)):
        yield block
