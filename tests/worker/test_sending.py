"""Sending: what is claimed is sent once, at its rate, and what became of it is written down."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from deadletter import redrive
from deadletter.errors import AnswerLost, TargetBusy, TargetRefused
from deadletter.event import TargetKind, TargetRef
from deadletter.outcome import Outcome, RedriveStatus
from deadletter.ports import Answer, Outgoing
from deadletter.store import read, write
from deadletter.store.redrives import list_items
from tests.factories import BOB, FUNCTION, make_event, make_parsed, store_some
from tests.fakes import FakeTarget, fails, succeeds, takes
from tests.worker.conftest import CLOCK, World, outcomes, wait_until
from worker import calling, sending, threads

QUEUE = "arn:aws:sqs:eu-west-1:123456789012:orders-fulfil"


def test_every_event_is_sent_once_and_its_outcome_is_known(world: World) -> None:
    world.store_failures(60)
    target = world.targets[FUNCTION] = FakeTarget(succeeds, batch_size=1)
    redrive_id = world.run_redrive()
    world.start()
    ended = world.ended(redrive_id)

    assert outcomes(ended) == {Outcome.SUCCEEDED: 60}
    assert ended.status is RedriveStatus.FINISHED
    assert set(target.counts.values()) == {1}


def test_two_workers_at_once_never_send_the_same_event(each_world: World) -> None:
    each_world.store_failures(400)
    target = each_world.targets[QUEUE] = FakeTarget(takes)
    redrive_id = each_world.run_redrive(target=QUEUE, rate=2_000.0)
    workers = {each_world.start().name for _ in range(2)}
    ended = each_world.ended(redrive_id)

    assert len(workers) == 2
    assert ended.ever_sent == 400
    assert set(target.counts.values()) == {1}


def test_a_queue_gets_ten_at_a_time(world: World) -> None:
    world.store_failures(100)
    target = world.targets[QUEUE] = FakeTarget(takes)
    world.run_redrive(target=QUEUE)
    world.worker().run(once=True)

    assert len(target.received) == 100
    assert max(target.sizes) == 10
    assert len(target.sizes) < 30


def test_the_rate_asked_for_is_the_rate_that_the_target_sees(world: World) -> None:
    world.store_failures(200)
    target = world.targets[QUEUE] = FakeTarget(takes)
    redrive_id = world.run_redrive(target=QUEUE, rate=100.0)
    world.start()
    world.ended(redrive_id)

    assert len(target.received) == 200
    with read(world.engine) as session:
        times = sorted(item.sent_at for item in list_items(session, redrive_id, limit=500).rows if item.sent_at)
    # Of the moments of claiming this is true however busy the machine is; that the mean is kept, test_plan_pace says.
    assert len(times) == 200
    assert (times[-1] - times[0]).total_seconds() >= 1.75
    assert max(sum(start <= at < start + timedelta(seconds=1) for at in times) for start in times) <= 110


def test_a_busy_target_is_left_alone_and_the_events_go_later(world: World) -> None:
    world.store_failures(20)
    calls = itertools.count()

    def busy_at_first(outgoing: Outgoing) -> Answer | Exception:
        return TargetBusy("Slow down.", retry_after_s=0.3) if next(calls) < 5 else succeeds(outgoing)

    target = world.targets[FUNCTION] = FakeTarget(busy_at_first, batch_size=1)
    redrive_id = world.run_redrive()
    world.start()
    ended = world.ended(redrive_id)

    assert outcomes(ended) == {Outcome.SUCCEEDED: 20}
    assert len(target.received) == 25
    assert ended.busy_reason is None


def test_each_kind_of_answer_ends_in_its_outcome(world: World) -> None:
    world.store_failures(60)
    kinds = itertools.cycle(
        [
            succeeds,
            fails(),
            fails("KeyError", "'shippingAddress'"),
            lambda _: TargetRefused("It is too large."),
            lambda _: AnswerLost("It may or may not have arrived."),
            takes,
        ]
    )
    lock = threading.Lock()

    def answer(outgoing: Outgoing) -> Answer | Exception:
        with lock:
            kind = next(kinds)
        return kind(outgoing)

    world.targets[FUNCTION] = FakeTarget(answer, batch_size=1)
    redrive_id = world.run_redrive()
    world.start()
    ended = world.ended(redrive_id)

    assert outcomes(ended) == {
        Outcome.SUCCEEDED: 20,  # half of them presumed: nothing came back
        Outcome.FAILED_AGAIN: 20,
        Outcome.SKIPPED: 10,
        Outcome.UNKNOWN: 10,
    }


def test_a_target_that_breaks_in_an_unknown_way_leaves_it_unknown(world: World) -> None:
    world.store_failures(3)

    def breaks(_: Outgoing) -> Answer:
        raise KeyError

    world.targets[FUNCTION] = FakeTarget(breaks, batch_size=1)
    redrive_id = world.run_redrive()
    world.start()

    assert outcomes(world.ended(redrive_id)) == {Outcome.UNKNOWN: 3}


def test_a_target_that_cannot_be_opened_takes_nothing(world: World) -> None:
    world.store_failures(3)
    redrive_id = world.run_redrive()
    world.start()
    wait_until(lambda: world.show(redrive_id).busy_reason)

    assert f"{FUNCTION} cannot be opened" in (world.show(redrive_id).busy_reason or "")
    world.targets[FUNCTION] = FakeTarget(succeeds, batch_size=1)
    assert outcomes(world.ended(redrive_id)) == {Outcome.SUCCEEDED: 3}


def test_cancelling_midway_keeps_what_was_sent_and_sends_no_more(world: World) -> None:
    world.store_failures(300)
    target = world.targets[QUEUE] = FakeTarget(takes)
    redrive_id = world.run_redrive(target=QUEUE, rate=100.0)
    world.start(settle_s=600.0)
    wait_until(lambda: len(target.received) > 20)
    redrive.cancel(world.engine, redrive_id, by=BOB, now=CLOCK.now())
    wait_until(lambda: not world.show(redrive_id).sending)
    sent = len(target.received)

    cancelled = world.show(redrive_id)
    assert cancelled.status is RedriveStatus.CANCELLED
    assert (cancelled.ever_sent, cancelled.skipped) == (sent, 300 - sent)
    assert set(target.counts.values()) == {1}


def test_the_settling_time_is_asked_of_the_target(world: World) -> None:
    world.store_failures(1)
    world.targets[QUEUE] = FakeTarget(takes, settle_s=77.0)
    redrive_id = world.run_redrive(target=QUEUE)
    world.settings = replace(world.settings, settle_s=None)
    world.start()

    wait_until(lambda: world.show(redrive_id).settle_s == 77.0)
    assert world.show(redrive_id).status in {RedriveStatus.RUNNING, RedriveStatus.WATCHING}


def test_a_worker_that_is_stopped_waits_for_the_answers_it_is_owed(world: World) -> None:
    world.store_failures(20)
    gate = threading.Event()

    def slow(outgoing: Outgoing) -> Answer:
        gate.wait(20)
        return succeeds(outgoing)

    target = world.targets[FUNCTION] = FakeTarget(slow, batch_size=1)
    redrive_id = world.run_redrive()
    worker = world.start(concurrency=4)
    wait_until(lambda: len(target.received) == 4)
    worker.stop()
    gate.set()
    world.stop()

    stopped = world.show(redrive_id)
    assert (stopped.sending, stopped.unknown) == (0, 0)
    assert stopped.succeeded == len(target.received)


@pytest.fixture
def slow_and_fast(world: World) -> Iterator[FakeTarget]:
    """A queue that answers at once, while every call to a function waits until the test is over."""
    gate = threading.Event()

    def slow(outgoing: Outgoing) -> Answer:
        gate.wait(60)
        return succeeds(outgoing)

    world.targets[FUNCTION] = FakeTarget(slow, batch_size=1)
    yield world.targets.setdefault(QUEUE, FakeTarget(takes))
    gate.set()


def test_a_slow_redrive_keeps_no_other_from_its_calls(world: World, slow_and_fast: FakeTarget) -> None:
    world.store_failures(60)
    slow, fast = world.event_ids()[:40], world.event_ids()[40:]
    world.run_redrive(only=slow)
    world.start(concurrency=2)
    wait_until(lambda: len(world.targets[FUNCTION].received) == 2)
    ended = world.ended(world.run_redrive(target=QUEUE, only=fast))

    assert ended.ever_sent == len(slow_and_fast.received) == 20
    assert len(world.targets[FUNCTION].received) == 2


def test_a_slow_target_keeps_no_other_of_its_redrive_from_its_calls(world: World, slow_and_fast: FakeTarget) -> None:
    world.store_failures(40)
    with write(world.engine) as session:
        queue = TargetRef(TargetKind.SQS, QUEUE)
        store_some(session, *(make_parsed(make_event(target=queue, payload_text="{}")) for _ in range(10)))
    redrive_id = world.run_redrive(target=None)
    world.start(concurrency=2)
    wait_until(lambda: len(slow_and_fast.received) == 10)

    assert len(world.targets[FUNCTION].received) == 2
    assert {line["arn"]: line["count"] for line in world.show(redrive_id).targets} == {FUNCTION: 40, QUEUE: 10}


def test_a_claim_past_its_lease_is_given_back_and_not_sent(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.store_failures(3)
    target = world.targets[FUNCTION] = FakeTarget(succeeds, batch_size=1)
    redrive_id = world.run_redrive()
    late = itertools.chain([100.0], itertools.repeat(0.0))
    monkeypatch.setattr(calling, "monotonic", lambda: time.monotonic() - next(late))
    world.start(concurrency=1)
    ended = world.ended(redrive_id)

    assert outcomes(ended) == {Outcome.SUCCEEDED: 3}
    assert set(target.counts.values()) == {1}
    with read(world.engine) as session:
        assert all(item.sent_at for item in list_items(session, redrive_id).rows)


def test_while_the_database_is_away_answers_are_kept_and_nothing_is_sent_twice(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.store_failures(30)
    target = world.targets[FUNCTION] = FakeTarget(succeeds, batch_size=1)
    redrive_id = world.run_redrive()
    away, real = itertools.count(), sending.record_reports

    def record_reports(*given: Any, **named: Any) -> None:
        if next(away) < 3:
            raise OperationalError("UPDATE", {}, Exception("the database is gone"))
        real(*given, **named)

    monkeypatch.setattr(sending, "record_reports", record_reports)
    monkeypatch.setattr(threads, "AFTER_ERROR_S", 0.05)
    world.start()

    assert outcomes(world.ended(redrive_id)) == {Outcome.SUCCEEDED: 30}
    assert set(target.counts.values()) == {1}


def test_a_worker_that_has_ended_leaves_no_thread_behind(world: World) -> None:
    world.store_failures(20)
    world.targets[FUNCTION] = FakeTarget(succeeds, batch_size=1)
    world.run_redrive()
    before = threading.active_count()
    assert world.worker().run(once=True)
    wait_until(lambda: not [thread for thread in threading.enumerate() if thread.name.startswith("call ")], 60.0)

    wait_until(lambda: threading.active_count() <= before, 60.0)
