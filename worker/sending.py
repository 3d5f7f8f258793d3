"""Sending what running redrives have waiting: claimed just before, in as many calls at once as the settings allow."""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from time import monotonic

from sqlalchemy import Engine

from deadletter import aws
from deadletter.event import TargetKind
from deadletter.ports import Clock, ObjectSource, ObservedSource, OpenRecords, Target
from deadletter.redrive.allowing import Gate
from deadletter.redrive.answers import unsent
from deadletter.redrive.last_look import LastLook
from deadletter.redrive.sending import Where, batches, record_reports, send, sorted_by_target
from deadletter.redrive.taking import Takers
from deadletter.settings import Settings
from deadletter.store import read, write
from deadletter.store.redrives.claims import Claimed, Running, claim, list_running
from deadletter.store.redrives.outcomes import Report
from worker.calling import Calls

log = logging.getLogger(__name__)

OpenTarget = Callable[[TargetKind, str, str], Target]

IDLE_S = 0.5
"""How often to look for a redrive to send, when there is none."""

TICK_S = 0.02
"""How long to let the rate gather turns, so that fast redrives are claimed in batches."""

REST_S = 0.1
"""How long to leave a redrive alone that let nothing go, unless an answer to it comes."""

_BATCH = 10


class Sender:
    """Claims, sends and records: one thread calls `turn`, the calls are made by threads of their own.

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
        self._gate = Gate(engine, settings.allowed_targets, then=LastLook(engine, open_records, clock))
        self._takers = Takers(engine, open_observed, open_objects, wait_s=min(1.0, settings.receive_wait_s))
        self._lease_s = settings.lease_s
        self._calls = Calls(self._make_call, each=settings.concurrency)
        self._unrecorded: dict[int, list[Report]] = defaultdict(list)
        self._targets: dict[Where, Target] = {}
        self._rests_until: dict[int, float] = {}
        self._stopping = threading.Event()
        self._drained = threading.Event()

    def stop(self) -> None:
        """Claim nothing more."""
        self._stopping.set()

    def wait(self, timeout_s: float) -> bool:
        """Wait until what was claimed is sent and recorded; return whether that was so in time. Call `stop` first."""
        return self._drained.wait(timeout_s)

    def turn(self) -> float:
        """Record what is done, then claim what may go now."""
        if self._unrecorded:
            self._record()
        self._takers.tidy(ending=self._stopping.is_set() and not self._calls.out)
        if not self._stopping.is_set():
            self._gather(self._claim())
        elif self._calls.out:
            self._gather(IDLE_S)
        else:
            self._calls.close()
            self._drained.set()
            return IDLE_S
        return 0.0

    def _gather(self, timeout_s: float) -> None:
        if not self._calls.out:
            self._stopping.wait(timeout_s)
        for redrive_id, reports in self._calls.gather(timeout_s):
            self._unrecorded[redrive_id].extend(reports)
            self._rests_until.pop(redrive_id, None)

    def _record(self) -> None:
        for redrive_id in sorted(self._unrecorded):
            reports = self._unrecorded[redrive_id]
            record_reports(self._engine, redrive_id, reports, worker=self._worker, now=self._clock.now())
            del self._unrecorded[redrive_id]

    def _claim(self) -> float:
        """Claim for each running redrive; return how long until there may be more to claim."""
        now = self._clock.now()
        with read(self._engine) as session:
            running = self._ours(list_running(session, now))
        among = sum(len(redrive.targets) for redrive in running)
        return min((self._claim_from(redrive, among, now) for redrive in running), default=IDLE_S)

    def _ours(self, running: Sequence[Running]) -> Sequence[Running]:
        """Return those of *running* that are to be sent here: all of them."""
        return running

    def _claim_from(self, redrive: Running, among: int, now: datetime) -> float:
        if redrive.not_before and redrive.not_before > now:
            return max((redrive.not_before - now).total_seconds(), TICK_S)
        if (rests_s := self._rests_until.get(redrive.redrive_id, 0.0) - monotonic()) > 0:
            return rests_s
        rooms = self._rooms(redrive, among)
        if not any(rooms.values()):
            return IDLE_S  # a call that comes back ends the wait
        most = sum(rooms.values())
        with write(self._engine) as session:
            claims = claim(session, redrive.redrive_id, worker=self._worker, most=most, rooms=rooms, now=now)
        self._rests_until[redrive.redrive_id] = monotonic() + (TICK_S if claims else REST_S)
        for where, part in sorted_by_target(claims).items():
            self._submit(where, part)
        return TICK_S

    def _rooms(self, redrive: Running, among: int) -> Mapping[str, int]:
        """Return how many more events of *redrive* may be on their way to each of its targets, by ARN."""
        return {
            target.arn: self._calls.free(redrive.redrive_id, target.arn, among=among) * _batch_size(target.kind)
            for target in redrive.targets
        }

    def _submit(self, where: Where, claims: Sequence[Claimed]) -> None:
        for batch in batches(claims, _batch_size(where[1].kind)):
            self._calls.submit(where, batch)

    def _make_call(self, claimed_at: float, where: Where, claims: Sequence[Claimed]) -> Sequence[Report]:
        # Past its lease a claim may count as unknown, and a person may have sent its event again.
        late = monotonic() - claimed_at > self._lease_s / 2
        return [unsent(claimed) for claimed in claims] if late else self._send(where, claims)

    def _send(self, where: Where, claims: Sequence[Claimed]) -> Sequence[Report]:
        try:
            target = self._target(where)
        except Exception as error:
            log.exception("a target cannot be opened", extra={"arn": where[1].arn})
            return [unsent(claimed, because=f"{where[1].arn} cannot be opened: {error}") for claimed in claims]
        return self._takers.send(claims, lambda some: send(some, target, hold_back=self._gate))

    def _target(self, where: Where) -> Target:
        if where not in self._targets:
            _, target, invocation = where
            self._targets[where] = self._open_target(target.kind, target.arn, invocation)
        return self._targets[where]


def _batch_size(kind: TargetKind) -> int:
    """Return how many events one call to a target of *kind* carries."""
    return _BATCH if kind is TargetKind.SQS else 1
