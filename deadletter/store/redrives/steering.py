"""Holding a redrive, letting it go on, and changing its pace, on its locked row."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from deadletter.errors import IllegalMove
from deadletter.manner import Pace
from deadletter.outcome import HELD, RedriveStatus
from deadletter.store.redrives.care import begin
from deadletter.store.redrives.locks import advance, lock

_STEERABLE = frozenset({RedriveStatus.PLANNED, RedriveStatus.RUNNING, *HELD})


def pause(session: Session, redrive_id: int, by: str, now: datetime) -> None:
    """Hold a redrive that runs. Raises NotFound, IllegalMove."""
    redrive = lock(session, redrive_id)
    if redrive.status != RedriveStatus.RUNNING:
        raise IllegalMove(f"Redrive {redrive_id} is {redrive.status}, so there is no sending to pause.")
    redrive.status, redrive.held_at, redrive.held_by, redrive.held_reason = RedriveStatus.PAUSED, now, by, None


def resume(session: Session, redrive_id: int, now: datetime) -> None:
    """Let a held redrive run: a paused one from where it was, a tripped one with a new canary. Raises as `pause`."""
    redrive = lock(session, redrive_id)
    if redrive.status not in HELD:
        raise IllegalMove(f"Redrive {redrive_id} is {redrive.status}, so there is nothing to resume.")
    if redrive.status == RedriveStatus.TRIPPED:
        begin(redrive)
    redrive.status, redrive.throttled_since = RedriveStatus.RUNNING, None
    redrive.held_at = redrive.held_by = redrive.held_reason = None
    advance(redrive, now)


def change_pace(session: Session, redrive_id: int, pace: Pace, now: datetime) -> None:
    """Change how fast a redrive goes, from the next claim on. Raises NotFound, IllegalMove."""
    redrive = lock(session, redrive_id)
    if redrive.status not in _STEERABLE:
        raise IllegalMove(f"Redrive {redrive_id} is {redrive.status}: it sends nothing any more, at whatever rate.")
    redrive.rate, redrive.concurrency = pace.rate, pace.concurrency
    if redrive.next_send_at:  # a turn given at a slow rate may be minutes away
        redrive.next_send_at = min(redrive.next_send_at, now + timedelta(seconds=1 / pace.rate))
