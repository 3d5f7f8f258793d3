"""Workers that go carefully: a wrong fix costs few events, a person's word holds at once, faults lose nothing."""

from __future__ import annotations

import itertools
import threading
import time
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from deadletter import redrive
from deadletter.errors import AnswerLost, TargetBusy, TargetRefused
from deadletter.manner import AT_ONCE, Manner, Pace
from deadletter.outcome import Outcome, RedriveStatus
from deadletter.ports import Answer, Outgoing
from tests.factories import ADA, FUNCTION
from tests.fakes import FakeTarget, fails, succeeds, takes
from tests.worker.conftest import CLOCK, World, outcomes, wait_until
from worker import sending, threads

QUEUE = "arn:aws:sqs:eu-west-1:123456789012:orders-fulfil"
CAREFUL = Manner()


def test_a_wrong_fix_costs_2000_events_no_more_than_the_canary(world: World) -> None:
    world.store_failures(2_000)
    target = world.targets[FUNCTION] = FakeTarget(fails(), batch_size=1)
    redrive_id = world.run_redrive(rate=500.0, manner=CAREFUL)
    world.start()
    wait_until(lambda: world.show(redrive_id).status is RedriveStatus.TRIPPED)
    wait_until(lambda: not world.show(redrive_id).sending)

    tripped = world.show(redrive_id)
    assert len(target.received) == tripped.failed_again == 5
    assert tripped.waiting == 1_995
    assert "same cause" in (tripped.held_reason or "")


def test_a_fix_that_is_right_for_the_canary_only_costs_one_step_of_the_ramp_more(world: World) -> None:
    world.store_failures(2_000)
    calls = itertools.count()

    def right_at_first(outgoing: Outgoing) -> Answer | Exception:
        return succeeds(outgoing) if next(calls) < 5 else fails()(outgoing)

    target = world.targets[FUNCTION] = FakeTarget(right_at_first, batch_size=1)
    redrive_id = world.run_redrive(rate=500.0, manner=CAREFUL)
    world.start()
    wait_until(lambda: world.show(redrive_id).status is RedriveStatus.TRIPPED)
    wait_until(lambda: not world.show(redrive_id).sending)

    assert len(target.received) <= 5 + 10


def test_a_right_fix_goes_through_canary_and_ramp_to_the_end(world: World) -> None:
    world.store_failures(120)
    target = world.targets[FUNCTION] = FakeTarget(succeeds, batch_size=1)
    redrive_id = world.run_redrive(rate=40.0, manner=Manner(canary=3))
    world.start()
    ended = world.ended(redrive_id)

    assert outcomes(ended) == {Outcome.SUCCEEDED: 120}
    assert set(target.counts.values()) == {1}


def test_pause_resume_another_rate_and_cancel_each_hold_within_a_second(world: World) -> None:
    world.store_failures(2_000)
    target = world.targets[QUEUE] = FakeTarget(takes)
    redrive_id = world.run_redrive(target=QUEUE, rate=50.0)
    world.start(settle_s=600.0)
    wait_until(lambda: len(target.received) > 10)

    redrive.pause(world.engine, redrive_id, by=ADA, now=CLOCK.now())
    time.sleep(1)
    paused_at = len(target.received)
    time.sleep(0.5)
    assert len(target.received) == paused_at

    redrive.change_pace(world.engine, redrive_id, Pace(400.0), by=ADA, now=CLOCK.now())
    redrive.resume(world.engine, redrive_id, by=ADA, now=CLOCK.now())
    wait_until(lambda: len(target.received) > paused_at, timeout_s=1.0)
    wait_until(lambda: len(target.received) > paused_at + 100, timeout_s=5.0)  # at 50 a second only 2 s later than that

    cancelled = redrive.cancel(world.engine, redrive_id, by=ADA, now=CLOCK.now())
    time.sleep(1)
    sent = len(target.received)
    time.sleep(0.5)
    assert len(target.received) == sent
    assert cancelled.skipped >= 2_000 - sent
    assert set(target.counts.values()) == {1}


