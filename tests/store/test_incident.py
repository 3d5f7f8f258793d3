"""A report's facts, and the stream of an export."""

import tracemalloc
from datetime import timedelta

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from deadletter.errors import BadInput
from deadletter.filters import EventFilter
from deadletter.outcome import EventStatus, Outcome
from deadletter.store import read, write
from deadletter.store.failures import FailedAgain, fail_again
from deadletter.store.queries import archive_events, get_event, iter_events, list_events, report_facts
from tests.factories import ACCOUNT, ADA, NOW, make_parsed, store_some
from tests.store.redriving import DECLINED, look, report, run, take, tell

HOUR = timedelta(hours=1)
NIGHT = EventFilter(since=NOW - 2 * HOUR, until=NOW)


def store_night(session: Session) -> None:
    """Store three declined cards and a time-out in the night, and a failure of the evening before."""
    notify = ACCOUNT.format("lambda", "function:orders-notify")
    store_some(
        session,
        *[make_parsed(occurred_at=NOW - timedelta(minutes=n)) for n in (70, 80, 30)],
        make_parsed(error_type="TimeoutError", function_arn=notify, occurred_at=NOW - timedelta(minutes=20)),
        make_parsed(error_type="KeyError", occurred_at=NOW - 9 * HOUR),
    )


def test_a_report_counts_what_failed_in_its_time(session: Session) -> None:
    store_night(session)
    archive_events(session, EventFilter(error_type="TimeoutError"), by=ADA, now=NOW)

    facts = report_facts(session, NIGHT, now=NOW)

    assert (facts.events, facts.counts.unresolved, facts.counts.archived) == (4, 3, 1)
    assert facts.functions == [("orders-capture", 3, 3), ("orders-notify", 1, 0)]
    assert [(cause.group.title, cause.events, cause.open) for cause in facts.causes] == [
        ("PaymentError", 3, 3),
        ("TimeoutError", 1, 0),
    ]
    assert sum(n for _, n in facts.hours) == 4
    assert len(facts.hours) == 2
    sample = facts.causes[0].sample
    assert sample is not None
    assert sample.event.occurred_at == NOW - timedelta(minutes=30)


def test_an_event_that_fails_again_in_the_morning_stays_in_the_report_of_its_night(session: Session) -> None:
    store_night(session)
    event_id = list_events(session, EventFilter(error_type="TimeoutError")).rows[0].id
    again = FailedAgain(
        event_id=event_id,
        fingerprint=DECLINED,
        error_type="PaymentError",
        error_message="card was declined",
        occurred_at=NOW + 5 * HOUR,
    )
    fail_again(session, [again])

    facts = report_facts(session, NIGHT, now=NOW + 9 * HOUR)
    assert (facts.events, facts.counts.unresolved) == (4, 4)
    event = get_event(session, event_id).event
    assert (event.occurred_at, event.last_failed_at) == (NOW - timedelta(minutes=20), NOW + 5 * HOUR)


def test_a_report_is_narrowed_by_its_filter_and_by_how_many_causes_it_tells(session: Session) -> None:
    store_night(session)
    assert report_facts(session, NIGHT.with_(function="orders-notify"), now=NOW).events == 1
    assert report_facts(session, NIGHT.with_(text="declined", status=EventStatus.ARCHIVED), now=NOW).events == 0
    facts = report_facts(session, NIGHT, now=NOW, causes=1)
    assert (len(facts.causes), facts.events) == (1, 4)


def test_a_report_tells_what_became_of_its_events(engine: Engine) -> None:
    with write(engine) as session:
        store_night(session)
    running = run(engine, NIGHT)
    one, two, three, four = (claimed for n in range(4) for claimed in take(engine, running.id, 1, later_s=n))
    tell(
        engine,
        running.id,
        report(one, Outcome.SUCCEEDED, sent_id="a", evidence="It answered."),
        report(two, Outcome.FAILED_AGAIN, sent_id="b", fingerprint=DECLINED),
        report(three, Outcome.SENT, sent_id="c"),
        report(four, Outcome.UNKNOWN),
    )
    look(engine, running.id, later_s=600)

    with read(engine) as session:
        facts = report_facts(session, NIGHT.with_(until=NOW + HOUR), now=NOW)
        other = report_facts(session, EventFilter(since=NOW - 10 * HOUR, until=NOW - 8 * HOUR), now=NOW)

    assert [redrive.id for redrive in facts.redrives] == [running.id]
    assert facts.outcomes == {"succeeded": 2, "failed_again": 1, "unknown": 1}
    assert facts.presumed == 1
    assert (other.events, other.redrives, other.outcomes) == (1, [], {})


def test_a_report_without_both_ends_is_refused(session: Session) -> None:
    with pytest.raises(BadInput, match="needs a beginning and an end"):
        report_facts(session, EventFilter(since=NOW), now=NOW)


def test_an_export_streams_every_event_with_its_body(session: Session) -> None:
    store_some(session, *[make_parsed(payload_text=f'{{"id": "ord-{n}"}}') for n in range(30)])
    rows = list(iter_events(session, EventFilter()))
    assert {row.body for row in rows} == {f'{{"id": "ord-{n}"}}' for n in range(30)}
    assert len({row.id for row in rows}) == 30


def test_an_export_of_large_bodies_stays_small_in_memory(sqlite_engine: Engine) -> None:
    with write(sqlite_engine) as session:
        store_some(session, *[make_parsed(payload_text=str(n) + "x" * 2**20) for n in range(48)])
    with read(sqlite_engine) as session:
        tracemalloc.start()
        assert sum(len(row.body) > 2**20 for row in iter_events(session, EventFilter())) == 48
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 40 * 2**20


def test_an_export_that_is_broken_off_leaves_sqlite_its_cache(sqlite_engine: Engine) -> None:
    with write(sqlite_engine) as session:
        store_some(session, *[make_parsed() for _ in range(3)])
    with read(sqlite_engine) as session:
        before, rows = session.scalar(text("PRAGMA cache_size")), iter_events(session, EventFilter())
        next(rows)
        assert session.scalar(text("PRAGMA cache_size")) == before / 8
    rows.close()  # type: ignore[attr-defined] # a generator
    with read(sqlite_engine) as session:
        assert session.scalar(text("PRAGMA cache_size")) == before
