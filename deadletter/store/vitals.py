"""What monitoring asks: totals, depths, ages, workers and queues, all from counters and one entry of an index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from deadletter.outcome import EventStatus, RedriveStatus
from deadletter.store.models import Event, Redrive, Worker
from deadletter.store.overview import status_counts
from deadletter.store.rows import SourceRow, StatusCounts
from deadletter.store.sources import list_sources
from deadletter.store.totals import TargetTotals, list_totals


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """How the console is at one moment.

    `oldest_unresolved_at` is when the oldest event that nobody has dealt with failed; `waiting` and `sending` are
    events of running redrives; `workers` were heard of within their lease.
    """

    sources: Sequence[SourceRow]
    targets: Sequence[TargetTotals]
    events: StatusCounts
    oldest_unresolved_at: datetime | None
    workers: int
    waiting: int
    sending: int


def vitals(session: Session, *, lease_s: float, now: datetime) -> Vitals:
    """Return how the console is: seven statements, whatever the number of events."""
    waiting, sending = _queued(session)
    return Vitals(
        sources=list_sources(session, now=now),
        targets=list_totals(session),
        events=status_counts(session),
        oldest_unresolved_at=_oldest_unresolved(session),
        workers=count_workers(session, lease_s=lease_s, now=now),
        waiting=waiting,
        sending=sending,
    )


def count_workers(session: Session, *, lease_s: float, now: datetime) -> int:
    """Return how many workers were heard of in the last *lease_s* seconds."""
    alive = select(func.count()).where(Worker.seen_at > now - timedelta(seconds=lease_s))
    return session.scalar(alive) or 0


def _oldest_unresolved(session: Session) -> datetime | None:
    unresolved = select(Event.occurred_at).where(Event.status == EventStatus.UNRESOLVED)
    return session.scalar(unresolved.order_by(Event.occurred_at, Event.id).limit(1))


def _queued(session: Session) -> tuple[int, int]:
    n_waiting, n_sending = (func.coalesce(func.sum(column), 0) for column in (Redrive.n_waiting, Redrive.n_sending))
    row = session.execute(select(n_waiting, n_sending).where(Redrive.status == RedriveStatus.RUNNING)).one()
    return int(row[0]), int(row[1])
