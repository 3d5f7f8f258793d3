"""The facts of a report: what failed in a time, counted by one statement over one index."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Select, func, select, type_coerce
from sqlalchemy.orm import Session

from deadletter.errors import BadInput
from deadletter.filters import EventFilter
from deadletter.outcome import EventStatus, Outcome
from deadletter.store.event_pages import get_events
from deadletter.store.group_pages import group_rows
from deadletter.store.instant import HOUR
from deadletter.store.models import Event, Group, Redrive, RedriveItem
from deadletter.store.redrives.rows import redrive_row
from deadletter.store.rows import RedriveRow, ReportCause, ReportFacts, StatusCounts
from deadletter.store.rowset import one_of, table_of
from deadletter.store.selection import event_conditions, group_conditions

_OPEN = frozenset({EventStatus.UNRESOLVED, EventStatus.REDRIVING})


@dataclass(slots=True)
class _Tally:
    """The events of a report, counted in every way that it shows."""

    statuses: Counter[EventStatus] = field(default_factory=Counter)
    hours: Counter[int] = field(default_factory=Counter)
    groups: dict[int, Counter[EventStatus]] = field(default_factory=dict)

    def add(self, group_id: int, status: EventStatus, hour: int, n: int) -> None:
        self.statuses[status] += n
        self.hours[hour] += n
        self.groups.setdefault(group_id, Counter())[status] += n


def report_facts(session: Session, chosen: EventFilter, *, now: datetime, causes: int = 20) -> ReportFacts:
    """Return everything that a report on *chosen* says.

    Args:
        session: A session that reads.
        chosen: Which events; `since` and `until` are set.
        now: When sparklines end.
        causes: How many of the groups with most events are told in full.

    Raises:
        BadInput: *chosen* has no beginning or no end.
    """
    if chosen.since is None or chosen.until is None:
        raise BadInput("A report needs a beginning and an end. Give both, or an age such as since=24h.")
    tally = _count(session, chosen)
    redrives = _redrives(session, chosen)
    outcomes, presumed = _outcomes(session, chosen, [redrive.id for redrive in redrives])
    return ReportFacts(
        since=chosen.since,
        until=chosen.until,
        events=tally.statuses.total(),
        counts=StatusCounts(**{status.value: n for status, n in tally.statuses.items()}),
        hours=sorted(tally.hours.items()),
        functions=_functions(session, tally),
        causes=_causes(session, chosen, tally, causes, now),
        redrives=redrives,
        outcomes=outcomes,
        presumed=presumed,
    )


def _count(session: Session, chosen: EventFilter) -> _Tally:
    """Count by group, status and hour. An event's group failed in its hour, so no other groups are looked at."""
    groups = select(Group.id).where(*group_conditions(session, chosen.with_(status=None, text=None)))
    hour = (type_coerce(Event.occurred_at, BigInteger) // HOUR).label("hour")
    statuses = [chosen.status] if chosen.status else list(EventStatus)
    query = select(Event.group_id, Event.status, hour, func.count())
    query = query.where(Event.group_id.in_(groups), Event.status.in_(statuses), *event_conditions(session, chosen))
    tally = _Tally()
    for group_id, status, at, n in session.execute(query.group_by(Event.group_id, Event.status, hour)):
        tally.add(group_id, EventStatus(status), at, n)
    return tally


def _functions(session: Session, tally: _Tally) -> list[tuple[str, int, int]]:
    called = select(Group.id, Group.function_name).where(one_of(session, table_of(Group).c.id, tally.groups))
    names: dict[int, str] = dict(session.execute(called).all())
    events, still_open = Counter[str](), Counter[str]()
    for group_id, statuses in tally.groups.items():
        events[names[group_id]] += statuses.total()
        still_open[names[group_id]] += _open(statuses)
    return [(name, n, still_open[name]) for name, n in sorted(events.items(), key=lambda item: (-item[1], item[0]))]


def _causes(session: Session, chosen: EventFilter, tally: _Tally, most: int, now: datetime) -> list[ReportCause]:
    largest = sorted(tally.groups, key=lambda group_id: (-tally.groups[group_id].total(), group_id))[:most]
    shown = session.scalars(select(Group).where(Group.id.in_(largest))).all()
    groups = {row.id: row for row in group_rows(session, shown, now=now)}
    samples = _samples(session, chosen, largest)
    details = get_events(session, list(samples.values()))
    return [
        ReportCause(
            group=groups[group_id],
            events=tally.groups[group_id].total(),
            open=_open(tally.groups[group_id]),
            resolved=tally.groups[group_id][EventStatus.RESOLVED],
            sample=details[samples[group_id]],
        )
        for group_id in largest
    ]


def _samples(session: Session, chosen: EventFilter, group_ids: Sequence[int]) -> dict[int, int]:
    """Return the latest event of each group that the report is on."""
    latest = select(Event.id).where(Event.group_id == Group.id, *event_conditions(session, chosen))
    latest = latest.order_by(Event.occurred_at.desc(), Event.id.desc()).limit(1)
    query = select(Group.id, latest.correlate(Group).scalar_subquery()).where(Group.id.in_(group_ids))
    return {group_id: event_id for group_id, event_id in session.execute(query) if event_id is not None}


def _open(statuses: Counter[EventStatus]) -> int:
    return sum(statuses[status] for status in _OPEN)


def _redrives(session: Session, chosen: EventFilter) -> list[RedriveRow]:
    """Return the redrives that took any of the report's events, oldest first."""
    any_of = _items(session, chosen, select(RedriveItem.event_id)).where(RedriveItem.redrive_id == Redrive.id)
    query = select(Redrive).where(Redrive.planned_at >= chosen.since, any_of.correlate(Redrive).exists())
    return [redrive_row(redrive) for redrive in session.scalars(query.order_by(Redrive.id))]


def _outcomes(session: Session, chosen: EventFilter, redrive_ids: Sequence[int]) -> tuple[dict[str, int], int]:
    """Return how many of the report's events had which outcome, and how many successes are presumed."""
    presumed = func.coalesce(RedriveItem.evidence.startswith("Presumed"), False)
    query = _items(session, chosen, select(RedriveItem.outcome, presumed, func.count()))
    query = query.where(RedriveItem.redrive_id.in_(redrive_ids)).group_by(RedriveItem.outcome, presumed)
    counts, of_them = Counter[str](), 0
    for outcome, is_presumed, n in session.execute(query):
        counts[outcome] += n
        of_them += n if is_presumed and outcome == Outcome.SUCCEEDED else 0
    return dict(counts), of_them


def _items(session: Session, chosen: EventFilter, query: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    return query.join(Event, Event.id == RedriveItem.event_id).where(*event_conditions(session, chosen))
