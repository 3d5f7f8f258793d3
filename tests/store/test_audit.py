"""The audit trail: complete, in the transaction of the change, and append-only in the database itself."""

from datetime import timedelta
from itertools import pairwise

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from deadletter import redrive
from deadletter.errors import BadInput
from deadletter.filters import EventFilter
from deadletter.store import read, write
from deadletter.store.archive import archive_events
from deadletter.store.audit import MOST_IDS, AuditFilter, AuditRow, iter_audit, list_audit, note
from tests.factories import ADA, BOB, NOW
from tests.store.redriving import plan, store

MINUTE = timedelta(minutes=1)


def entries(engine: Engine, **chosen: object) -> list[AuditRow]:
    with read(engine) as session:
        return list(list_audit(session, AuditFilter(**chosen)).rows)


@pytest.mark.parametrize("act", ["UPDATE audit SET who = 'nobody'", "DELETE FROM audit"])
def test_the_database_refuses_to_change_what_is_written_down(engine: Engine, act: str) -> None:
    with write(engine) as session:
        note(session, ADA, "start", "redrive", 7, now=NOW)
    with pytest.raises(DatabaseError, match="append-only"), write(engine) as session:
        session.execute(text(act))
    assert [row.who for row in entries(engine)] == ["ada"]


def test_what_is_rolled_back_leaves_no_entry(engine: Engine) -> None:
    event_ids = store(engine, 1)
    with Session(engine) as session, session.begin() as transaction:
        archive_events(session, event_ids, by=ADA, now=NOW)
        transaction.rollback()
    assert entries(engine, verb="archive") == []


def test_a_redrives_life_says_who_and_from_where(engine: Engine) -> None:
    store(engine, 3)
    planned = plan(engine, EventFilter())
    redrive.start(engine, planned.id, digest=planned.digest, started_by=BOB, now=NOW + MINUTE)
    redrive.cancel(engine, planned.id, by=ADA, now=NOW + 2 * MINUTE)
    found = entries(engine, kind="redrive", subject=str(planned.id))
    said = [(row.verb, row.who, row.came_from, row.at) for row in reversed(found)]
    assert said == [
        ("plan", "ada", "192.0.2.7", NOW),
        ("start", "bob", "192.0.2.7", NOW + MINUTE),
        ("cancel", "ada", "192.0.2.7", NOW + 2 * MINUTE),
    ]
    assert found[0].details == {"sent": 0, "skipped": 3}
    assert found[1].details == {"digest": planned.digest, "at_once": False}


def test_a_start_that_is_refused_leaves_no_entry(engine: Engine) -> None:
    store(engine, 1)
    planned = plan(engine)
    with pytest.raises(BadInput.__base__):
        redrive.start(engine, planned.id, digest="0" * 64, started_by=ADA, now=NOW)
    assert entries(engine, verb="start") == []


def test_one_event_is_named_by_its_own_entry_and_many_by_one(engine: Engine) -> None:
    event_ids = store(engine, MOST_IDS + 5)
    with write(engine) as session:
        archive_events(session, event_ids[:1], by=ADA, now=NOW)
        archive_events(session, event_ids[1:], by=ADA, now=NOW + MINUTE)
        archive_events(session, EventFilter(status=None, group=1), by=ADA, now=NOW + 2 * MINUTE)
    by_filter, many, one = entries(engine, verb="archive")
    assert (one.kind, one.subject, one.details) == ("event", str(event_ids[0]), {"count": 1})
    assert (many.kind, many.subject, many.details["count"]) == ("events", "", MOST_IDS + 4)
    assert many.details["events"] == event_ids[1 : MOST_IDS + 1]
    assert by_filter.details == {"count": 0, "filter": "group=1"}


def fill(session: Session, count: int) -> None:
    for n in range(count):
        who, verb = (ADA, "archive") if n % 3 else (BOB, "start")
        note(session, who, verb, "group" if n % 2 else "redrive", n % 4, now=NOW + timedelta(seconds=n // 5))


def test_pages_of_the_trail_follow_one_another_without_gap_or_repeat(session: Session) -> None:
    fill(session, 57)
    seen: list[AuditRow] = []
    cursor: str | None = None
    while True:
        page = list_audit(session, AuditFilter(), cursor=cursor, limit=10)
        seen += page.rows
        cursor = page.next_cursor
        if cursor is None:
            break
    assert len({row.id for row in seen}) == len(seen) == 57
    assert all((after.at, after.id) < (before.at, before.id) for before, after in pairwise(seen))
    assert list(iter_audit(session, AuditFilter())) == seen


@pytest.mark.parametrize(
    "chosen",
    [
        {"who": "bob"},
        {"verb": "archive"},
        {"kind": "group"},
        {"kind": "group", "subject": "3"},
        {"who": "ada", "since": NOW + timedelta(seconds=3), "until": NOW + timedelta(seconds=8)},
    ],
)
def test_a_filter_shows_exactly_what_it_says(session: Session, chosen: dict[str, object]) -> None:
    fill(session, 57)
    everything = list(iter_audit(session, AuditFilter()))
    bounds = chosen.get("since", NOW), chosen.get("until", NOW + timedelta(days=1))
    wanted = [
        row
        for row in everything
        if all(getattr(row, name) == value for name, value in chosen.items() if name not in {"since", "until"})
        and bounds[0] <= row.at < bounds[1]
    ]
    found = list(iter_audit(session, AuditFilter(**chosen)))
    assert found == wanted
    assert 0 < len(found) < 57


def test_text_that_no_database_takes_is_kept_as_far_as_it_goes(session: Session) -> None:
    note(session, ADA, "note", "group", 1, details={"text": "nul \x00, lone \ud800"}, now=NOW)
    session.flush()
    session.expire_all()
    assert list_audit(session, AuditFilter()).rows[0].details["text"].startswith("nul ")
