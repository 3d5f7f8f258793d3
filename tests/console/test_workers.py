"""The Workers page, and the command that says the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from console import workers as shown
from console.cli import main
from deadletter.settings import Settings
from deadletter.store import write
from deadletter.store.redrives.workers import heartbeat
from deadletter.store.rows import WorkerRow
from tests.console.conftest import NOW
from tests.console.page import Page

SOURCE = "arn:aws:sqs:eu-west-1:111122223333:orders-dlq"
TARGET = "arn:aws:lambda:eu-west-1:111122223333:function:orders-capture"
ACTIVITY = {
    "collecting": {SOURCE: 812.5},
    "sending": {TARGET: {"per_second": 19.8, "calls": 2}},
    "threads": [{"name": "call 0", "doing": "sending 1 to orders-capture", "for_s": 1.5}],
}


def row(name: str, *, minutes: int = 5, silent_s: float = 2, lead: str | None = None, **activity: Any) -> WorkerRow:
    started, seen = NOW - timedelta(minutes=minutes), NOW - timedelta(seconds=silent_s)
    return WorkerRow(id=name, started_at=started, seen_at=seen, doing="works", lead=lead, activity=activity)


def lines(*workers: WorkerRow) -> list[shown.WorkerLine]:
    return shown.lines(workers, lease_s=30, now=NOW)


def test_a_helper_stands_behind_its_worker_and_the_lost_stand_last() -> None:
    found = lines(row("b", minutes=9, silent_s=31), row("c", minutes=1, lead="d"), row("a", minutes=2), row("d"))

    assert [line.id for line in found] == ["d", "c", "a", "b"]
    assert [line.lost for line in found] == [False, False, False, True]


def test_a_lost_worker_does_nothing_any_more() -> None:
    (line,) = lines(row("a", silent_s=60, **ACTIVITY))

    assert (line.collecting, line.sending, line.threads) == ({}, {}, ())


def test_a_second_worker_brings_nothing_on_sqlite_and_its_helpers_are_none() -> None:
    helped = lines(row("a"), row("b", lead="a"))
    two = lines(row("a"), row("b"))

    assert shown.warning(helped, sqlite=True) is None
    assert "is safe and brings nothing" in (shown.warning(two, sqlite=True) or "")
    assert shown.warning(two, sqlite=False) is None
    assert "redrive work" in (shown.warning(lines(row("a", silent_s=99)), sqlite=True) or "")


def work(engine: Engine, now: datetime) -> Engine:
    with write(engine) as session:
        heartbeat(session, "host:7:abc", started_at=now, now=now, doing="collecting and redriving", activity=ACTIVITY)
        silent = now - timedelta(minutes=2)
        heartbeat(session, "host:8:def", started_at=silent, now=silent, doing="helping to collect", lead="host:7:abc")
    return engine


def test_the_page_says_who_collects_and_sends_what_and_how_fast(
    sqlite_engine: Engine, make_client: Callable[..., FlaskClient]
) -> None:
    page = Page(make_client(work(sqlite_engine, NOW)).get("/workers").get_data(as_text=True))

    for words in ("host:7:abc", "orders-dlq", "812.5", "orders-capture", "2 calls out", "sending 1 to orders-capture"):
        assert words in page.text
    assert "host:8:def lost what it was sending is unknown" in page.text


def test_the_command_prints_the_same(
    sqlite_engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    work(sqlite_engine, datetime.now(UTC))
    monkeypatch.setenv("REDRIVE_DATA_DIR", str(settings.data_dir))
    monkeypatch.delenv("DATABASE_URL", raising=False)

    assert main(["workers", "--json"]) == 0
    first, second = sorted(json.loads(capsys.readouterr().out), key=lambda line: line["id"])
    assert first["collecting"] == {SOURCE: 812.5}
    assert first["sending"] == {TARGET: 19.8}
    assert (second["helps"], second["lost"]) == ("host:7:abc", True)