def test_a_pause_outlives_every_process(world: World) -> None:
    world.store_failures(50)
    target = world.targets[FUNCTION] = FakeTarget(succeeds, batch_size=1)
    redrive_id = world.run_redrive(rate=20.0)
    world.start()
    wait_until(lambda: target.received)
    redrive.pause(world.engine, redrive_id, by=ADA, now=CLOCK.now())
    world.stop()
    world.start()
    time.sleep(0.7)
    held = len(target.received)
    time.sleep(0.5)

    assert len(target.received) == held < 50
    redrive.change_pace(world.engine, redrive_id, Pace(1_000.0), by=ADA, now=CLOCK.now())
    redrive.resume(world.engine, redrive_id, by=ADA, now=CLOCK.now())
    assert outcomes(world.ended(redrive_id)) == {Outcome.SUCCEEDED: 50}
    assert set(target.counts.values()) == {1}


def test_three_workers_on_one_database_send_each_event_once_whatever_the_answers(each_world: World) -> None:
    each_world.store_failures(150)
    answers = itertools.cycle([succeeds, fails("KeyError", "'x'"), lambda _: AnswerLost("Lost.")])
    kinds = itertools.chain([lambda _: TargetBusy("Wait.", limit="rate")] * 3, answers)
    lock = threading.Lock()
    reached: list[int] = []

    def answer(outgoing: Outgoing) -> Answer | Exception:
        with lock:
            kind = next(kinds)
            said = kind(outgoing)
            reached.extend([] if isinstance(said, TargetBusy) else [outgoing.key])
        return said

    each_world.targets[FUNCTION] = FakeTarget(answer, batch_size=1)
    redrive_id = each_world.run_redrive(manner=AT_ONCE)
    names = {each_world.start().name for _ in range(3)}
    ended = each_world.ended(redrive_id)

    assert len(names) == 3
    assert sorted(reached) == sorted(set(reached))
    assert len(reached) == ended.succeeded + ended.failed_again + ended.unknown == 150


def test_a_target_that_is_deleted_midway_trips_the_redrive_and_loses_nothing(world: World) -> None:
    world.store_failures(200)
    calls = itertools.count()

    def gone_soon(outgoing: Outgoing) -> Answer | Exception:
        return succeeds(outgoing) if next(calls) < 20 else TargetRefused("orders-capture does not exist.")

    world.targets[FUNCTION] = FakeTarget(gone_soon, batch_size=1)
    redrive_id = world.run_redrive(rate=200.0, manner=Manner(canary=0))
    world.start()
    wait_until(lambda: world.show(redrive_id).status is RedriveStatus.TRIPPED)
    wait_until(lambda: not world.show(redrive_id).sending)

    tripped = world.show(redrive_id)
    assert tripped.succeeded == 20
    assert tripped.waiting > 150
    assert "refused by the target" in (tripped.held_reason or "")
    assert tripped.succeeded + tripped.skipped + tripped.waiting == 200


def test_a_database_that_is_gone_for_a_while_costs_no_event_and_no_second_sending(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.store_failures(60)
    target = world.targets[FUNCTION] = FakeTarget(succeeds, batch_size=1)
    redrive_id = world.run_redrive(rate=100.0, manner=CAREFUL)
    gone = threading.Event()
    real_claim, real_record = sending.claim, sending.record_reports

    def broken(real: Any) -> Any:
        def call(*given: Any, **named: Any) -> Any:
            if gone.is_set():
                raise OperationalError("SELECT", {}, Exception("server closed the connection"))
            return real(*given, **named)

        return call

    monkeypatch.setattr(sending, "claim", broken(real_claim))
    monkeypatch.setattr(sending, "record_reports", broken(real_record))
    monkeypatch.setattr(threads, "AFTER_ERROR_S", 0.05)
    world.start()
    wait_until(lambda: target.received)
    gone.set()
    time.sleep(0.5)
    gone.clear()

    assert outcomes(world.ended(redrive_id)) == {Outcome.SUCCEEDED: 60}
    assert set(target.counts.values()) == {1}
