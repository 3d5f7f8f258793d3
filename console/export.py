"""Events as CSV and NDJSON, some at a time: however many there are, a hundred are in memory. Secrets are masked.

Both formats have the same keys, `COLUMNS`. Times are ISO 8601 in UTC. CSV goes to spreadsheets, so a cell that
one would run as a formula is given an apostrophe in front (`defused`), and what a terminal would obey or a reader
would not see is named (`[U+001B]`); NDJSON goes to programs and is exact.
"""

from __future__ import annotations

import csv
import io
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from enum import StrEnum
from functools import lru_cache
from itertools import islice
from json.encoder import encode_basestring_ascii

from console.format import visible
from console.plain import iso
from deadletter.event import Json
from deadletter.harmless import Harmless
from deadletter.parse.payload import payload_of
from deadletter.redact import redact_json, redact_text
from deadletter.secret_rules import NO_RULES, SecretRules
from deadletter.store.instant import from_micros
from deadletter.store.rows import ExportRow

COLUMNS = (
    *("event_id", "group_id", "cause", "status", "source", "producer", "label", "request_id"),
    *("function", "function_arn", "qualifier", "condition", "invoke_count", "error_type", "error_message"),
    *("occurred_at", "last_failed_at", "collected_at", "failures", "last_outcome", "redrive_id"),
    *("target_kind", "target_arn", "redrivable", "reason", "truncated", "payload", "payload_text"),
)
"""`payload` is the event as JSON; `payload_text` is it where it is no JSON (one of the two is empty, or both)."""

_LINES_AT_ONCE = 100
_REMEMBERED = 2_048
"""Texts that most events share with others (causes, functions, errors) are masked and written once."""

_NDJSON_LINE = "{" + ", ".join(f'"{name}": %s' for name in COLUMNS) + "}\n"
_OPENING = frozenset("{[")
_LINE_ENDS = str.maketrans("\r\n", "  ")
_BEYOND_ASCII = re.compile("[^\x00-\x7f]+")
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
    if stream is Stream.CSV:
        return _csv_blocks(iter(rows), _Csv(secrets))
    return _ndjson_blocks(iter(rows), _Ndjson(secrets))


def defused(cell: str) -> str:
    """Return *cell* as no spreadsheet runs it: with an apostrophe in front where it would.

    That is a cell that begins with ``=``, ``+``, ``-`` or ``@`` (also full-width, also after blanks and characters that
    are not seen), a tab, or a line's end. What is plainly a number (``-1``, ``+2.5e3``) stays a number.
    """
    bare = cell.lstrip().lstrip(_UNSEEN).lstrip()
    runs = bare.startswith(_FORMULA) or cell.startswith(_MOVES)
    return f"'{cell}" if runs and not _NUMBER.fullmatch(bare.rstrip()) else cell


class _Writer(ABC):
    """Writes values as one stream has them, masked."""

    nothing = ""

    def __init__(self, secrets: SecretRules) -> None:
        self._secrets = secrets
        self._harmless = Harmless(secrets)
        self._known = lru_cache(_REMEMBERED)(self._text)
        self._shared = lru_cache(_REMEMBERED)(self._masked)
        self._moment = lru_cache(_REMEMBERED)(lambda micros: self._text(iso(from_micros(micros))))

    def cells(self, row: ExportRow) -> tuple[object, ...]:
        """Return what stands under each of `COLUMNS`; what is the same in many events is remembered."""
        known, shared, moment = self._known, self._shared, self._moment
        label, message = self._texts(row.label, row.error_message)
        return (
            *(row.id, row.group_id, shared(row.group_title), known(row.status), known(row.source_name)),
            *(known(row.producer), label, self._text(row.request_id), known(row.function_name)),
            *(known(row.function_arn), known(row.qualifier), shared(row.condition), self._number(row.invoke_count)),
            *(shared(row.error_type), message, moment(row.occurred_at)),
            *(moment(row.last_failed_at), moment(row.collected_at), row.failures, known(row.last_outcome)),
            *(self._number(row.redrive_id), known(row.target_kind), known(row.target_arn), known(row.redrivable)),
            *(shared(row.reason), "true" if row.truncated else "false", *self._payload(row)),
        )

    def _number(self, number: int | None) -> int | str:
        return self.nothing if number is None else number

    def _texts(self, label: str | None, message: str | None) -> tuple[str, str]:
        """Write what is another text in every event; both are looked at at once."""
        if label and message and message[0].isalnum() and self._harmless.is_text(f"{label}\n{message}"):
            return self._text(label), self._text(message)
        return self._masked(label), self._masked(message)

    def _masked(self, text: str | None) -> str:
        if text is None or self._harmless.is_text(text):
            return self._text(text)
        return self._text(redact_text(text, self._secrets))

    def _payload(self, row: ExportRow) -> tuple[str, str]:
        """Return the payload as JSON, and as text: one of them is nothing, or both."""
        found = payload_of(row.record_producer, row.body, row.attributes, row.message_attributes)
        if found is None:
            return self.nothing, self.nothing
        if not found.is_json:
            return self.nothing, self._masked(found.text)
        if self._harmless.is_json(found.text):
            return self._json(found.text.strip()), self.nothing
        if self._harmless.is_value(found.text, found.value):
            return self._value(found.value), self.nothing
        return self._value(redact_json(found.value, self._secrets)), self.nothing

    @abstractmethod
    def _text(self, text: str | None) -> str: ...

    @abstractmethod
    def _json(self, text: str) -> str:
        """Write JSON, which has no escapes, as it stands."""

    @abstractmethod
    def _value(self, value: Json) -> str: ...


class _Csv(_Writer):
    def _text(self, text: str | None) -> str:
        if not text or (text.isprintable() and text[0].isalnum()):
            return text or ""
        return defused(visible(text))

    def _json(self, text: str) -> str:
        return text if text.isprintable() and text[0] in _OPENING else self._text(text)

    def _value(self, value: Json) -> str:
        return self._text(json.dumps(value, ensure_ascii=False))  # for people: no escapes but those of JSON itself


class _Ndjson(_Writer):
    nothing = "null"

    # ASCII: a lone surrogate in a payload has no UTF-8, and its escape is exact.
    def _text(self, text: str | None) -> str:
        return "null" if text is None else encode_basestring_ascii(text)

    def _json(self, text: str) -> str:
        if not text.isascii():
            text = _BEYOND_ASCII.sub(lambda found: encode_basestring_ascii(found[0])[1:-1], text)
        return text.translate(_LINE_ENDS) if "\n" in text or "\r" in text else text

    def _value(self, value: Json) -> str:
        return json.dumps(value)


def _csv_blocks(rows: Iterator[ExportRow], writer: _Csv) -> Iterator[str]:
    file = io.StringIO(newline="")
    lines = csv.writer(file)
    lines.writerow(COLUMNS)
    while some := list(islice(rows, _LINES_AT_ONCE)):
        lines.writerows(map(writer.cells, some))
        yield file.getvalue()
        file.seek(0)
        file.truncate()
    if block := file.getvalue():  # the header of no events
        yield block


def _ndjson_blocks(rows: Iterator[ExportRow], writer: _Ndjson) -> Iterator[str]:
    while block := "".join(_NDJSON_LINE % writer.cells(row) for row in islice(rows, _LINES_AT_ONCE)):
        yield block
