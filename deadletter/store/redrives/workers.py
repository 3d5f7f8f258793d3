"""The living workers: what one of them claimed is its own for as long as it is heard of."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from deadletter.store import models
from deadletter.store.engine import is_postgres

_FORGOTTEN_AFTER = timedelta(hours=1)

SECOND_ON_SQLITE = (
    "Another worker is on this database already, and SQLite lets one process write at a time: a second worker is safe "
    "and brings nothing. End one of them, let one use more processes (REDRIVE_PROCESSES), or set DATABASE_URL to a "
    "PostgreSQL."
)


def heartbeat(  # noqa: PLR0913 - a row's columns, each by its name
    session: Session,
    worker: str,
    *,
    started_at: datetime,
    now: datetime,
    doing: str,
    lead: str | None = None,
    activity: Mapping[str, Any] | None = None,
) -> None:
    """Write down that *worker* lives, and what it is *doing*, in words; forget workers that died an hour ago.

    *lead* is the worker that a helping process belongs to; *activity* is what its threads do, as the page shows it.
    """
    row = models.Worker(id=worker, started_at=started_at, seen_at=now, doing=doing)
    row.lead, row.activity = lead, dict(activity or {})
    session.merge(row)
    session.execute(delete(models.Worker).where(models.Worker.seen_at < now - _FORGOTTEN_AFTER))


def brings_nothing(session: Session, worker: str, *, lease_s: float, now: datetime) -> bool:
    """Return whether *worker* is one more on an SQLite that another one, with its helping processes, is at already."""
    if is_postgres(session):
        return False
    other = models.Worker
    alive = select(other.id).where(other.id != worker, other.lead.is_(None))
    return session.scalar(alive.where(other.seen_at > now - timedelta(seconds=lease_s)).limit(1)) is not None


def leave(session: Session, worker: str) -> None:
    """Take a worker that ends in order off the list. What it did not write down becomes `unknown`."""
    session.execute(delete(models.Worker).where(models.Worker.id == worker))
