import csv
import io
import json
import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.export import COLUMNS, Stream, defused, export
from console.format import visible
from deadletter.redact import redact_json, redact_text
from deadletter.secret_rules import MASK, SecretRules
from deadletter.store.rows import ExportRow
from tests.rows import make_body, make_export_row


def csv_of(*rows: ExportRow) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO("".join(export(rows, Stream.CSV)))))


def ndjson_of(*rows: ExportRow) -> list[dict[str, object]]:
    return [json.loads(line) for line in "".join(export(rows, Stream.NDJSON)).splitlines()]


@pytest.mark.parametrize(
    "cell",
    [
        "=1+1",
        "+cmd|' /C calc'!A0",
        "-2+3",
        "@SUM(A1)",
        "\tleading tab",
        "\rcarriage return",
        "\nline feed",
        "  =1+1",
        "\u00a0=1+1",
        "\ufeff=1+1",
        "\u200b =1+1",
        "\uff1d1+1",
        "-1 and more",
        "--1",
        "-",
        "+49 30 123456",
        "=",
    ],
)
def test_a_cell_that_a_spreadsheet_would_run_gets_an_apostrophe(cell: str) -> None:
    assert defused(cell) == f"'{cell}"


@pytest.mark.parametrize(
    "cell", ["", "card declined", "-1", "+2.5e3", "-.5", " -1 ", "1=1", "a@b.example", "'=1+1", '{"a": "=1"}', "10-11"]
)
def test_a_cell_that_is_no_formula_stays_as_it_is(cell: str) -> None:
    assert defused(cell) == cell


@given(st.text())
def test_no_cell_begins_as_a_formula_unless_it_is_a_number(cell: str) -> None:
    safe = defused(cell)
    assert safe.removeprefix("'") == cell.removeprefix("'")
    if safe.lstrip().startswith(("=", "+", "-", "@")):
        float(safe)


def test_both_streams_have_the_same_keys() -> None:
    assert tuple(csv_of(make_export_row())[0]) == COLUMNS
    assert tuple(ndjson_of(make_export_row())[0]) == COLUMNS


def test_a_csv_without_events_is_its_header() -> None:
    assert "".join(export([], Stream.CSV)) == ",".join(COLUMNS) + "\r\n"
    assert "".join(export([], Stream.NDJSON)) == ""


def test_an_event_in_csv_says_what_a_person_looks_for() -> None:
    (row,) = csv_of(make_export_row())
    assert row["event_id"] == "31"
    assert row["occurred_at"] == "2026-11-23T02:00:00.000Z"
    assert row["error_message"] == "card declined for order ord-7741"
    assert row["truncated"] == "false"
    assert row["redrive_id"] == ""
    assert json.loads(row["payload"]) == {"order": "ord-7741", "amount": 18}


def test_hostile_text_in_csv_stays_one_cell_and_no_formula() -> None:
    (row,) = csv_of(make_export_row(error_message='=HYPERLINK("http://x","y"),\r\n"z"\x00'))
    assert row["error_message"] == '\'=HYPERLINK("http://x","y"),\r\n"z"\ufffd'
    assert len(row) == len(COLUMNS)


def test_a_csv_on_a_terminal_moves_no_cursor_and_turns_no_text() -> None:
    row = make_export_row(make_body({"orderId": "\u202egnp.exe"}), error_message="\x1b[2Jgone")
    (found,) = csv_of(row)
    assert found["error_message"] == "[U+001B][2Jgone"
    assert json.loads(found["payload"]) == {"orderId": "[U+202E]gnp.exe"}


def test_an_event_in_ndjson_has_its_payload_as_json() -> None:
    (row,) = ndjson_of(make_export_row(failures=2))
    assert row["payload"] == {"order": "ord-7741", "amount": 18}
    assert row["payload_text"] is None
    assert row["failures"] == 2
    assert row["error_type"] == "PaymentError"


