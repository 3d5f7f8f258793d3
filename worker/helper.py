"""A helping process: collects what the worker that started it cannot carry alone, and ends with it.

It reads one line a moment from the worker, a JSON list with the ids of the sources that have more than one can carry.
When the pipe ends, the worker has ended, whatever ended it: then the helper finishes what it has in hand, and ends too.
"""

from __future__ import annotations

import json
import logging
import signal
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from types import FrameType

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from deadletter import aws
from deadletter.ports import Clock, Source
from deadletter.pushed import PointingSource
from deadletter.settings import Settings
from deadletter.store import make_engine, read, write
from deadletter.store.ailing import ailment
from deadletter.store.redrives.workers import leave
from deadletter.store.sources import list_sources_with_senders
from worker.activity import Activity, WatchedSource
from worker.collecting import Collector
from worker.committer import Committer
from worker.names import new_name
from worker.readers import way_of
from worker.room import Room
from worker.tending import Heart
from worker.threads import SystemClock, keep_doing

log = logging.getLogger(__name__)

LOOK_EVERY_S = 2.0
"""How often to look what the sources' rows say, while there is something to collect."""


class Helper:
    """Receivers for the sources that the lead names, a committer of its own, and a heartbeat."""

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        *,
        lead: str,
        open_source: Callable[[str], Source] = aws.open_source,
        clock: Clock | None = None,
    ) -> None:
        self.name = new_name()
        self._settings = settings
        self._engine = engine
        self._open_source = open_source
        self._clock: Clock = clock or SystemClock()
        self._activity = Activity()
        self._room = Room()
        self._committer = Committer(engine, self._clock, self._activity)
        self._heart = Heart(engine, settings, worker=self.name, clock=self._clock, activity=self._activity, lead=lead)
        self._collectors: dict[int, Collector] = {}
        self._looked = -LOOK_EVERY_S
        self._receiving = threading.Event()
        self._ended = threading.Event()

    def run(self, orders: Iterable[str]) -> bool:
        """Help as *orders* say, until they end; return whether what was in hand could be finished in time."""
        for turn, name in ((self._heart.turn, "heart"), (self._committer.turn, "committer")):
            keep_doing(turn, name=name, until=self._ended)
        try:
            for line in orders:
                self._follow(json.loads(line))
        except _Told:
            pass
        return self._finish()

    def _follow(self, flowing: Sequence[int]) -> None:
        """Receive from the sources in *flowing*, and from no other."""
        try:
            self._attend(flowing)
        except DBAPIError as error:
            log.warning("a helper waits for its database", extra={"ailment": ailment(error)})

    def _attend(self, flowing: Sequence[int]) -> None:
        if flowing and time.monotonic() - self._looked > LOOK_EVERY_S:
            self._look_for_sources()
        for source_id, collector in self._collectors.items():
            collector.let_flow(source_id in flowing)

    def _look_for_sources(self) -> None:
        self._looked = time.monotonic()
        with read(self._engine) as session:
            rows = list_sources_with_senders(session, now=self._clock.now())
        for row in rows:
            if way_of(row) != "receive":
                continue
            if row.id in self._collectors:
                self._collectors[row.id].row = row
            else:
                self._collectors[row.id] = Collector(
                    row,
                    open_source=self._watched,
                    committer=self._committer,
                    engine=self._engine,
                    clock=self._clock,
                    wait_s=0.0,
                    room=self._room,
                )
                self._collectors[row.id].start(self._settings.receivers, self._receiving, leads=False)

    def _watched(self, arn: str) -> Source:
        source = self._open_source(arn)
        pointing = PointingSource(source, self._engine, open_objects=aws.open_objects, clock=self._clock)
        return WatchedSource(pointing, arn, self._activity)

    def _finish(self) -> bool:
        self._receiving.set()
        deadline = time.monotonic() + self._settings.stop_within_s
        collectors = self._collectors.values()
        waited = [collector.wait(max(0.0, deadline - time.monotonic())) for collector in collectors]
        if not all(waited):
            held = sum(collector.in_hand for collector in collectors)
            log.warning("a helper ends with messages in hand: they come again", extra={"receives": held})
        self._ended.set()
        try:
            with write(self._engine) as session:
                leave(session, self.name)
        except DBAPIError as error:
            log.warning("a helper could not sign off: it is listed as lost", extra={"ailment": ailment(error)})
        return all(waited)


class _Told(Exception):
    """SIGTERM or SIGINT, wherever the main thread waits."""


def run(settings: Settings, orders: Iterable[str], *, lead: str) -> int:
    """Run a helper of the worker *lead*; return the process's exit status."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        raise _Told

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    aws.use_roles({role.account: role.arn for role in settings.roles})
    return 0 if Helper(settings, make_engine(settings), lead=lead).run(orders) else 1
