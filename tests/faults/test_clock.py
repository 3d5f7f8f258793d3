"""Somebody sets the clock, by an hour and more, while a redrive runs: it keeps going, at its rate, and loses nobody."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from deadletter.outcome import Outcome
from tests.faults.conftest import Till
from tests.sandbox_fixture import MakeQueue
from tests.worker.conftest import wait_until
from worker.loop import Worker

ORDERS = [f"ord-{n}" for n in range(40)]


class AdjustableClock:
    """The real time, and what somebody made of it."""

    def __init__(self) -> None:
        self.moved = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.moved


@pytest.mark.usefixtures("aws_env")
@pytest.mark.parametrize("hours", [1, -1])
def test_a_clock_that_is_moved_by_an_hour_stops_nothing_and_makes_nobody_dead(
    till: Till, make_queue: MakeQueue, hours: int
) -> None:
    till.fail(make_queue(), ORDERS)
    redrive_id = till.start(rate=20.0)
    clock = AdjustableClock()
    worker = Worker(till.settings, till.engine, clock=clock)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        wait_until(lambda: len(till.arrived()) > 5, 60.0)
        clock.moved = timedelta(hours=hours)
        till.ended(redrive_id)
    finally:
        worker.stop()
        thread.join(60)

    assert till.keeps_its_promises(redrive_id, ORDERS) == {Outcome.SUCCEEDED: set(ORDERS)}