def test_a_payload_that_is_no_json_is_exported_as_its_text() -> None:
    (row,) = ndjson_of(make_export_row(body="\x00 not json \ud800"))
    assert row["payload"] is None
    assert row["payload_text"] == "\x00 not json \ud800"
    assert csv_of(make_export_row(body="=1 not json"))[0]["payload_text"] == "'=1 not json"


def test_a_payload_that_json_cannot_hold_again_is_exported_as_text() -> None:
    (row,) = ndjson_of(make_export_row(body="1e400"))
    assert (row["payload"], row["payload_text"]) == (None, "1e400")


@pytest.mark.parametrize("stream", list(Stream))
def test_secrets_are_masked_in_messages_and_payloads(stream: Stream) -> None:
    body = make_body({"password": "hunter2", "loyalty_no": "L-77"})
    row = make_export_row(body, error_message="Authorization: Bearer abcdefghijklmnop", label="4111111111111111")
    text = "".join(export([row], stream, secrets=SecretRules(frozenset({"loyalty_no"}))))
    for secret in ("hunter2", "L-77", "abcdefghijklmnop", "4111111111111111"):
        assert secret not in text
    shown = text if stream is Stream.CSV else json.dumps(json.loads(text), ensure_ascii=False)
    assert MASK in shown or json.dumps(MASK)[1:-1] in shown


def test_events_are_read_as_they_are_written_and_never_all_at_once() -> None:
    read = 0

    def rows() -> Iterator[ExportRow]:
        nonlocal read
        for number in range(2_000):
            read += 1
            yield make_export_row(id=number)

    stream = export(rows(), Stream.NDJSON)
    next(stream)
    assert read <= 200
    tracemalloc.start()
    written = 1 + sum(1 for _ in stream)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (read, written) == (2_000, 20)
    assert peak < 2_000_000


raw = partial(json.dumps, ensure_ascii=False)
RULES = SecretRules(frozenset({"loyalty_no"}))
WORDS = st.sampled_from(
    ["pin=1", "a: b", "=1+1", "4242 4242 4242 4242", "\n", '"', "\u202e", "\ud800", "\u00e9", "x", "\u2028"]
)
TEXTS = st.lists(WORDS, max_size=3).map("".join)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["n", "pin", "loyaltyNo"]) | TEXTS, inner)
    ),
    max_leaves=5,
)


@settings(max_examples=200)
@given(payload=VALUES, free=TEXTS, indent=st.sampled_from([None, 1]), written=st.sampled_from([json.dumps, raw]))
def test_what_is_written_as_it_stands_says_the_same_as_what_is_masked_part_by_part(
    payload: object, free: str, indent: int | None, written: Callable[..., str]
) -> None:
    text = written(payload, indent=indent)
    body = make_body().replace(json.dumps({"order": "ord-7741", "amount": 18}), text)
    row = make_export_row(body, error_message=free, label=free)
    line = "".join(export([row], Stream.NDJSON, secrets=RULES))
    assert line.isascii()
    assert len(line.splitlines()) == 1
    found = json.loads(line)
    assert (found["payload"], found["payload_text"]) == (redact_json(payload, RULES), None)
    assert (found["error_message"], found["label"]) == (redact_text(free, RULES),) * 2
    (cells,) = csv.DictReader(io.StringIO("".join(export([row], Stream.CSV, secrets=RULES)), newline=""))
    assert cells["error_message"] == defused(visible(redact_text(free, RULES)))
    if not isinstance(payload, str | int | float):
        said = json.loads(visible(json.dumps(redact_json(payload, RULES), ensure_ascii=False)))
        assert json.loads(cells["payload"]) == said


def test_equal_names_in_a_payload_hide_no_secret() -> None:
    for twice in ('{"n": "pin=9137", "n": 1}', '{"note": "\\n", "pin": "9137", "pin": null}'):
        row = make_export_row(f'{{"requestContext": {{}}, "requestPayload": {twice}}}')
        for stream in Stream:
            assert "9137" not in "".join(export([row._replace(record_producer="lambda-destination")], stream))
            whole = row._replace(body=twice, record_producer="sqs-redrive")
            assert "9137" not in "".join(export([whole], stream))
