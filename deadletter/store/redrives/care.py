"""The breaker at work: what was seen is remembered in the redrive's own row, and decides in the same transaction."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import object_session

from deadletter import breaker
from deadletter.actor import WORKER
from deadletter.breaker import Seen, Stage, Standing, Step, Trip
from deadletter.hours import Window
from deadletter.outcome import Outcome, RedriveStatus
from deadletter.store.audit import note
from deadletter.store.models import Redrive

_SEEN = {Outcome.SUCCEEDED: Seen.SUCCEEDED, Outcome.UNKNOWN: Seen.UNKNOWN}


def begin(redrive: Redrive) -> None:
    """Let a locked redrive begin, or begin again, with its canary."""
    redrive.recent, redrive.throttled_since = "", None
    _take(redrive, breaker.first_step(redrive.canary, redrive.n_waiting))


def saw(redrive: Redrive, outcome: Outcome, n: int = 1, *, same_cause: bool = False, refused: bool = False) -> None:
    """Remember the outcome of *n* events of a locked redrive; what says nothing about the target is left out."""
    letter = _SEEN.get(outcome)
    if outcome is Outcome.FAILED_AGAIN:
        letter = Seen.SAME if same_cause else Seen.FAILED
    elif refused:
        letter = Seen.REFUSED
    if letter:
        redrive.recent = breaker.remember(redrive.recent, letter * n)


def decide(redrive: Redrive, now: datetime) -> None:
    """Let a locked redrive that runs go on to its next step, or trip, when what it saw says so."""
    if redrive.status != RedriveStatus.RUNNING:
        return
    decision = breaker.decide(_standing(redrive, now))
    if isinstance(decision, Step):
        _take(redrive, decision)
    elif isinstance(decision, Trip):
        redrive.status, redrive.held_reason = RedriveStatus.TRIPPED, decision.reason
        redrive.held_at, redrive.held_by = now, None
        if session := object_session(redrive):
            note(session, WORKER, "trip", "redrive", redrive.id, details={"reason": decision.reason}, now=now)


def room(redrive: Redrive) -> int:
    """Return how many more events may be claimed now: by its step, and by how many may be in flight."""
    left = redrive.n_waiting - redrive.kept_back
    return max(0, left if redrive.concurrency is None else min(left, redrive.concurrency - redrive.n_sending))


def closed_until(starts_at: datetime | None, window: str | None, now: datetime) -> datetime | None:
    """Return until when nothing is sent, by a redrive's start time and its daily window; None while it may be sent."""
    if starts_at and starts_at > now:
        return max(starts_at, _opening(window, starts_at) or starts_at)
    return _opening(window, now)


def _opening(window: str | None, at: datetime) -> datetime | None:
    return Window.parse(window).next_opening(at) if window else None


def _take(redrive: Redrive, step: Step) -> None:
    redrive.stage, redrive.step = step.stage.value, step.size
    redrive.kept_back = max(0, redrive.n_waiting - step.size) if step.size else 0


def _standing(redrive: Redrive, now: datetime) -> Standing:
    throttled_s = (now - redrive.throttled_since).total_seconds() if redrive.throttled_since else 0.0
    return Standing(
        stage=Stage(redrive.stage),
        step=redrive.step,
        recent=redrive.recent,
        max_failures=redrive.max_failures,
        rate=redrive.rate,
        waiting=redrive.n_waiting,
        at_rest=redrive.n_waiting <= redrive.kept_back and not (redrive.n_sending or redrive.n_sent),
        throttled_s=throttled_s,
    )
