"""FIFO: nothing overtakes what comes before it in its message group, whichever redrive and worker sends it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from deadletter import redrive
from deadletter.event import TargetKind, TargetRef
from deadletter.outcome import Outcome
from deadletter.store import read, write
from deadletter.store.redrives.claims import Claimed
from deadletter.store.redrives.order import BEHIND_UNKNOWN, holds_back
from deadletter.store.redrives.tending import tend
from deadletter.store.rows import Count
from tests.factories import ADA, NOW, make_message, make_parsed, store_some
from tests.store.redriving import check_counters, event, items, plan, report, run, show, take, tell

FIFO = TargetRef(TargetKind.SQS, "arn:aws:sqs:eu-west-1:123456789012:orders.fifo")


def store(engine: Engine, *groups: str, late: float = 0.0) -> None:
    """Store one event for each message group named, all failed at one moment, numbered as they were sent.

    The last comes first: what counts is the queue's own numbers, of which 10 comes after 9.
    """
    at = NOW - timedelta(hours=1) + timedelta(seconds=late)
    named = [{"MessageGroupId": group, "SequenceNumber": str(9 + n)} for n, group in enumerate(groups)]
    parsed = [make_parsed(message=make_message(attributes=each), occurred_at=at) for each in named]
    with write(engine) as session:
        store_some(session, *reversed(parsed))


def take_all(engine: Engine, redrive_id: int, *, worker: str = "w1", later_s: float = 0.0) -> list[Claimed]:
    """Claim everything that may go: the rate lets go one at first, then many."""
    first = take(engine, redrive_id, worker=worker, later_s=later_s)
    return [*first, *take(engine, redrive_id, worker=worker, later_s=later_s + 0.5)]


def claimed(engine: Engine, redrive_id: int, **given: object) -> list[tuple[str, int]]:
    """Claim; return the message group and number of each."""
    found = take_all(engine, redrive_id, **given)  # type: ignore[arg-type]
    return [
        (one.message.attributes["MessageGroupId"], int(one.message.attributes["SequenceNumber"]) - 9) for one in found
    ]


def test_one_of_each_group_is_out_at_a_time_in_the_queues_own_order(engine: Engine) -> None:
    store(engine, "a", "a", "b", "a", "b")
    running = run(engine, target=FIFO)
    first = take_all(engine, running.id)
    assert [(one.message.attributes["MessageGroupId"], one.position) for one in first] == [("a", 0), ("b", 2)]
    assert claimed(engine, running.id, worker="w2", later_s=1) == []
    tell(engine, running.id, report(first[0], Outcome.SENT, sent_id="m-1"))
    assert claimed(engine, running.id, worker="w2", later_s=2) == [("a", 1)]
    check_counters(engine)


def test_what_was_turned_away_goes_before_what_comes_after_it(engine: Engine) -> None:
    store(engine, "a", "a")
    running = run(engine, target=FIFO)
    (first,) = take(engine, running.id)
    tell(engine, running.id, report(first, Outcome.WAITING))
    assert claimed(engine, running.id, worker="w2", later_s=2) == [("a", 0)]


def test_a_redrive_says_how_many_events_of_others_it_holds_back(engine: Engine) -> None:
    store(engine, "a", "b")
    first = run(engine, target=FIFO)
    store(engine, "a", "a", "c", late=60.0)
    second = run(engine, target=FIFO)
    with read(engine) as session:
        assert holds_back(session, first.id) == Count(2)
        assert holds_back(session, second.id) == Count(0)
    assert claimed(engine, second.id) == [("c", 2)]
    for one in take_all(engine, first.id, worker="w2", later_s=1.0):
        tell(engine, first.id, report(one, Outcome.SENT, sent_id=f"m-{one.position}"), worker="w2")
    with read(engine) as session:
        assert holds_back(session, first.id) == Count(0)


def test_what_was_refused_lets_the_next_one_go(engine: Engine) -> None:
    store(engine, "a", "a")
    running = run(engine, target=FIFO)
    (first,) = take(engine, running.id)
    tell(engine, running.id, report(first, Outcome.SKIPPED, reason="Too large."))
    assert claimed(engine, running.id, later_s=2) == [("a", 1)]


def test_behind_what_is_unknown_nothing_of_its_group_is_sent(engine: Engine) -> None:
    store(engine, "a", "a", "b", "a")
    running = run(engine, target=FIFO)
    first, other = take_all(engine, running.id)
    tell(engine, running.id, report(first, Outcome.UNKNOWN, reason="Lost."), report(other, Outcome.SENT, sent_id="m"))
    assert claimed(engine, running.id, later_s=2) == []
    found = items(engine, running.id)
    assert [item.outcome.value for item in found] == ["unknown", "skipped", "sent", "skipped"]
    assert found[1].reason == BEHIND_UNKNOWN
    assert [event(engine, found[n].event_id).status for n in (1, 3)] == ["unresolved", "unresolved"]
    assert show(engine, running.id).status == "watching"
    check_counters(engine)


def test_a_worker_that_dies_holds_up_its_own_groups_only(engine: Engine) -> None:
    store(engine, "a", "b", "a")
    running = run(engine, target=FIFO)
    take(engine, running.id, 1)
    with write(engine) as session:
        tend(session, running.id, lease_s=30, now=NOW + timedelta(seconds=60))
    assert claimed(engine, running.id, worker="w2", later_s=61) == [("b", 1)]


def test_an_older_event_in_another_redrive_goes_first(engine: Engine) -> None:
    store(engine, "a", "b")
    store(engine, "a", late=60)
    oldest, free, newest = (item.event_id for item in items(engine, plan(engine, target=FIFO).id))
    later = run(engine, [newest], target=FIFO)
    earlier = run(engine, [oldest, free], target=FIFO)
    assert take(engine, later.id) == []
    first = take_all(engine, earlier.id)
    assert [one.event_id for one in first] == [oldest, free]
    tell(engine, earlier.id, *(report(one, Outcome.SENT, sent_id=f"m-{one.position}") for one in first))
    assert [one.event_id for one in take(engine, later.id, later_s=2)] == [newest]


def test_a_redrive_that_nobody_started_holds_nothing_up(engine: Engine) -> None:
    store(engine, "a", "a")
    plan(engine, target=FIFO)
    running = run(engine, target=FIFO)
    assert claimed(engine, running.id) == [("a", 0)]


def test_one_that_was_cancelled_holds_nothing_up(engine: Engine) -> None:
    store(engine, "a", "a")
    first, second = (item.event_id for item in items(engine, plan(engine, target=FIFO).id))
    cancelled = run(engine, [first], target=FIFO)
    running = run(engine, [second], target=FIFO)
    assert take(engine, running.id) == []
    redrive.cancel(engine, cancelled.id, by=ADA, now=NOW)
    assert [one.event_id for one in take(engine, running.id, later_s=1)] == [second]


@pytest.mark.parametrize("arn", ["arn:aws:sqs:eu-west-1:123456789012:orders"])
def test_a_standard_queue_waits_for_nobody(engine: Engine, arn: str) -> None:
    store(engine, "a", "a", "a")
    running = run(engine, target=TargetRef(TargetKind.SQS, arn))
    assert len(take_all(engine, running.id)) == 3
