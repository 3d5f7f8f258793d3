"""What a worker does by the clock: it says that it lives, lets redrives settle, and looks how full the sources are."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from time import monotonic

from sqlalchemy import Engine

from deadletter.errors import NetworkError
from deadletter.ports import Clock, Source
from deadletter.redrive.limits import read_limits
from deadletter.redrive.settling import ask_settling_time
from deadletter.settings import Settings
from deadletter.store import read, write
from deadletter.store.redrives.tending import list_open, tend
from deadletter.store.redrives.workers import heartbeat
from deadletter.store.rows import SourceRow
from deadletter.store.sources import list_sources, note_state
from worker.activity import Activity
from worker.sending import OpenTarget

log = logging.getLogger(__name__)

TEND_EVERY_S = 1.0
STATE_EVERY_S = 15.0
MOVED_S = 2.0
"""A clock that went so much more or less than time itself was moved."""

_MOST = 1_000
_DOING = {False: "collecting and redriving", True: "helping to collect"}


class Heart:
    """Says every quarter of the lease that the worker lives."""

    def __init__(  # noqa: PLR0913 - what it says, each by its name
        self,
        engine: Engine,
        settings: Settings,
        *,
        worker: str,
        clock: Clock,
        activity: Activity | None = None,
        lead: str | None = None,
    ) -> None:
        self._engine = engine
        self._activity = activity or Activity()
        self._lead = lead
        self._every_s = min(settings.lease_s / 4, 5.0)
        self._worker = worker
        self._clock = clock
        self._started_at: datetime = clock.now()

    def turn(self) -> float:
        """Beat once."""
        with write(self._engine) as session:
            heartbeat(
                session,
                self._worker,
                started_at=self._started_at,
                now=self._clock.now(),
                doing=_DOING[self._lead is not None],
                lead=self._lead,
                activity=self._activity.snapshot(),
            )
        return self._every_s


class Tender:
    """Lets time do its work on redrives: silence becomes success, dead workers leave `unknown`, ends are noted."""

    def __init__(self, engine: Engine, settings: Settings, *, open_target: OpenTarget, clock: Clock) -> None:
        self._engine = engine
        self._settings = settings
        self._open_target = open_target
        self._clock = clock
        self._asked: set[int] = set()
        self._before = clock.now(), monotonic()
        self._trusted_from = 0.0

    def turn(self) -> float:
        """Tend every redrive that is open."""
        lease_s = self._lease_s()
        with read(self._engine) as session:
            redrive_ids = list_open(session)
        changed = 0
        for redrive_id in redrive_ids:
            self._ask(redrive_id)
            with write(self._engine) as session:
                changed += tend(session, redrive_id, lease_s=lease_s, now=self._clock.now())
        return 0.0 if changed >= _MOST else TEND_EVERY_S

    def _lease_s(self) -> float | None:
        """Return how long a worker may be silent; None for a while after the clock was moved.

        Then the heartbeats before are no measure for who lives: every living worker writes another one first.
        """
        (said, ticks), self._before = self._before, (self._clock.now(), monotonic())
        moved_s = (self._before[0] - said).total_seconds() - (self._before[1] - ticks)
        if abs(moved_s) > MOVED_S:
            log.warning("the clock was moved", extra={"by_s": round(moved_s, 1)})
            self._trusted_from = monotonic() + self._settings.lease_s
        return self._settings.lease_s if monotonic() >= self._trusted_from else None

    def _ask(self, redrive_id: int) -> None:
        """Ask once for the settling time, unless the settings say it."""
        if redrive_id in self._asked or self._settings.settle_s is not None:
            return
        self._asked.add(redrive_id)
        try:
            ask_settling_time(self._engine, redrive_id, self._open_target)
        except NetworkError:
            log.warning("the targets do not say their settling time", exc_info=True, extra={"redrive": redrive_id})


class Asker:
    """Asks the targets of plans and redrives for their own limits, away from everything that must not wait for it."""

    def __init__(self, engine: Engine, *, open_target: OpenTarget, clock: Clock) -> None:
        self._engine = engine
        self._open_target = open_target
        self._clock = clock

    def turn(self) -> float:
        """Ask those that nobody asked lately."""
        read_limits(self._engine, self._open_target, now=self._clock.now())
        return TEND_EVERY_S


class Gauge:
    """Reads how full each source is."""

    def __init__(self, engine: Engine, *, open_source: Callable[[str], Source], clock: Clock) -> None:
        self._engine = engine
        self._open_source = open_source
        self._clock = clock
        self._sources: dict[int, Source] = {}

    def turn(self) -> float:
        """Look at every source once. One that will not say is left out: receiving from it tells why."""
        with read(self._engine) as session:
            rows = list_sources(session, now=self._clock.now())
        for row in rows:
            if row.kind == "sqs":  # a bucket and what pushes do not say how full they are
                self._look(row)
        return STATE_EVERY_S

    def _look(self, row: SourceRow) -> None:
        try:
            if row.id not in self._sources:
                self._sources[row.id] = self._open_source(row.arn)
            state = self._sources[row.id].state()
        except NetworkError as error:
            log.info("a source does not say how full it is", extra={"arn": row.arn, "error": str(error)})
            return
        with write(self._engine) as session:
            note_state(session, row.id, state, self._clock.now())
