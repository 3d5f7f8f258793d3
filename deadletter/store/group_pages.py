"""Reading groups: from their own table and the hourly rollups, never from the events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Literal

from sqlalchemy import ColumnElement, Select, case, func, select, tuple_
from sqlalchemy.orm import Session

from deadletter.errors import NotFound
from deadletter.event import name_of
from deadletter.filters import EventFilter
from deadletter.outcome import EventStatus, GroupState
from deadletter.store.counters import EMPTY
from deadletter.store.cursors import read_cursor, write_cursor
from deadletter.store.instant import from_micros, hour_of, micros
from deadletter.store.models import Group, GroupHour, GroupNote, GroupSource, Source
from deadletter.store.rows import GroupRow, NoteRow, Page, StatusCounts
from deadletter.store.selection import group_conditions, snoozed

Sort = Literal["last_seen", "first_seen", "events"]

SPARK_POINTS = 42
SPARK_HOURS = 4

_EVENTS = Group.n_unresolved + Group.n_redriving + Group.n_resolved + Group.n_archived


def list_groups(  # noqa: PLR0913 - what makes a page, by keyword
    session: Session,
    chosen: EventFilter,
    *,
    sort: Sort = "last_seen",
    cursor: str | None = None,
    limit: int = 50,
    now: datetime,
) -> Page[GroupRow]:
    """Return the groups that have events which *chosen* means, the latest (or those with most events) first.

    Args:
        session: A session that reads.
        chosen: What to narrow the list by.
        sort: What the list is sorted by, downwards.
        cursor: The page before's `next_cursor`.
        limit: Rows on a page.
        now: When the sparklines end.

    Raises:
        BadInput: *cursor* is not of this list.
    """
    key = _key(sort)
    query = select(Group).where(*group_conditions(session, chosen)).order_by(key.desc(), Group.id.desc())
    if cursor is not None:
        value, group_id = read_cursor(cursor, sort)
        query = query.where(tuple_(key, Group.id) < (value if sort == "events" else from_micros(value), group_id))
    found = session.scalars(query.limit(limit + 1)).all()
    rows = group_rows(session, found[:limit], now=now)
    return Page(rows, _cursor(sort, rows[-1]) if len(found) > limit else None)


def count_groups(session: Session, chosen: EventFilter) -> dict[EventStatus, int]:
    """Return how many groups *chosen* shows, by their status."""
    query = select(Group.status, func.count()).where(*group_conditions(session, chosen)).group_by(Group.status)
    return {EventStatus(status): n for status, n in session.execute(query)}


def get_group(session: Session, group_id: int, *, now: datetime) -> GroupRow:
    """Return one group. Raises NotFound."""
    group = session.get(Group, group_id)
    if group is None:
        raise NotFound(f"There is no group {group_id}.")
    return group_rows(session, [group], now=now)[0]


def group_hours(session: Session, group_id: int, since: datetime, until: datetime) -> list[tuple[int, int]]:
    """Return (hour since 1970, failures) of a group, from the hour of *since* to that of *until*; gaps are left out."""
    hours = select(GroupHour.hour, GroupHour.n).where(GroupHour.group_id == group_id, GroupHour.n > 0)
    hours = hours.where(GroupHour.hour.between(hour_of(since), hour_of(until))).order_by(GroupHour.hour)
    return [(hour, n) for hour, n in session.execute(hours)]


def group_rows(session: Session, groups: Sequence[Group], *, now: datetime) -> list[GroupRow]:
    """Return groups with their sources and sparklines, read for all of them at once."""
    ids = [group.id for group in groups]
    sources, sparks, notes = _sources(session, ids), _sparks(session, ids, now), _notes(session, ids)
    rows = [_group_row(group, sources.get(group.id, []), sparks[group.id]) for group in groups]
    return [replace(row, snoozed=_asleep(row, now), notes=notes.get(row.id, 0)) for row in rows]


def count_standings(session: Session, chosen: EventFilter) -> dict[str, int]:
    """Return how many groups *chosen* shows, by where they stand at its `as_of`: `GroupRow.standing`."""
    is_open = Group.status == EventStatus.UNRESOLVED
    standing = case(
        (is_open & snoozed(chosen.as_of), GroupState.SNOOZED.value),
        (is_open & Group.regressed_at.is_not(None), GroupState.REGRESSED.value),
        else_=Group.status,
    ).label("standing")
    query = select(standing, func.count().label("n")).where(*group_conditions(session, chosen)).group_by(standing)
    return {row.standing: row.n for row in session.execute(query)}


def count_open_groups(session: Session, now: datetime) -> int:
    """Return how many groups are unresolved and not snoozed."""
    return session.scalar(open_groups_counted(session, now)) or 0


def open_groups_counted(session: Session, now: datetime) -> Select[int]:
    """Return the statement of `count_open_groups`, for one that asks for more."""
    awake = EventFilter(status=EventStatus.UNRESOLVED, state=GroupState.AWAKE, as_of=now)
    return select(func.count()).select_from(Group).where(*group_conditions(session, awake))


def list_notes(session: Session, group_id: int) -> list[NoteRow]:
    """Return what people wrote about a group, the newest first."""
    notes = session.scalars(select(GroupNote).where(GroupNote.group_id == group_id).order_by(GroupNote.id.desc()))
    return [NoteRow(id=note.id, at=note.at, who=note.who, text=note.text) for note in notes]


def list_assignees(session: Session) -> list[str]:
    """Return who is on any group, at most 200 names."""
    query = select(Group.assignee).where(Group.assignee.is_not(None)).distinct().order_by(Group.assignee).limit(200)
    return [name for name in session.scalars(query) if name]


def _asleep(row: GroupRow, now: datetime) -> bool:
    spent = row.snooze_left is not None and row.snooze_left <= 0
    return row.snoozed_until is not None and row.snoozed_until > now and not spent


def _notes(session: Session, group_ids: Sequence[int]) -> Mapping[int, int]:
    query = select(GroupNote.group_id, func.count().label("n")).where(GroupNote.group_id.in_(group_ids))
    return {row.group_id: row.n for row in session.execute(query.group_by(GroupNote.group_id))}


def _key(sort: Sort) -> ColumnElement[int] | ColumnElement[datetime]:
    match sort:
        case "events":
            return _EVENTS
        case "first_seen":
            return Group.first_seen.expression
        case "last_seen":
            return Group.last_seen.expression


def _cursor(sort: Sort, row: GroupRow) -> str:
    value = row.counts.total if sort == "events" else micros(getattr(row, sort))
    return write_cursor(sort, (value, row.id))


def _sources(session: Session, group_ids: Sequence[int]) -> Mapping[int, list[str]]:
    came = select(GroupSource.group_id, Source.arn).join(Source, Source.id == GroupSource.source_id)
    came = came.where(GroupSource.group_id.in_(group_ids), GroupSource.n > 0).distinct().order_by(Source.arn)
    names: dict[int, list[str]] = defaultdict(list)
    for group_id, arn in session.execute(came):
        names[group_id].append(name_of(arn))
    return names


def _sparks(session: Session, group_ids: Sequence[int], now: datetime) -> Mapping[int, list[int]]:
    end = hour_of(now) + 1
    start = end - SPARK_POINTS * SPARK_HOURS
    point = ((GroupHour.hour - start) // SPARK_HOURS).label("point")
    hours = select(GroupHour.group_id, point, func.sum(GroupHour.n))
    hours = hours.where(GroupHour.group_id.in_(group_ids), GroupHour.hour >= start, GroupHour.hour < end)
    sparks = {group_id: [0] * SPARK_POINTS for group_id in group_ids}
    for group_id, at, n in session.execute(hours.group_by(GroupHour.group_id, point)):
        sparks[group_id][at] = int(n)
    return sparks


def _group_row(group: Group, sources: Sequence[str], spark: Sequence[int]) -> GroupRow:
    return GroupRow(
        id=group.id,
        fingerprint=group.fingerprint,
        fingerprint_version=group.fingerprint_version,
        function_arn=group.function_arn,
        function_name=group.function_name,
        error_type=group.error_type,
        title=group.title,
        masked_message=group.masked_message,
        frames=group.frames,
        # Whoever kept its address sees a group without events as one where nothing is open.
        status=EventStatus.RESOLVED if group.status == EMPTY else EventStatus(group.status),
        first_seen=group.first_seen,
        last_seen=group.last_seen,
        counts=StatusCounts(**{status.value: getattr(group, f"n_{status}") for status in EventStatus}),
        sources=sources,
        spark=spark,
        assignee=group.assignee,
        regressed_at=group.regressed_at,
        snoozed_until=group.snoozed_until,
        snooze_left=group.snooze_left,
    )
