"""What stands above the lists: counts of everything, what there is to filter by, who works."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import SQLColumnExpression, func, select
from sqlalchemy.orm import Session

from deadletter.event import name_of
from deadletter.outcome import EventStatus
from deadletter.store.counters import EMPTY
from deadletter.store.instant import hour_of
from deadletter.store.models import Group, Source, SourceHour, Worker
from deadletter.store.rows import Facets, StatusCounts, WorkerRow

_MOST_FACETS = 200


def status_counts(session: Session) -> StatusCounts:
    """Return how many events there are, by status."""
    names = [status.value for status in EventStatus]
    row = session.execute(select(*(func.coalesce(func.sum(getattr(Group, f"n_{name}")), 0) for name in names))).one()
    return StatusCounts(**dict(zip(names, map(int, row), strict=True)))


def overall_hours(session: Session, since: datetime, until: datetime) -> list[tuple[int, int]]:
    """Return (hour since 1970, failures that came by any source), from the hour of *since* to that of *until*."""
    hours = select(SourceHour.hour, func.sum(SourceHour.n)).where(SourceHour.n > 0)
    hours = hours.where(SourceHour.hour.between(hour_of(since), hour_of(until))).group_by(SourceHour.hour)
    return [(hour, int(n)) for hour, n in session.execute(hours.order_by(SourceHour.hour))]


def facets(session: Session) -> Facets:
    """Return what there is to filter by."""
    sources = session.execute(select(Source.id, Source.arn).order_by(Source.id))
    return Facets(
        functions=_facet(session, Group.function_name),
        error_types=_facet(session, Group.error_type),
        sources=[(source_id, name_of(arn)) for source_id, arn in sources],
    )


def list_workers(session: Session) -> Sequence[WorkerRow]:
    """Return the workers that were heard of lately, the oldest first."""
    workers = session.scalars(select(Worker).order_by(Worker.started_at, Worker.id))
    return [
        WorkerRow(
            id=w.id, started_at=w.started_at, seen_at=w.seen_at, doing=w.doing, lead=w.lead, activity=w.activity or {}
        )
        for w in workers
    ]


def last_heard(session: Session) -> datetime | None:
    """Return when any worker was heard of last; None where there is none."""
    return session.scalar(select(func.max(Worker.seen_at)))


def _facet(
    session: Session, column: SQLColumnExpression[str] | SQLColumnExpression[str | None]
) -> list[tuple[str, int]]:
    unresolved = func.sum(Group.n_unresolved)
    query = select(column, unresolved).where(column.is_not(None), Group.status != EMPTY).group_by(column)
    found = session.execute(query.order_by(unresolved.desc(), column).limit(_MOST_FACETS))
    return [(name, int(n)) for name, n in found if name is not None]
