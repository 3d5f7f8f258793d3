"""A worker in this process, on fake sources and targets, that a test starts and that ends with it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pytest
from sqlalchemy import Engine, select

from deadletter import redrive
from deadletter.event import TargetKind, TargetRef
from deadletter.filters import EventFilter
from deadletter.manner import AT_ONCE, Manner
from deadletter.outcome import Outcome
from deadletter.ports import ObservedSource, Source, Target
from deadletter.settings import Settings
from deadletter.store import models, read, write
from deadletter.store.check import recount
from deadletter.store.redrives import get_redrive
from deadletter.store.rows import RedriveRow
from deadletter.store.sources import add_source
from tests.factories import ACCOUNT, ADA, FUNCTION, make_parsed, store_some
from tests.fakes import FakeObjects, FakeSource, FakeTarget
from worker.loop import Doors, Worker
from worker.threads import SystemClock

CLOCK = SystemClock()


@dataclass
class World:
    """A console's database, the queues and targets around it, and workers on them."""

    engine: Engine
    settings: Settings
    sources: dict[str, FakeSource] = field(default_factory=dict)
    objects: dict[str, FakeObjects] = field(default_factory=dict)
    targets: dict[str, FakeTarget] = field(default_factory=dict)
    _running: list[tuple[Worker, threading.Thread]] = field(default_factory=list)

    def add_source(
        self, name: str = "orders-dlq", target: TargetRef | None = None, mode: str | None = None
    ) -> FakeSource:
        arn = ACCOUNT.format("sqs", name)
        with write(self.engine) as session:
            add_source(session, arn, target=target, by=ADA, now=CLOCK.now(), mode=mode)
        return self.sources.setdefault(arn, FakeSource())

    def worker(self, **changes: float) -> Worker:
        doors = Doors(
            open_source=self.open_source,
            open_target=self.open_target,
            open_observed=self.open_observed,
            open_objects=lambda arn: self.objects[arn],
        )
        return Worker(replace(self.settings, **changes), self.engine, doors=doors)

    def start(self, **changes: float) -> Worker:
        """Start a worker that goes on until the test ends."""
        worker = self.worker(**changes)
        thread = threading.Thread(target=worker.run)
        thread.start()
        self._running.append((worker, thread))
        return worker

    def stop(self) -> None:
        for worker, _ in self._running:
            worker.stop()
        for _, thread in self._running:
            thread.join(30)
            assert not thread.is_alive()
        self._running.clear()

    def store_failures(self, count: int) -> None:
        """Store failed events, as if they had been collected."""
        with write(self.engine) as session:
            store_some(session, *(make_parsed() for _ in range(count)))

    def event_ids(self) -> list[int]:
        """Return the ids of all events, in the order of storing."""
        with read(self.engine) as session:
            return list(session.scalars(select(models.Event.id).order_by(models.Event.id)))

    def open_observed(self, arn: str) -> ObservedSource:
        return self.sources.setdefault(arn, FakeSource())

    def open_source(self, arn: str) -> Source:
        return self.sources.setdefault(arn, FakeSource())

    def open_target(self, kind: TargetKind, arn: str, invocation: str) -> Target:
        assert kind in TargetKind
        assert invocation
        return self.targets[arn]

    def run_redrive(
        self,
        *,
        rate: float = 5_000.0,
        target: str | None = FUNCTION,
        manner: Manner = AT_ONCE,
        only: Sequence[int] = (),
    ) -> int:
        """Plan and start a redrive of every event, or of *only* those; return its id."""
        redrive_id = redrive.create_plan(
            self.engine,
            only or EventFilter(),
            target=redrive.parse_target(target) if target else None,
            rate=rate,
            manner=manner,
            asked_by=ADA,
            settings=self.settings,
            now=CLOCK.now(),
        )
        redrive.start(self.engine, redrive_id, digest=self.show(redrive_id).digest, started_by=ADA, now=CLOCK.now())
        return redrive_id

    def show(self, redrive_id: int) -> RedriveRow:
        with read(self.engine) as session:
            return get_redrive(session, redrive_id)

    def ended(self, redrive_id: int) -> RedriveRow:
        """Wait until a redrive has ended."""
        wait_until(lambda: self.show(redrive_id).ended)
        return self.show(redrive_id)


def wait_until(condition: Callable[[], object], timeout_s: float = 60.0) -> None:
    """Wait until *condition* holds in a database that tells nobody when it changes."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to be in time"
        threading.Event().wait(0.02)


def outcomes(row: RedriveRow) -> dict[Outcome, int]:
    """Return how many events of a redrive have each outcome, but for those that none has."""
    counts = {outcome: getattr(row, outcome.value) for outcome in Outcome}
    return {outcome: count for outcome, count in counts.items() if count}


@pytest.fixture
def world(settings: Settings, sqlite_engine: Engine) -> Iterator[World]:
    with living(settings, sqlite_engine) as found:
        yield found


@pytest.fixture
def each_world(settings: Settings, engine: Engine) -> Iterator[World]:
    """A world on SQLite, and one on PostgreSQL."""
    with living(settings, engine) as found:
        yield found


@contextmanager
def living(settings: Settings, engine: Engine) -> Iterator[World]:
    """Stop the workers before the database goes; every count that is kept must be right then."""
    found = World(engine, replace(settings, receive_wait_s=0.1, settle_s=0.0))
    yield found
    found.stop()
    with read(engine) as session:
        assert recount(session) == []
