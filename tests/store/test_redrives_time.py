"""What time does to a redrive, and what is read of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from deadletter import redrive
from deadletter.errors import BadInput, NotFound
from deadletter.outcome import EventStatus, Outcome, RedriveStatus
from deadletter.store import read, write
from deadletter.store.redrives import list_items, list_redrives
from deadletter.store.redrives.silence import list_deaf_sources
from deadletter.store.redrives.tending import WORKER_STOPPED, list_open, note_settling_time, tend
from deadletter.store.redrives.workers import leave
from deadletter.store.sources import list_sources, note_collected, note_error
from tests.factories import BOB, NOW
from tests.store.redriving import (
    check_counters,
    event,
    items,
    look,
    plan,
    report,
    run,
    show,
    store,
    take,
    tell,
)


@pytest.fixture(autouse=True)
def counters_are_right(engine: Engine) -> Iterator[None]:
    yield
    check_counters(engine)


def test_silence_becomes_a_presumed_success_after_the_settling_time(engine: Engine) -> None:
    (event_id,) = store(engine, 1)
    running = run(engine)
    (claimed,) = take(engine, running.id)
    tell(engine, running.id, report(claimed, Outcome.SENT, sent_id="r-1"))

    assert look(engine, running.id, later_s=59.9) == 0
    assert look(engine, running.id, later_s=60.0) == 1
    (item,) = items(engine, running.id)
    assert (item.outcome, item.evidence) == (Outcome.SUCCEEDED, "Presumed: not seen again within 60 s.")
    assert event(engine, event_id).status == EventStatus.RESOLVED
    assert show(engine, running.id).status is RedriveStatus.FINISHED
    with read(engine) as session:
        assert list_open(session) == []


def test_silence_proves_nothing_while_the_source_cannot_be_read(engine: Engine) -> None:
    store(engine, 1)
    running = run(engine)
    (claimed,) = take(engine, running.id)
    tell(engine, running.id, report(claimed, Outcome.SENT, sent_id="r-1"))
    late = NOW + timedelta(seconds=90)

    with write(engine) as session:
        (source,) = list_sources(session, now=late)
        note_collected(session, source.id, now=NOW + timedelta(seconds=59))
        assert tend(session, running.id, lease_s=30.0, now=late) == 0, "nobody has looked since it would have come back"
        note_error(session, source.id, "No permission.", late, late)
        assert list_deaf_sources(session, running.id) == [source.name]
        assert tend(session, running.id, lease_s=30.0, now=late) == 0
        note_collected(session, source.id, now=late)
        assert list_deaf_sources(session, running.id) == []
        assert tend(session, running.id, lease_s=30.0, now=late) == 1

    assert show(engine, running.id).status is RedriveStatus.FINISHED


def test_the_settling_time_is_what_the_target_says(engine: Engine) -> None:
    store(engine, 1)
    running = run(engine)
    with write(engine) as session:
        note_settling_time(session, running.id, 7.0)

    assert show(engine, running.id).settle_s == 7.0


def test_what_a_dead_worker_was_sending_is_unknown(engine: Engine) -> None:
    first, second = store(engine, 2)
    running = run(engine)
    take(engine, running.id, worker="dead")
    take(engine, running.id, 1, worker="alive", later_s=25)

    assert look(engine, running.id, later_s=40) == 1
    lost, sending = items(engine, running.id)
    assert (lost.outcome, lost.reason) == (Outcome.UNKNOWN, WORKER_STOPPED)
    assert sending.outcome is Outcome.SENDING
    assert event(engine, first).status == EventStatus.UNRESOLVED
    assert event(engine, second).status == EventStatus.REDRIVING


def test_a_worker_that_left_in_order_leaves_nothing_in_sending(engine: Engine) -> None:
    store(engine, 1)
    running = run(engine)
    take(engine, running.id)
    with write(engine) as session:
        leave(session, "w1")
    look(engine, running.id, later_s=1)

    assert show(engine, running.id).unknown == 1


def test_a_worker_thought_dead_may_still_tell_the_truth(engine: Engine) -> None:
    (event_id,) = store(engine, 1)
    running = run(engine)
    (claimed,) = take(engine, running.id)
    look(engine, running.id, later_s=40)
    tell(engine, running.id, report(claimed, Outcome.SUCCEEDED, sent_id="r-1"), later_s=50)

    assert show(engine, running.id).succeeded == 1
    assert event(engine, event_id).status == EventStatus.RESOLVED


def test_a_late_truth_leaves_an_event_alone_that_another_redrive_has_claimed(engine: Engine) -> None:
    (event_id,) = store(engine, 1)
    first = run(engine)
    (claimed,) = take(engine, first.id)
    look(engine, first.id, later_s=40)
    second = run(engine, [event_id])  # by its number: bulk redrives leave an unknown outcome alone
    tell(engine, first.id, report(claimed, Outcome.SUCCEEDED, sent_id="r-1"), later_s=50)

    assert show(engine, first.id).succeeded == 1
    assert (event(engine, event_id).status, event(engine, event_id).redrive_id) == (
        EventStatus.REDRIVING,
        second.id,
    )


def test_a_worker_thought_dead_cannot_give_back_what_is_unknown(engine: Engine) -> None:
    store(engine, 1)
    running = run(engine)
    (claimed,) = take(engine, running.id)
    look(engine, running.id, later_s=40)
    tell(engine, running.id, report(claimed, Outcome.WAITING), later_s=50)

    assert show(engine, running.id).unknown == 1


def test_a_redrive_that_is_not_there_says_so(engine: Engine) -> None:
    with pytest.raises(NotFound, match="no redrive 404"):
        show(engine, 404)
    with pytest.raises(NotFound, match="no redrive 404"):
        redrive.cancel(engine, 404, by=BOB, now=NOW)


def test_redrives_are_listed_newest_first_a_page_at_a_time(engine: Engine) -> None:
    store(engine, 1)
    made = [plan(engine).id for _ in range(5)]
    with read(engine) as session:
        first = list_redrives(session, limit=3)
        second = list_redrives(session, cursor=first.next_cursor, limit=3)

    assert [row.id for row in (*first.rows, *second.rows)] == made[::-1]
    assert second.next_cursor is None


def test_items_are_listed_by_outcome_a_page_at_a_time(engine: Engine) -> None:
    ids = store(engine, 5)
    running = run(engine)
    take(engine, running.id, 1)
    with read(engine) as session:
        first = list_items(session, running.id, outcome=Outcome.WAITING, limit=2)
        second = list_items(session, running.id, outcome=Outcome.WAITING, cursor=first.next_cursor, limit=2)

    assert [item.event_id for item in (*first.rows, *second.rows)] == ids[1:]
    assert second.next_cursor is None


def test_a_cursor_that_nobody_gave_out_is_refused(engine: Engine) -> None:
    with read(engine) as session, pytest.raises(BadInput, match="Start again from its first page"):
        list_redrives(session, cursor="1; drop table redrives")
