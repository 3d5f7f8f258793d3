"""The list of unknown outcomes: a check that is written down, and sending again by hand."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from console.cli import main
from deadletter import redrive
from deadletter.filters import EventFilter
from deadletter.outcome import EventStatus, Outcome
from deadletter.settings import Settings
from deadletter.store import read, write
from deadletter.store.queries import list_events
from deadletter.store.redrives import get_redrive
from deadletter.store.redrives.claims import claim
from deadletter.store.redrives.outcomes import Report, record
from tests.console.conftest import NOW
from tests.factories import ADA, ANYWHERE


@pytest.fixture
def lost(seeded: Engine) -> int:
    """An event that was sent, and of which nobody knows what became."""
    with read(seeded) as session:
        chosen = EventFilter(status=EventStatus.UNRESOLVED, function="orders-capture")
        event_id = next(row.id for row in list_events(session, chosen).rows if row.redrivable == "yes")
    start = NOW - timedelta(minutes=9)
    given = {"asked_by": ADA, "settings": Settings(allowed_targets=ANYWHERE), "now": start}
    redrive_id = redrive.create_plan(seeded, [event_id], **given)
    with read(seeded) as session:
        digest = get_redrive(session, redrive_id).digest
    redrive.start(seeded, redrive_id, digest=digest, started_by=ADA, now=start)
    with write(seeded) as session:
        (claimed,) = claim(session, redrive_id, worker="w1", most=1, now=start)
        told = {"position": claimed.position, "event_id": event_id, "target_arn": claimed.target.arn}
        report = Report(**told, outcome=Outcome.UNKNOWN, reason="The answer was lost.")
        record(session, redrive_id, [report], worker="w1", now=start)
    return event_id


def test_a_check_says_what_it_found_and_is_kept(client: FlaskClient, lost: int) -> None:
    assert "Unknown outcome" in client.get("/overview").text
    shown = client.get("/unknown").text
    assert f'href="/events/{lost}"' in shown
    assert "The answer was lost." in shown
    answer = client.post("/unknown/check", data={"event": str(lost)})
    assert answer.status_code == 303
    shown = client.get(answer.headers["Location"]).text
    assert "1 event checked: 0 settled" in shown
    assert "checked by ada" in shown
    assert "no record can be asked" in shown
    assert "looked for evidence by ada" in client.get(f"/events/{lost}").text


def test_sending_again_makes_a_plan_that_has_to_be_confirmed(client: FlaskClient, lost: int) -> None:
    answer = client.post("/unknown/send-again", data={"event": str(lost)})
    assert answer.status_code == 303
    assert "Redrive 1 event" in client.get(answer.headers["Location"]).text
    assert "send-again" in client.get(f"/audit?kind=event&subject={lost}").text


def test_nothing_ticked_is_said(client: FlaskClient, lost: int) -> None:
    for act in ("check", "send-again"):
        assert client.post(f"/unknown/{act}").status_code == 422
    assert client.post("/unknown/check", data={"event": str(lost + 1)}).status_code == 422


def test_an_empty_list_says_when_something_comes_to_it(reader: FlaskClient) -> None:
    assert "Every outcome is known" in reader.get("/unknown").text


def test_the_command_line_lists_and_checks(
    seeded: Engine, lost: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", str(seeded.url))
    assert main(["unknown", "--json"]) == 0
    assert [each["event_id"] for each in json.loads(capsys.readouterr().out)] == [lost]
    assert main(["unknown", "check", str(lost), "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["event_id"], found["outcome"]) == (lost, "unknown")
    assert main(["unknown", "check", "999999"]) == 1
