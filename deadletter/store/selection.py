"""A filter as SQL: which events it means, which groups it shows. The same for pages, redrives, reports and exports."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Select, SQLColumnExpression, and_, exists, func, or_, select
from sqlalchemy.orm import Session

from deadletter.filters import NOBODY, EventFilter
from deadletter.outcome import GroupState
from deadletter.store import search
from deadletter.store.counters import EMPTY
from deadletter.store.instant import HOUR, hour_of, micros
from deadletter.store.models import Event, Group, GroupHour, GroupSource, Source
from deadletter.store.rowset import parts

_RECENT_HITS = 1_000


def event_conditions(session: Session, chosen: EventFilter, *, text: bool = True) -> list[ColumnElement[bool]]:
    """Return what an event must meet; without *text*, the caller joins the search index itself."""
    found = _equal(Event, chosen, ("source", "source_id"), ("producer", "producer"))
    found += _of_groups(Event.group_id, chosen)
    if live := live_conditions(chosen):
        found.append(Event.group_id.in_(select(Group.id).where(*live)))
    found += _of_sources(Event.source_id, chosen)
    if chosen.since is not None:
        found.append(Event.occurred_at >= chosen.since)
    if chosen.until is not None:
        found.append(Event.occurred_at < chosen.until)
    found += _expiring(chosen)
    if chosen.text is not None and text:
        found.append(Event.id.in_(search.event_ids(session, chosen.text)))
    if chosen.cause is not None:
        named = Event.group_id.in_(select(Group.id).where(_named(chosen.cause)))
        found.append(or_(named, Event.id.in_(search.event_ids(session, chosen.cause))))
    if (chosen.group is not None or chosen.groups is not None) and (came := came_by(chosen)):
        # Known at once from the counters; else a large group would be read to its end to find nothing.
        found.append(exists().where(GroupSource.n > 0, *_of_groups(GroupSource.group_id, chosen), *came))
    return found


def came_by(chosen: EventFilter) -> list[ColumnElement[bool]]:
    """Return what a row of `group_sources` must meet."""
    equal = _equal(GroupSource, chosen, ("source", "source_id"), ("producer", "producer"), common=())
    return [*equal, *_of_sources(GroupSource.source_id, chosen)]


def group_conditions(session: Session, chosen: EventFilter) -> list[ColumnElement[bool]]:
    """Return what a group must meet to be listed. Reads groups and rollups, and of the events at most a thousand hits.

    A group is within a time when it failed in one of its hours, and has a status when that is the one shown for it.
    """
    found = [Group.status != EMPTY, *_equal(Group, chosen)]
    found += [*_of_groups(Group.id, chosen), *live_conditions(chosen)]
    if came := came_by(chosen):
        found.append(exists().where(GroupSource.group_id == Group.id, GroupSource.n > 0, *came))
    if chosen.since is not None or chosen.until is not None:
        found.append(_failed_within(chosen))
    if chosen.expires is not None:
        found.append(Group.id.in_(select(Event.group_id).where(*_expiring(chosen))))
    for words in filter(None, (chosen.text, chosen.cause)):
        found.append(or_(_named(words), Group.id.in_(_groups_of_hits(session, words))))
    return found


def snoozed(as_of: datetime) -> ColumnElement[bool]:
    """Return the condition that a group is asleep at *as_of*."""
    return and_(Group.snoozed_until > as_of, func.coalesce(Group.snooze_left, 1) > 0)


def live_conditions(chosen: EventFilter) -> list[ColumnElement[bool]]:
    """Return what a group must meet besides where its events stand: its state, and who is on it."""
    found: list[ColumnElement[bool]] = []
    if chosen.assignee is not None:
        unassigned = chosen.assignee == NOBODY
        found.append(Group.assignee.is_(None) if unassigned else Group.assignee == chosen.assignee)
    if chosen.state is GroupState.SNOOZED:
        found.append(snoozed(chosen.as_of))
    elif chosen.state is not None:
        found.append(or_(Group.snoozed_until.is_(None), Group.snoozed_until <= chosen.as_of, Group.snooze_left <= 0))
    if chosen.state is GroupState.REGRESSED:
        found.append(Group.regressed_at.is_not(None))
    return found


def _expiring(chosen: EventFilter) -> list[ColumnElement[bool]]:
    if chosen.expires is None:
        return []
    since, until = chosen.expires
    return [Event.expires_at >= since, Event.expires_at < until]


def source_arns_of(session: Session, selection: EventFilter | Sequence[int]) -> Sequence[str]:
    """Return the ARNs of the sources that the events of *selection* came by."""
    if isinstance(selection, EventFilter):
        conditions = [and_(True, *event_conditions(session, selection))]  # noqa: FBT003 - SQL's TRUE: an empty filter
    else:
        conditions = [Event.id.in_(some) for some in parts(sorted(set(selection)))]
    came = (exists().where(Event.source_id == Source.id, condition) for condition in conditions)
    return session.scalars(select(Source.arn).where(or_(False, *came)).order_by(Source.id)).all()  # noqa: FBT003


def _of_sources(column: SQLColumnExpression[int], chosen: EventFilter) -> list[ColumnElement[bool]]:
    return [] if chosen.sources is None else [column.in_(chosen.sources)]


def _of_groups(column: SQLColumnExpression[int], chosen: EventFilter) -> list[ColumnElement[bool]]:
    one = [] if chosen.group is None else [column == chosen.group]
    return one if chosen.groups is None else [*one, column.in_(chosen.groups)]


_COMMON = (("status", "status"), ("function", "function_name"), ("error_type", "error_type"))


def _equal(
    model: type[Event | Group | GroupSource],
    chosen: EventFilter,
    *names: tuple[str, str],
    common: tuple[tuple[str, str], ...] = _COMMON,
) -> list[ColumnElement[bool]]:
    """Return the conditions that *model*'s columns equal the parts that are given, each as (part's, column's name)."""
    given = ((getattr(model, column), getattr(chosen, name)) for name, column in (*common, *names))
    return [column == value for column, value in given if value is not None]


def _failed_within(chosen: EventFilter) -> ColumnElement[bool]:
    hours = [GroupHour.group_id == Group.id, GroupHour.n > 0]
    if chosen.since is not None:
        hours.append(GroupHour.hour >= hour_of(chosen.since))
    if chosen.until is not None:
        hours.append(GroupHour.hour <= (micros(chosen.until) - 1) // HOUR)
    return exists().where(*hours)


def _named(text: str) -> ColumnElement[bool]:
    """Return the condition that each word stands in what the list shows of a group."""
    shown = (Group.title, Group.masked_message, Group.error_type, Group.function_name)
    return and_(*(or_(*(column.icontains(word, autoescape=True) for column in shown)) for word in text.split()))


def _groups_of_hits(session: Session, text: str) -> Select[int]:
    """Return the groups of the newest events that hold the words."""
    index = search.id_column(session)
    hits = select(index.label("id")).select_from(search.SEARCH).where(search.matches(session, text))
    newest = hits.order_by(index.desc()).limit(_RECENT_HITS).subquery()
    return select(Event.group_id).where(Event.id.in_(select(newest.c.id)))
