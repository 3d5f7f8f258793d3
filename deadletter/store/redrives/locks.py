"""One redrive, locked: who changes it or its items holds its row first, so that its counters are always right."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from deadletter.errors import NotFound
from deadletter.outcome import HELD, Outcome, RedriveStatus
from deadletter.store import models
from deadletter.store.redrives.care import decide


def lock(session: Session, redrive_id: int) -> models.Redrive:
    """Return the redrive as it is now; nobody else changes it before the transaction ends. Raises NotFound.

    (On SQLite the whole transaction holds the one write lock already.)
    """
    session.flush()  # what this transaction has changed already must not be overwritten by what it reads
    redrive = session.get(models.Redrive, redrive_id, with_for_update=True, populate_existing=True)
    if redrive is None:
        message = f"There is no redrive {redrive_id}."
        raise NotFound(message)
    return redrive


def shift(redrive: models.Redrive, before: Outcome, after: Outcome, n: int = 1) -> None:
    """Move *n* items from one counter of a locked redrive to another."""
    for outcome, change in ((before, -n), (after, n)):
        name = f"n_{outcome.value}"
        setattr(redrive, name, getattr(redrive, name) + change)


_OPEN = frozenset({RedriveStatus.RUNNING, RedriveStatus.WATCHING, *HELD})


def advance(redrive: models.Redrive, now: datetime) -> None:
    """Let a locked redrive go on to its next step, trip, or go on to `watching` or `finished` when its row says so."""
    decide(redrive, now)
    if redrive.status not in _OPEN or redrive.n_waiting or redrive.n_sending:
        return
    redrive.sent_all_at = redrive.sent_all_at or now
    if redrive.n_sent:
        redrive.status = RedriveStatus.WATCHING
    else:
        redrive.status, redrive.finished_at = RedriveStatus.FINISHED, now
