"""A person's hand on a redrive under way: hold it, let it go on, make it faster or slower."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from deadletter.actor import Actor
from deadletter.manner import Pace
from deadletter.store import write
from deadletter.store.audit import note
from deadletter.store.redrives import get_redrive, steering
from deadletter.store.rows import RedriveRow


def pause(engine: Engine, redrive_id: int, *, by: Actor, now: datetime) -> RedriveRow:
    """Send nothing more of it until somebody resumes it; what is on its way still gets its outcome.

    Raises:
        NotFound: There is no such redrive.
        IllegalMove: It does not run.
    """
    with _written(engine, redrive_id, "pause", by=by, now=now) as (session, rows):
        steering.pause(session, redrive_id, by.name, now)
    return rows[0]


def resume(engine: Engine, redrive_id: int, *, by: Actor, now: datetime) -> RedriveRow:
    """Let a paused redrive go on where it was, and one that tripped begin again with its canary.

    Raises:
        NotFound: There is no such redrive.
        IllegalMove: It is neither paused nor tripped.
    """
    with _written(engine, redrive_id, "resume", by=by, now=now) as (session, rows):
        steering.resume(session, redrive_id, now)
    return rows[0]


def change_pace(engine: Engine, redrive_id: int, pace: Pace, *, by: Actor, now: datetime) -> RedriveRow:
    """Let it go at *pace* from now on: the next claim of every worker keeps to it.

    Raises:
        NotFound: There is no such redrive.
        IllegalMove: It sends nothing any more.
    """
    with _written(engine, redrive_id, "rate", by=by, now=now) as (session, rows):
        steering.change_pace(session, redrive_id, pace, now)
    return rows[0]


@contextmanager
def _written(
    engine: Engine, redrive_id: int, verb: str, *, by: Actor, now: datetime
) -> Iterator[tuple[Session, list[RedriveRow]]]:
    """Open a transaction for one act of *by* on a redrive; at its end the list holds the redrive as it is then."""
    rows: list[RedriveRow] = []
    with write(engine) as session:
        yield session, rows
        session.flush()
        row = get_redrive(session, redrive_id)
        rows.append(row)
        details = {"sent": row.ever_sent, "waiting": row.waiting, "rate": row.rate, "concurrency": row.concurrency}
        note(session, by, verb, "redrive", redrive_id, details=details, now=now)
