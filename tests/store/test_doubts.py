"""What may have run, and nobody knows: its own list, evidence, an end by hand; and what redrives of many leave out."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine, update

from deadletter.actor import Actor
from deadletter.errors import NotFound
from deadletter.filters import EventFilter
from deadletter.outcome import EventStatus, Outcome
from deadletter.preflight import Record
from deadletter.redrive.doubts import DONE, Finding, check
from deadletter.store import models, read, write
from deadletter.store.audit import AuditFilter, latest_of, list_audit
from deadletter.store.ingest import store_messages
from deadletter.store.redrives.doubts import DoubtRow, count_doubts, list_doubts
from deadletter.store.targets import set_rules
from tests.factories import ADA, FUNCTION, NOW, make_event, make_id, make_parsed, make_source, store_some
from tests.records import FakeRecords
from tests.statements import counted
from tests.store.redriving import SETTINGS, check_counters, event, items, plan, report, run, store, take, tell
from tests.store.test_preflight import LATER, RULES, key_of


def lose(engine: Engine, event_ids: list[int], *, sent_id: str | None = None) -> int:
    """Send events in one redrive and lose the answers; return its id."""
    running = run(engine, event_ids)
    claims = [claimed for second in range(len(event_ids)) for claimed in take(engine, running.id, later_s=second)]
    tell(engine, running.id, *(report(each, Outcome.UNKNOWN, reason="No answer.", sent_id=sent_id) for each in claims))
    return running.id


def doubts(engine: Engine) -> list[DoubtRow]:
    with read(engine) as session:
        found = list(list_doubts(session).rows)
        assert count_doubts(session) == len(found)
        return found


def look(engine: Engine, *event_ids: int, records: FakeRecords | None = None) -> list[Finding]:
    return check(engine, event_ids, open_records=records or FakeRecords(), by=ADA, now=NOW + timedelta(minutes=5))


def with_rules(engine: Engine) -> None:
    with write(engine) as session:
        set_rules(session, FUNCTION, RULES, by=ADA, now=NOW)


def test_an_unknown_outcome_is_on_a_list_of_its_own_until_it_is_settled(engine: Engine) -> None:
    first, second, _ = store(engine, 3)
    redrive_id = lose(engine, [first, second])
    assert [(row.event_id, row.redrive_id, row.reason) for row in doubts(engine)] == [
        (second, redrive_id, "No answer."),
        (first, redrive_id, "No answer."),
    ]
    again = run(engine, [first])
    (claimed,) = take(engine, again.id)
    assert [row.event_id for row in doubts(engine)] == [second]
    tell(engine, again.id, report(claimed, Outcome.SUCCEEDED))
    assert [row.event_id for row in doubts(engine)] == [second]


def test_pages_of_unknown_outcomes_follow_one_another(engine: Engine) -> None:
    event_ids = store(engine, 5)
    lose(engine, event_ids)
    seen, cursor = [], None
    with read(engine) as session:
        while True:
            page = list_doubts(session, cursor=cursor, limit=2)
            seen += [row.event_id for row in page.rows]
            cursor = page.next_cursor
            if cursor is None:
                break
    assert seen == sorted(event_ids, reverse=True)


def test_a_handlers_record_that_it_is_done_settles_it(engine: Engine) -> None:
    with write(engine) as session:
        store_some(session, make_parsed(payload_text=json.dumps({"order_id": "ord-0", "total": 5})))
    with_rules(engine)
    redrive_id = lose(engine, [1])
    records = FakeRecords({key_of(0, replace(RULES, validation_path="")): Record("COMPLETED", LATER)})
    with write(engine) as session:
        set_rules(session, FUNCTION, replace(RULES, validation_path=""), by=ADA, now=NOW)
    (found,) = look(engine, 1, records=records)
    assert (found.outcome, found.said) == (Outcome.SUCCEEDED, DONE)
    (item,) = items(engine, redrive_id)
    assert (item.outcome, item.evidence) == (Outcome.SUCCEEDED, DONE)
    assert (event(engine, 1).status, event(engine, 1).last_outcome) == (EventStatus.RESOLVED, Outcome.SUCCEEDED)
    assert doubts(engine) == []
    check_counters(engine)


def test_a_record_that_proves_nothing_changes_nothing(engine: Engine) -> None:
    with write(engine) as session:
        store_some(session, make_parsed(payload_text=json.dumps({"order_id": "ord-0", "total": 5})))
    with_rules(engine)
    lose(engine, [1])
    (found,) = look(engine, 1)
    assert found.outcome is Outcome.UNKNOWN
    assert "not seen: will run" in found.said
    assert "its return could not be recognised" in found.said
    assert len(doubts(engine)) == 1
    check_counters(engine)


def test_what_came_back_into_any_source_has_failed_again(engine: Engine) -> None:
    sent_id = make_id()
    told = make_event()
    with write(engine) as session:
        store_some(session, make_parsed(told))
    running = run(engine, [1])
    (claimed,) = take(engine, running.id)
    tell(engine, running.id, report(claimed, Outcome.SENT, sent_id=sent_id))
    with write(engine) as session:
        other = make_source(session, "another-dlq").id
        again = replace(told, request_id=sent_id, occurred_at=NOW + timedelta(minutes=1))
        store_messages(session, other, [make_parsed(again)], now=NOW + timedelta(minutes=2))
    (item,) = items(engine, running.id)
    assert (item.outcome, item.evidence) == (
        Outcome.FAILED_AGAIN,
        "Came back in another-dlq with the request id that the redrive got.",
    )
    check_counters(engine)


def test_an_unknown_one_whose_failure_came_early_is_found_by_a_check(engine: Engine) -> None:
    sent_id, told = make_id(), make_event()
    with write(engine) as session:
        store_some(session, make_parsed(told))
    redrive_id = lose(engine, [1], sent_id=sent_id)
    with write(engine) as session:
        session.execute(update(models.RedriveItem).values(sent_id=None))  # the failure arrives before the id is known
        again = replace(told, request_id=sent_id, occurred_at=NOW + timedelta(minutes=1))
        store_some(session, make_parsed(again), source="another-dlq")
        session.execute(update(models.RedriveItem).values(sent_id=sent_id))
    (found,) = look(engine, 1)
    assert found.outcome is Outcome.FAILED_AGAIN
    assert items(engine, redrive_id)[0].outcome is Outcome.FAILED_AGAIN
    check_counters(engine)


def test_a_failure_with_the_same_payload_is_shown_and_not_believed(engine: Engine) -> None:
    told = make_event()
    with write(engine) as session:
        store_some(session, make_parsed(told))
    lose(engine, [1])
    with write(engine) as session:
        alike = replace(told, request_id=make_id(), occurred_at=NOW + timedelta(minutes=1))
        store_some(session, make_parsed(alike))
    (found,) = look(engine, 1)
    assert (found.outcome, found.twin_id) == (Outcome.UNKNOWN, 2)
    assert "Event 2 has the same payload" in found.said


def test_a_check_is_in_the_trail_with_what_it_found(engine: Engine) -> None:
    event_ids = store(engine, 1)
    lose(engine, event_ids)
    (found,) = look(engine, *event_ids)
    with read(engine) as session:
        entry = latest_of(session, "check", "event", event_ids)[event_ids[0]]
    assert (entry.who, entry.details["found"], entry.details["outcome"]) == ("ada", found.said, "unknown")


def test_a_check_of_what_is_settled_says_so(engine: Engine) -> None:
    event_ids = store(engine, 1)
    with pytest.raises(NotFound, match="settled meanwhile"):
        look(engine, *event_ids)
    with read(engine) as session:
        assert list_audit(session, AuditFilter(verb="check")).rows == []


def test_a_redrive_of_many_leaves_out_what_is_unknown_and_a_person_can_send_it(engine: Engine) -> None:
    event_ids = store(engine, 3)
    lose(engine, event_ids[:1])
    many = plan(engine, EventFilter(status=EventStatus.UNRESOLVED))
    assert (many.waiting, many.skipped) == (2, 1)
    assert "may have run" in (items(engine, many.id)[0].reason or "")
    assert plan(engine, event_ids[:1]).waiting == 1


def test_what_failed_again_so_often_goes_only_where_a_person_names_it(engine: Engine) -> None:
    event_ids = store(engine, 2)
    with write(engine) as session:
        session.execute(update(models.Event).where(models.Event.id == event_ids[0]).values(failures=4))
    many = plan(engine, EventFilter(status=EventStatus.UNRESOLVED))
    assert many.skipped == 1
    assert items(engine, many.id)[0].reason == (
        "Held back: it failed again 3 times. Find out why, then choose it by itself."
    )
    assert plan(engine, event_ids).skipped == 0
    patient = replace(SETTINGS, hold_after=5)
    assert plan(engine, EventFilter(status=EventStatus.UNRESOLVED), settings=patient).skipped == 0


def test_whoever_checks_is_named(engine: Engine) -> None:
    event_ids = store(engine, 1)
    lose(engine, event_ids)
    check(engine, event_ids, open_records=None, by=Actor("grace", "command line"), now=NOW)
    with read(engine) as session:
        (entry,) = list_audit(session, AuditFilter(verb="check")).rows
    assert (entry.who, entry.came_from) == ("grace", "command line")


def test_the_unknown_are_found_by_an_index_of_their_own(sqlite_engine: Engine) -> None:
    with counted(sqlite_engine) as statements, read(sqlite_engine) as session:
        count_doubts(session)
        list_doubts(session)
    with read(sqlite_engine) as session:
        for statement, given in statements:
            plan = [
                row.detail for row in session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given)
            ]
            assert any("ix_events_doubtful" in step for step in plan), plan
