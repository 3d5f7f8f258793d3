"""What stands above the lists: counts of everything, what there is to filter by, who works."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Select, SQLColumnExpression, func, select
from sqlalchemy.orm import Session

from deadletter.event import name_of
from deadletter.outcome import EventStatus
from deadletter.store.counters import EMPTY
from deadletter.store.instant import hour_of
from deadletter.store.models import Group, Source, SourceHour, Worker
from deadletter.store.rows import Facets, StatusCounts, WorkerRow

_MOST_FACETS = 200

# On every page: what never changes is put together once.
_STATUSES = [status.value for status in EventStatus]
_COUNTED = select(*(func.coalesce(func.sum(getattr(Group, f"n_{name}")), 0) for name in _STATUSES))
_SOURCES = select(Source.id, Source.arn).order_by(Source.id)


def status_counts(session: Session) -> StatusCounts:
    """Return how many events there are, by status."""
    return StatusCounts(**dict(zip(_STATUSES, map(int, session.execute(_COUNTED).one()), strict=True)))


def overall_hours(session: Session, since: datetime, until: datetime) -> list[tuple[int, int]]:
    """Return (hour since 1970, failures that came by any source), from the hour of *since* to that of *until*."""
    hours = select(SourceHour.hour, func.sum(SourceHour.n)).where(SourceHour.n > 0)
    hours = hours.where(SourceHour.hour.between(hour_of(since), hour_of(until))).group_by(SourceHour.hour)
    return [(hour, int(n)) for hour, n in session.execute(hours.order_by(SourceHour.hour))]


def facets(session: Session) -> Facets:
    """Return what there is to filter by."""
    return Facets(
        functions=_named(session, _FUNCTIONS),
        error_types=_named(session, _ERROR_TYPES),
        sources=[(source_id, name_of(arn)) for source_id, arn in session.execute(_SOURCES)],
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


def _facet(column: SQLColumnExpression[str] | SQLColumnExpression[str | None]) -> Select[str | None, int]:
    unresolved = func.sum(Group.n_unresolved)
    query = select(column, unresolved).where(column.is_not(None), Group.status != EMPTY).group_by(column)
    return query.order_by(unresolved.desc(), column).limit(_MOST_FACETS)


_FUNCTIONS, _ERROR_TYPES = _facet(Group.function_name), _facet(Group.error_type)


def _named(session: Session, query: Select[str | None, int]) -> list[tuple[str, int]]:
    return [(name, int(n)) for name, n in session.execute(query) if name is not None]
