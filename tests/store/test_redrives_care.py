"""Canary, ramp, breaker, pause, pace and hours, kept in the database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from deadletter import redrive
from deadletter.actor import Actor
from deadletter.breaker import Stage
from deadletter.errors import IllegalMove, TargetRefused
from deadletter.hours import Window
from deadletter.manner import AT_ONCE, Manner, Pace
from deadletter.outcome import Outcome, RedriveStatus
from deadletter.ports import TargetFacts
from deadletter.redrive.limits import read_limits
from deadletter.store import models, read, write
from deadletter.store.audit import AuditFilter, list_audit
from deadletter.store.redrives.claims import Claimed
from deadletter.store.redrives.lanes import hold, limits_of
from deadletter.store.redrives.pauses import Busy
from tests.factories import FUNCTION, NOW
from tests.fakes import FakeTarget
from tests.store.redriving import DECLINED, OTHER, check_counters, look, plan, report, run, show, store, take, tell

ADA = Actor("ada", "127.0.0.1")
CAREFUL = Manner()


@pytest.fixture(autouse=True)
def counters_are_right(engine: Engine) -> Iterator[None]:
    yield
    check_counters(engine)


def go(engine: Engine, redrive_id: int, most: int = 100, *, later_s: float = 0.0) -> list[Claimed]:
    """Take what may go: the first look after a rest finds one turn, the next all that came due since."""
    first = take(engine, redrive_id, most, later_s=later_s)
    return first + take(engine, redrive_id, most - len(first), later_s=later_s + 0.1)


def answer(engine: Engine, redrive_id: int, outcome: Outcome, *, most: int = 100, later_s: float) -> int:
    """Take what may go, and let all of it end alike; return how many that were."""
    claims = go(engine, redrive_id, most, later_s=later_s)
    failure = {"fingerprint": DECLINED, "error_type": "PaymentError", "error_message": "card was declined"}
    given = failure if outcome is Outcome.FAILED_AGAIN else {}
    tell(engine, redrive_id, *(report(each, outcome, sent_id=f"r-{each.position}", **given) for each in claims))
    return len(claims)


def test_only_the_canary_goes_until_its_outcomes_are_known(engine: Engine) -> None:
    store(engine, 60)
    running = run(engine, manner=CAREFUL)

    assert len(go(engine, running.id, later_s=10)) == 5
    assert go(engine, running.id, later_s=20) == []
    assert show(engine, running.id).stage is Stage.CANARY


def test_what_succeeds_goes_on_twice_as_many_at_a_time(engine: Engine) -> None:
    store(engine, 80)
    running = run(engine, manner=CAREFUL)
    went = [answer(engine, running.id, Outcome.SUCCEEDED, later_s=10.0 * n) for n in range(1, 6)]

    assert went == [5, 10, 20, 40, 5]
    assert show(engine, running.id).status is RedriveStatus.FINISHED


def test_a_sent_canary_is_waited_for_until_it_is_settled(engine: Engine) -> None:
    store(engine, 60)
    running = run(engine, manner=CAREFUL)
    answer(engine, running.id, Outcome.SENT, later_s=1.0)
    assert go(engine, running.id, later_s=30) == []
    look(engine, running.id, later_s=70)

    assert (show(engine, running.id).stage, show(engine, running.id).succeeded) == (Stage.RAMP, 5)
    assert len(go(engine, running.id, later_s=80)) == 10


def test_a_wrong_fix_trips_it_and_nothing_more_is_sent(engine: Engine) -> None:
    store(engine, 60)
    running = run(engine, manner=CAREFUL)
    answer(engine, running.id, Outcome.FAILED_AGAIN, later_s=10)
    tripped = show(engine, running.id)

    assert (tripped.status, tripped.failed_again, tripped.waiting) == (RedriveStatus.TRIPPED, 5, 55)
    assert "5 failed with the same cause as before" in (tripped.held_reason or "")
    assert go(engine, running.id, later_s=20) == []
    with read(engine) as session:
        entry = next(row for row in list_audit(session, AuditFilter()).rows if row.verb == "trip")
    assert (entry.who, entry.subject) == ("redrive", str(running.id))


def test_after_a_trip_a_person_resumes_with_a_new_canary_or_cancels(engine: Engine) -> None:
    store(engine, 60)
    running = run(engine, manner=CAREFUL)
    answer(engine, running.id, Outcome.FAILED_AGAIN, later_s=10)
    resumed = redrive.resume(engine, running.id, by=ADA, now=NOW + timedelta(seconds=15))

    assert (resumed.status, resumed.stage, resumed.held_reason) == (RedriveStatus.RUNNING, Stage.CANARY, None)
    assert answer(engine, running.id, Outcome.FAILED_AGAIN, later_s=20) == 5
    assert show(engine, running.id).status is RedriveStatus.TRIPPED
    cancelled = redrive.cancel(engine, running.id, by=ADA, now=NOW)
    assert (cancelled.failed_again, cancelled.skipped, cancelled.ended) == (10, 50, True)


def test_a_failure_by_another_cause_counts_for_the_share_only(engine: Engine) -> None:
    store(engine, 60)
    running = run(engine, manner=Manner(max_failures=0.9))
    claims = go(engine, running.id, later_s=10)
    others = {"fingerprint": OTHER, "error_type": "KeyError", "error_message": "'shippingAddress'"}
    tell(engine, running.id, *(report(each, Outcome.FAILED_AGAIN, **others) for each in claims[:4]))
    tell(engine, running.id, report(claims[4], Outcome.SUCCEEDED))

    assert (show(engine, running.id).stage, show(engine, running.id).recent) == (Stage.RAMP, "ffffs")


def test_answers_that_are_lost_trip_it_too(engine: Engine) -> None:
    store(engine, 60)
    running = run(engine, manner=Manner(canary=0))
    claims = go(engine, running.id, 6, later_s=10)
    tell(engine, running.id, *(report(each, Outcome.UNKNOWN, reason="Lost.") for each in claims))

    assert show(engine, running.id).status is RedriveStatus.TRIPPED
    assert show(engine, running.id).recent == "u" * 6


def test_pausing_holds_what_waits_and_resuming_goes_on_where_it_was(engine: Engine) -> None:
    store(engine, 30)
    running = run(engine)
    (first,) = go(engine, running.id, 1)
    paused = redrive.pause(engine, running.id, by=ADA, now=NOW)
    tell(engine, running.id, report(first, Outcome.SUCCEEDED))

    assert (paused.status, paused.held_by) == (RedriveStatus.PAUSED, "ada")
    assert go(engine, running.id, later_s=10) == []
    assert show(engine, running.id).succeeded == 1
    redrive.resume(engine, running.id, by=ADA, now=NOW)
    assert len(go(engine, running.id, later_s=20)) == 29


def test_what_was_all_on_its_way_when_it_was_paused_ends_by_itself(engine: Engine) -> None:
    store(engine, 1)
    running = run(engine)
    (only,) = go(engine, running.id, 1)
    redrive.pause(engine, running.id, by=ADA, now=NOW)
    tell(engine, running.id, report(only, Outcome.SUCCEEDED))

    assert show(engine, running.id).status is RedriveStatus.FINISHED


def test_what_does_not_run_cannot_be_paused_and_what_is_not_held_not_resumed(engine: Engine) -> None:
    store(engine, 1)
    running = run(engine)
    with pytest.raises(IllegalMove, match="nothing to resume"):
        redrive.resume(engine, running.id, by=ADA, now=NOW)
    redrive.pause(engine, running.id, by=ADA, now=NOW)
    with pytest.raises(IllegalMove, match="no sending to pause"):
        redrive.pause(engine, running.id, by=ADA, now=NOW)


def test_a_new_rate_holds_from_the_next_claim_on(engine: Engine) -> None:
    store(engine, 30)
    running = run(engine, rate=0.01)
    assert len(take(engine, running.id)) == 1
    assert take(engine, running.id, later_s=1) == []
    redrive.change_pace(engine, running.id, Pace(1_000.0, 3), by=ADA, now=NOW + timedelta(seconds=1))

    assert len(go(engine, running.id, later_s=1.5)) == 2  # three may be in flight, one is
    assert show(engine, running.id).concurrency == 3


def test_nothing_is_sent_before_its_time_nor_outside_of_its_window(engine: Engine) -> None:
    store(engine, 30)
    later = run(engine, manner=Manner(canary=0, starts_at=NOW + timedelta(hours=1), window=Window.parse("04:30-05:00")))

    assert go(engine, later.id, later_s=0) == []
    assert go(engine, later.id, later_s=3_700) == []  # its time has come, and its window opens at 04:30
    assert go(engine, later.id, most=10, later_s=5_500) != []
    assert go(engine, later.id, later_s=7_300) == []


def test_two_redrives_to_one_target_share_its_pace(engine: Engine) -> None:
    ids = store(engine, 60)
    one, other = run(engine, ids[:30], rate=20.0), run(engine, ids[30:], rate=20.0)
    went = 0
    for tick in range(41):
        for each in (one, other) if tick % 2 else (other, one):
            went += len(take(engine, each.id, later_s=tick / 20))

    assert 38 <= went <= 44  # two seconds at 20 a second, not at 40


def test_never_more_than_a_share_of_the_targets_own_concurrency_is_in_flight(engine: Engine) -> None:
    store(engine, 60)
    running = run(engine)
    with write(engine) as session:
        hold(session, [FUNCTION])[FUNCTION].reserved_concurrency = 12

    assert len(go(engine, running.id, later_s=10)) == 6
    assert go(engine, running.id, later_s=20) == []


def test_a_throttled_target_is_sent_to_by_half_and_trusted_again_slowly(engine: Engine) -> None:
    store(engine, 200)
    running = run(engine, manner=AT_ONCE)
    claims = go(engine, running.id, 16)
    busy = Busy("Rate exceeded.", 1.0, 0.0, "concurrency")
    tell(engine, running.id, *(report(each, Outcome.WAITING, busy=busy) for each in claims), later_s=0)

    assert go(engine, running.id, 100, later_s=0.5) == []  # it asked for a second
    assert len(go(engine, running.id, 100, later_s=1.5)) == 8
    assert go(engine, running.id, 100, later_s=1.7) == []
    assert len(go(engine, running.id, 100, later_s=4.5)) == 2  # one more every two seconds
    with read(engine) as session:
        assert session.get_one(models.TargetPace, FUNCTION).width == 8


def test_a_target_that_takes_nothing_for_too_long_trips_it(engine: Engine) -> None:
    store(engine, 20)
    running = run(engine)
    for later_s in (0.0, 120.0, 301.0):
        claims = go(engine, running.id, 1, later_s=later_s)
        busy = Busy("Slow down.", None, 0.0, "rate")
        tell(engine, running.id, *(report(each, Outcome.WAITING, busy=busy) for each in claims), later_s=later_s)

    assert show(engine, running.id).status is RedriveStatus.TRIPPED
    assert "took nothing for 5 minutes" in (show(engine, running.id).held_reason or "")


def test_the_limits_of_a_plans_targets_are_read_and_what_one_will_not_say_is_unknown(engine: Engine) -> None:
    store(engine, 3)
    plan(engine)
    asked: list[str] = []

    class Target(FakeTarget):
        def facts(self) -> TargetFacts:
            asked.append("facts")
            return TargetFacts(timeout_s=30.0, reserved_concurrency=40)

    def denied(*_given: object) -> Target:
        raise TargetRefused("The permission lambda:GetFunctionConfiguration is missing.")

    assert read_limits(engine, lambda *_given: Target(), now=NOW) == 1
    assert read_limits(engine, lambda *_given: Target(), now=NOW + timedelta(seconds=1)) == 0
    with read(engine) as session:
        assert limits_of(session, [FUNCTION])[FUNCTION].reserved_concurrency == 40
    assert read_limits(engine, denied, now=NOW + timedelta(minutes=6)) == 1
    with read(engine) as session:
        assert limits_of(session, [FUNCTION])[FUNCTION].timeout_s is None
    assert len(asked) == 1
