"""One slice of a redrive: sent for as long as there is time, with everything recorded before the time ends."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Engine

from deadletter.errors import NotFound, RedriveError
from deadletter.event import TargetKind
from deadletter.outcome import Outcome, RedriveStatus
from deadletter.ports import Clock
from deadletter.redrive.sending import Where
from deadletter.settings import Settings
from deadletter.store import read, write
from deadletter.store.redrives import get_redrive
from deadletter.store.redrives.claims import Claimed, Running, list_running
from deadletter.store.redrives.outcomes import Report
from deadletter.store.redrives.workers import leave
from deadletter.store.rows import RedriveRow
from worker.names import new_name
from worker.sending import OpenTarget, Sender
from worker.tending import Heart
from worker.threads import keep_doing

log = logging.getLogger(__name__)

SPARE_S = 10.0
"""What recording takes at the very end, generously."""

UNKNOWN_TIMEOUT_S = 60.0
"""How long a target may take to answer that does not tell its timeout."""

NOT_WORTH_WAITING_S = 20.0
"""A redrive that may send nothing for longer than that is left to a later slice."""


@dataclass(frozen=True, slots=True)
class Slice:
    """What came of a slice: events by outcome, and how many seconds until the rest is due (None: nothing is left)."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    rest_in_s: float | None = None


class _Sender(Sender):
    """A sender of one redrive, that counts what it sends."""

    redrive_id = 0
    counted: Counter[Outcome]

    def _ours(self, running: Sequence[Running]) -> Sequence[Running]:
        return [redrive for redrive in running if redrive.redrive_id == self.redrive_id]

    def _send(self, where: Where, claims: Sequence[Claimed]) -> Sequence[Report]:
        reports = super()._send(where, claims)
        self.counted.update(report.outcome for report in reports)
        return reports


def send_slice(  # noqa: PLR0913 - the doors to the world, each by its name
    engine: Engine,
    settings: Settings,
    redrive_id: int,
    *,
    left_s: Callable[[], float],
    open_target: OpenTarget,
    clock: Clock,
) -> Slice:
    """Send of one redrive what its rate lets go, until it has nothing to send or *left_s* says that time runs out.

    It claims nothing more once a call could outlast the time, so that nothing it claimed becomes `unknown`.
    """
    row = _running(engine, redrive_id)
    if row is None:
        return Slice()
    name = new_name()
    needed_s = min(longest_answer_s(row, open_target) + SPARE_S, left_s() / 2)
    sender = _Sender(engine, settings, worker=name, open_target=open_target, clock=clock)
    sender.redrive_id, sender.counted = redrive_id, Counter()
    heart = Heart(engine, settings, worker=name, clock=clock)
    heart.turn()  # before the first claim: what is claimed by nobody known to live becomes `unknown`
    ended = threading.Event()
    keep_doing(heart.turn, name="heart", until=ended)
    try:
        while left_s() > needed_s and _due_in_s(engine, redrive_id, clock) is not None:
            sender.turn()
        sender.stop()
        while not sender.wait(0):
            sender.turn()
    finally:
        ended.set()
    with write(engine) as session:
        leave(session, name)
    return Slice(sender.counted, rest_in_s(engine, redrive_id, clock))


def longest_answer_s(row: RedriveRow, open_target: OpenTarget) -> float:
    """Return how long a call to any of the redrive's targets may take, in seconds: a function's timeout."""
    times = [
        _timeout_s(open_target, line["arn"], line["invocation"])
        for line in row.targets
        if line["kind"] == TargetKind.LAMBDA and line["invocation"] == "RequestResponse"
    ]
    return max(times, default=UNKNOWN_TIMEOUT_S / 4)


def rest_in_s(engine: Engine, redrive_id: int, clock: Clock) -> float | None:
    """Return in how many seconds the redrive may send again; None where it has nothing to send."""
    now = clock.now()
    with read(engine) as session:
        found = [each for each in list_running(session, now) if each.redrive_id == redrive_id]
    if not found:
        return None
    return max((found[0].not_before - now).total_seconds(), 0.0) if found[0].not_before else 0.0


def _due_in_s(engine: Engine, redrive_id: int, clock: Clock) -> float | None:
    """Return in how many seconds it may send again; None where that is not worth waiting for."""
    rest = rest_in_s(engine, redrive_id, clock)
    return None if rest is None or rest > NOT_WORTH_WAITING_S else rest


def _running(engine: Engine, redrive_id: int) -> RedriveRow | None:
    try:
        with read(engine) as session:
            row = get_redrive(session, redrive_id)
    except NotFound:
        log.warning("a slice of a redrive that is not there", extra={"redrive": redrive_id})
        return None
    return row if row.status == RedriveStatus.RUNNING else None


def _timeout_s(open_target: OpenTarget, arn: str, invocation: str) -> float:
    try:
        return open_target(TargetKind.LAMBDA, arn, invocation).facts().timeout_s or UNKNOWN_TIMEOUT_S
    except RedriveError:
        log.warning("a target does not say its timeout", exc_info=True, extra={"arn": arn})
        return UNKNOWN_TIMEOUT_S
