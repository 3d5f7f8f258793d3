"""The audit trail in the console: what a person does is there, can be narrowed, and can be taken away as a file."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from console import audit as trail
from console.cli import main
from deadletter.actor import Actor
from deadletter.errors import BadInput
from deadletter.store import write
from deadletter.store.audit import note
from tests.console.conftest import NOW
from tests.factories import ADA, BOB


@pytest.fixture
def told(seeded: Engine) -> Iterator[Engine]:
    """A database in which three people have done something."""
    with write(seeded) as session:
        note(session, BOB, "archive", "group", 1, details={"count": 3}, now=NOW)
        note(session, Actor("=cmd()", "command line"), "plan", "redrive", 1, details={"title": "<b>x</b>"}, now=NOW)
        note(session, ADA, "note", "group", 2, details={"text": "password=hunter2hunter2"}, now=NOW)
    return seeded


def read(client: FlaskClient, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.text


def test_what_is_done_in_the_console_is_in_the_trail_with_name_and_address(client: FlaskClient) -> None:
    client.post("/groups/1/archive")
    shown = read(client, "/audit?verb=archive")
    assert all(part in shown for part in ("ada", "127.0.0.1", "group 1", "archive"))


def test_the_page_narrows_by_who_what_and_subject(told: Engine, make_client: Any) -> None:
    client = make_client(told)
    rows = {
        query: read(client, f"/audit?{query}").count("<tr>") - 1
        for query in ("who=bob", "verb=note", "kind=group&subject=2", "who=nobody", "who=bob&until=1h")
    }
    assert rows == {"who=bob": 1, "verb=note": 1, "kind=group&subject=2": 1, "who=nobody": -1, "who=bob&until=1h": -1}


def test_hostile_text_in_the_trail_is_only_text(told: Engine, make_client: Any) -> None:
    shown = read(make_client(told), "/audit")
    assert "<b>x</b>" not in shown
    assert "&lt;b&gt;x&lt;/b&gt;" in shown
    assert "hunter2" not in shown


def test_a_time_that_is_none_is_said_so(reader: FlaskClient) -> None:
    answer = reader.get("/audit?since=yesterday")
    assert answer.status_code == 422
    assert "is not a time" in answer.text


def test_the_exports_hold_the_same_entries_and_run_in_no_spreadsheet(told: Engine, make_client: Any) -> None:
    client = make_client(told)
    lines = [json.loads(line) for line in read(client, "/audit/export.ndjson").splitlines()]
    cells = list(csv.DictReader(io.StringIO(read(client, "/audit/export.csv"))))
    assert [line["id"] for line in lines] == [int(cell["id"]) for cell in cells]
    assert list(lines[0]) == list(trail.COLUMNS) == list(cells[0])
    assert next(cell["who"] for cell in cells if "cmd" in cell["who"]) == "'=cmd()"
    assert "hunter2" not in str(lines) + str(cells)
    assert client.get("/audit/export.xlsx").status_code == 404


def test_the_export_is_narrowed_like_the_page(told: Engine, make_client: Any) -> None:
    lines = read(make_client(told), "/audit/export.ndjson?who=bob").splitlines()
    assert [json.loads(line)["verb"] for line in lines] == ["archive"]


def test_a_range_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(BadInput, match="before it begins"):
        trail.read_filter({"since": "1h", "until": "2h"}, now=NOW)


def test_the_command_line_tells_the_trail(
    told: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", str(told.url))
    assert main(["audit", "--who", "bob", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(each["verb"], each["kind"], each["subject"], each["came_from"]) for each in found] == [
        ("archive", "group", "1", "192.0.2.7")
    ]
    assert main(["audit", "--kind", "group"]) == 0
    shown = capsys.readouterr().out
    assert "group 1" in shown
    assert "hunter2" not in shown
    assert main(["audit", "--since", "then"]) == 2


def test_what_the_command_line_does_comes_from_the_command_line(
    seeded: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", str(seeded.url))
    monkeypatch.setenv("REDRIVE_OPERATOR", "grace")
    arn = "arn:aws:sqs:eu-west-1:123456789012:new-dlq"
    assert main(["sources", "add", arn]) == 0
    capsys.readouterr()
    assert main(["audit", "--who", "grace", "--json"]) == 0
    entry = json.loads(capsys.readouterr().out)[0]
    assert (entry["verb"], entry["kind"], entry["details"], entry["came_from"]) == (
        "add",
        "source",
        {"arn": arn},
        "command line",
    )
