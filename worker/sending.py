"""Sending what running redrives have waiting: claimed just before, in as many calls at once as the settings allow."""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from queue import Empty, SimpleQueue
from time import monotonic

from sqlalchemy import Engine

from deadletter import aws
from deadletter.event import TargetKind
from deadletter.ports import Clock, ObjectSource, ObservedSource, OpenRecords, Target
from deadletter.redrive.answers import unsent
from deadletter.redrive.last_look import LastLook
from deadletter.redrive.sending import Where, batches, record_reports, send, sorted_by_target
from deadletter.redrive.taking import Takers
from deadletter.settings import Settings
from deadletter.store import read, write
from deadletter.store.redrives.claims import Claimed, Running, claim, list_running
from deadletter.store.redrives.outcomes import Report

log = logging.getLogger(__name__)

OpenTarget = Callable[[TargetKind, str, str], Target]

IDLE_S = 0.5
"""How often to look for a redrive to send, when there is none."""

TICK_S = 0.02
"""How long to let the rate gather turns, so that fast redrives are claimed in batches."""

LINGER_S = 0.005
"""How long to wait for further answers once there is one."""

_BATCH = 10
_AFTER_ERROR_S = 0.5


class Sender:
    """Claims, sends and records. One thread calls `turn`; `settings.concurrency` others make the calls.

    What was sent is recorded before anything else is claimed; while the database is away it is kept here.
    """

    def __init__(  # noqa: PLR0913 - what a worker hands on, each by its name
        self,
        engine: Engine,
        settings: Settings,
        *,
        worker: str,
        open_target: OpenTarget,
        clock: Clock,
        open_records: OpenRecords = aws.open_records,
        open_observed: Callable[[str], ObservedSource] = aws.open_source,
        open_objects: Callable[[str], ObjectSource] = aws.open_objects,
    ) -> None:
        self._engine = engine
        self._worker = worker
        self._open_target = open_target
        self._clock = clock
        self._last_look = LastLook(engine, open_records, clock)
        self._takers = Takers(engine, open_observed, open_objects, wait_s=min(1.0, settings.receive_wait_s))
        self._lease_s = settings.lease_s
        self._concurrency = settings.concurrency
        self._calls: SimpleQueue[tuple[float, Where, Sequence[Claimed]]] = SimpleQueue()
        self._done: SimpleQueue[tuple[int, Sequence[Report]]] = SimpleQueue()
        self._unrecorded: dict[int, list[Report]] = defaultdict(list)
        self._in_flight = 0
        self._targets: dict[Where, Target] = {}
        self._last = 0
        self._next_claim = 0.0
        self._stopping = threading.Event()
        self._drained = threading.Event()

    def stop(self) -> None:
        """Claim nothing more."""
        self._stopping.set()

    def wait(self, timeout_s: float) -> bool:
        """Wait until what was claimed is sent and recorded; return whether that was so in time. Call `stop` first."""
        return self._drained.wait(timeout_s)

    def call(self) -> float:
        """Make one call, as soon as there is one to make: the turn of each calling thread."""
        claimed_at, where, claims = self._calls.get()
        # Past its lease a claim may count as unknown, and a person may have sent its event again.
        late = monotonic() - claimed_at > self._lease_s / 2
        reports = [unsent(claimed) for claimed in claims] if late else self._send(where, claims)
        self._done.put((where[0], reports))
        return 0.0

    def turn(self) -> float:
        """Record what is done, then claim what may go now."""
        if self._unrecorded:
            self._record()
        self._takers.tidy(ending=self._stopping.is_set() and not self._in_flight)
        if not self._stopping.is_set():
            self._gather(self._claim())
        elif self._in_flight:
            self._gather(IDLE_S)
        else:
            self._drained.set()
            return IDLE_S
        return 0.0

    def _gather(self, timeout_s: float) -> None:
        """Wait for the first call to come back, then a moment for others: recording one costs as much as ten."""
        if not self._in_flight:
            self._stopping.wait(timeout_s)
        wait_until = monotonic() + timeout_s
        gathered = 0
        with suppress(Empty):
            while gathered < self._in_flight:
                redrive_id, reports = self._done.get(timeout=max(0.0, wait_until - monotonic()))
                self._unrecorded[redrive_id].extend(reports)
                gathered += 1
                wait_until = min(wait_until, monotonic() + LINGER_S)
        self._in_flight -= gathered

    def _record(self) -> None:
        for redrive_id in sorted(self._unrecorded):
            reports = self._unrecorded[redrive_id]
            record_reports(self._engine, redrive_id, reports, worker=self._worker, now=self._clock.now())
            del self._unrecorded[redrive_id]

    def _claim(self) -> float:
        """Claim for each running redrive in turn; return how long until there may be more to claim."""
        if (early_s := self._next_claim - monotonic()) > 0:
            return early_s
        rest_s, now = IDLE_S, self._clock.now()
        with read(self._engine) as session:
            running = list_running(session, now)
        for redrive in self._in_turn(running):
            free = self._concurrency - self._in_flight
            if free <= 0:
                return IDLE_S  # a call that comes back ends the wait
            rest_s = min(rest_s, self._claim_from(redrive, free, now))
        return rest_s

    def _in_turn(self, running: Sequence[Running]) -> list[Running]:
        """Return *running*, starting after the one that was served last, so that none is left out."""
        return sorted(running, key=lambda redrive: (redrive.redrive_id <= self._last, redrive.redrive_id))

    def _claim_from(self, redrive: Running, free: int, now: datetime) -> float:
        if redrive.not_before and redrive.not_before > now:
            return max((redrive.not_before - now).total_seconds(), TICK_S)
        most = free * _BATCH if redrive.batched else free
        with write(self._engine) as session:
            claims = claim(session, redrive.redrive_id, worker=self._worker, most=most, now=now)
        self._last = redrive.redrive_id
        if len(claims) < most:
            self._next_claim = monotonic() + TICK_S
        for where, part in sorted_by_target(claims).items():
            self._submit(where, part)
        return TICK_S

    def _submit(self, where: Where, claims: Sequence[Claimed]) -> None:
        for batch in batches(claims, _BATCH if where[1].kind is TargetKind.SQS else 1):
            self._in_flight += 1
            self._calls.put((monotonic(), where, batch))

    def _send(self, where: Where, claims: Sequence[Claimed]) -> Sequence[Report]:
        try:
            target = self._target(where)
        except Exception as error:
            log.exception("a target cannot be opened", extra={"arn": where[1].arn})
            return [unsent(claimed, because=f"{where[1].arn} cannot be opened: {error}") for claimed in claims]
        return self._takers.send(claims, lambda some: send(some, target, hold_back=self._last_look))

    def _target(self, where: Where) -> Target:
        if where not in self._targets:
            _, target, invocation = where
            self._targets[where] = self._open_target(target.kind, target.arn, invocation)
        return self._targets[where]
