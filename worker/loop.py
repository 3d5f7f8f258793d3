"""The worker: collects from every source and sends every running redrive, until it is told to stop."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import FrameType

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from deadletter import aws
from deadletter.event import TargetKind
from deadletter.outcome import RedriveStatus
from deadletter.ports import Clock, Lookups, ObjectSource, ObservedSource, Source, Target
from deadletter.pushed import PointingSource
from deadletter.scouting import Scout
from deadletter.settings import Settings
from deadletter.store import make_engine, read, upgrade, write
from deadletter.store.ailing import ailment
from deadletter.store.redrives import list_redrives
from deadletter.store.redrives.tending import list_open
from deadletter.store.redrives.workers import SECOND_ON_SQLITE, brings_nothing, leave
from deadletter.store.rows import SourceRow
from deadletter.store.sources import list_sources_with_senders
from deadletter.visits import ObjectVisit, ObservedVisit, Pace, Visit
from worker.activity import Activity, WatchedSource, WatchedTarget
from worker.collecting import Collector
from worker.committer import Committer
from worker.expiring import Expirer
from worker.fetching import Fetcher
from worker.helpers import Helpers, start_helper
from worker.names import new_name
from worker.readers import Readers
from worker.room import Room
from worker.sending import OpenTarget, Sender
from worker.tending import Asker, Gauge, Heart, Tender
from worker.threads import SystemClock, keep_doing
from worker.visiting import Visitor

log = logging.getLogger(__name__)

LOOK_EVERY_S = 2.0
"""How often to look for sources that were added."""


@dataclass(frozen=True, slots=True)
class Doors:
    """How to open what is outside: sources, targets, and what is visited instead of received from. By ARN."""

    open_source: Callable[[str], Source] = aws.open_source
    open_target: OpenTarget = aws.open_target
    open_lookups: Callable[[], Lookups] = aws.open_lookups
    open_observed: Callable[[str], ObservedSource] = aws.open_source
    open_objects: Callable[[str], ObjectSource] = aws.open_objects


class Worker:
    """One worker process: threads for receiving, storing, sending, settling and the heartbeat.

    Args:
        settings: How many receivers and calls at once, how long to wait.
        engine: The database.
        doors: How to open what is outside.
        clock: The time.
    """

    def __init__(
        self, settings: Settings, engine: Engine, *, doors: Doors | None = None, clock: Clock | None = None
    ) -> None:
        self.name = new_name()
        self._settings = settings
        self._engine = engine
        self._doors = doors or Doors()
        self._clock: Clock = clock or SystemClock()
        self._activity = Activity()
        self._room = Room()
        self._receiving = threading.Event()  # set: no more receives, no more claims
        self._ended = threading.Event()  # set: what was in hand is done, everything stops
        self._committer = Committer(engine, self._clock, self._activity)
        self._sender = self._make_sender()
        self._fetcher = Fetcher(
            engine, open_lookups=self._doors.open_lookups, clock=self._clock, stopping=self._stopping
        )
        self._readers = Readers(settings.receivers, collector=self._collector, visitor=self._visitor)
        self._helpers = Helpers(settings.processes - 1, start=partial(start_helper, self.name), flowing=self._flowing)

    def stop(self) -> None:
        """Take and send nothing more; `run` returns once what is in hand is finished."""
        self._sender.stop()
        self._receiving.set()
        self._readers.stop()

    def _make_sender(self) -> Sender:
        return Sender(
            self._engine,
            self._settings,
            worker=self.name,
            open_target=self._watched_target,
            clock=self._clock,
            open_observed=self._doors.open_observed,
            open_objects=self._doors.open_objects,
        )

    def _watched_target(self, kind: TargetKind, arn: str, invocation: str) -> Target:
        return WatchedTarget(self._doors.open_target(kind, arn, invocation), arn, self._activity)

    def _watched_source(self, arn: str) -> Source:
        source, objects = self._doors.open_source(arn), self._doors.open_objects
        return WatchedSource(
            PointingSource(source, self._engine, open_objects=objects, clock=self._clock), arn, self._activity
        )

    def _flowing(self) -> list[int]:
        return [collector.row.id for collector in self._readers.collectors if collector.flows]

    def run(self, *, once: bool = False) -> bool:
        """Work until `stop`; *once*: until every source is empty and every redrive has ended.

        Returns:
            Whether everything went well: False when a source errs at the end of *once*, or when what was in hand could
            not be finished in time.
        """
        log.info("the worker starts", extra={"worker": self.name})
        self._start()
        self._say_if_second()
        while not self._receiving.wait(0.2 if once else LOOK_EVERY_S):
            if self._look(once=once):
                break
        self.stop()
        well = self._finish()
        log.info("the worker ends", extra={"worker": self.name, "finished": well})
        return well and not (once and self._readers.errs)

    def _start(self) -> None:
        heart = Heart(self._engine, self._settings, worker=self.name, clock=self._clock, activity=self._activity)
        heart.turn()  # before the first claim: what is claimed by nobody known to live becomes `unknown`
        turns = {"heart": heart.turn, "committer": self._committer.turn, "sender": self._sender.turn}
        for name, turn in (turns | self._by_the_clock()).items():
            keep_doing(turn, name=name, until=self._ended)
        self._helping = keep_doing(self._helpers.turn, name="helpers", until=self._receiving)
        self._look_for_sources()

    def _by_the_clock(self) -> dict[str, Callable[[], float]]:
        """Return what is done now and then, whatever comes and goes."""
        engine, clock, open_target = self._engine, self._clock, self._doors.open_target
        self._scout = Scout(engine, self._settings, self.name, clock, self._stopping)
        return {
            "tender": Tender(engine, self._settings, open_target=open_target, clock=clock).turn,
            "asker": Asker(engine, open_target=open_target, clock=clock).turn,
            "gauge": Gauge(engine, open_source=self._doors.open_source, clock=clock).turn,
            "fetcher": self._fetcher.turn,
            "expirer": Expirer(engine, clock=clock, stopping=self._stopping).turn,
            "scout": self._discover,
        }

    def _say_if_second(self) -> None:
        with read(self._engine) as session:
            second = brings_nothing(session, self.name, lease_s=self._settings.lease_s, now=self._clock.now())
        if second:
            log.warning(SECOND_ON_SQLITE, extra={"worker": self.name})

    def _stopping(self) -> bool:
        return self._receiving.is_set()

    def _discover(self) -> float:
        return 0.0 if not self._stopping() and self._scout.turn() else LOOK_EVERY_S

    def _look(self, *, once: bool) -> bool:
        """Look for new sources, and, with *once*, whether all is done. A database that is away is waited for."""
        try:
            self._look_for_sources()
            return once and self._all_done()
        except DBAPIError as error:
            log.exception("the worker waits for its database", extra={"ailment": ailment(error)})
            return False

    def _look_for_sources(self) -> None:
        with read(self._engine) as session:
            rows = list_sources_with_senders(session, now=self._clock.now())
        self._readers.follow(rows)

    def _collector(self, row: SourceRow) -> Collector:
        return Collector(
            row,
            open_source=self._watched_source,
            committer=self._committer,
            engine=self._engine,
            clock=self._clock,
            wait_s=self._settings.receive_wait_s,
            room=self._room,
        )

    def _visitor(self, row: SourceRow) -> Visitor:
        return Visitor(row, open_visit=self._visit, engine=self._engine, clock=self._clock)

    def _visit(self, row: SourceRow, stopping: Callable[[], bool]) -> Visit:
        if row.kind == "s3":
            return ObjectVisit(self._engine, self._doors.open_objects(row.arn), clock=self._clock, stopping=stopping)
        source = self._doors.open_observed(row.arn)
        pace = Pace(wait_s=min(1.0, self._settings.receive_wait_s))
        return ObservedVisit(self._engine, source, clock=self._clock, stopping=stopping, pace=pace)

    def _all_done(self) -> bool:
        if not self._readers.idle or not self._fetcher.is_done():
            return False
        with read(self._engine) as session:
            running = list_redrives(session, status=RedriveStatus.RUNNING, limit=1).rows
            return not running and not list_open(session)

    def _finish(self) -> bool:
        """Finish what is in hand; return whether that was possible in time."""
        deadline = time.monotonic() + self._settings.stop_within_s
        self._helping.join()
        self._helpers.stop()
        waits = [self._sender.wait, *self._readers.waits, self._helpers.wait]
        unfinished = [wait for wait in waits if not wait(max(0.0, deadline - time.monotonic()))]
        self._ended.set()
        if unfinished:
            log.warning("the worker ends with work in hand", extra={"worker": self.name, "left": self._left()})
            return False
        try:
            with write(self._engine) as session:
                leave(session, self.name)
        except DBAPIError as error:
            log.warning("the worker could not sign off: it is listed as lost", extra={"ailment": ailment(error)})
        return True

    def _left(self) -> list[str]:
        """Return what is in hand, and what becomes of it, as sentences."""
        held = {one.row.name: one.in_hand for one in self._readers.collectors if one.in_hand}
        receives = [
            f"{n} receives of {name} are not deleted there: what they hold comes again." for name, n in held.items()
        ]
        calls = [f"{n} calls to {arn} are out: their events become unknown." for arn, n in self._activity.calls.items()]
        return receives + calls


def run(settings: Settings, *, once: bool = False) -> int:
    """Run a worker on the settings' database until SIGTERM or SIGINT; return the process's exit status."""
    upgrade(settings)
    aws.use_roles({role.account: role.arn for role in settings.roles})
    engine = make_engine(settings)
    worker = Worker(settings, engine)

    def stop(_number: int, _frame: FrameType | None) -> None:
        worker.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    return 0 if worker.run(once=once) or not once else 1
