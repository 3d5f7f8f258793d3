"""Many events at once, archived or resolved by a person: one statement, however many; and both can be undone."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_
from sqlalchemy.orm import Session

from deadletter.actor import Actor
from deadletter.filters import EventFilter
from deadletter.outcome import EventStatus, Outcome
from deadletter.store.audit import note_events
from deadletter.store.models import Event
from deadletter.store.moves import move_where
from deadletter.store.rowset import parts
from deadletter.store.selection import event_conditions

Selection = EventFilter | Sequence[int]


def archive_events(session: Session, selection: Selection, *, by: Actor, now: datetime) -> int:
    """Archive events; those that an open redrive has claimed stay. Return how many are archived now that were not."""
    count = _move(session, selection, EventStatus.ARCHIVED, {EventStatus.UNRESOLVED, EventStatus.RESOLVED})
    note_events(session, by, "archive", selection, count=count, now=now)
    return count


def unarchive_events(session: Session, selection: Selection, *, by: Actor, now: datetime) -> int:
    """Bring archived events back, as unresolved. Return how many came."""
    count = _move(session, selection, EventStatus.UNRESOLVED, {EventStatus.ARCHIVED})
    note_events(session, by, "unarchive", selection, count=count, now=now)
    return count


def resolve_events(session: Session, selection: Selection, *, by: Actor, now: datetime) -> int:
    """Say that what is unresolved of a selection needs nothing more. Return how many events."""
    count = _move(session, selection, EventStatus.RESOLVED, {EventStatus.UNRESOLVED})
    note_events(session, by, "resolve", selection, count=count, now=now)
    return count


def unresolve_events(session: Session, selection: Selection, *, by: Actor, now: datetime) -> int:
    """Undo `resolve_events`: open again what no redrive resolved. Return how many events."""
    count = _move(session, selection, EventStatus.UNRESOLVED, {EventStatus.RESOLVED}, by_hand())
    note_events(session, by, "unresolve", selection, count=count, now=now)
    return count


def by_hand() -> ColumnElement[bool]:
    """Return the condition that a person resolved an event, and no redrive did."""
    return Event.last_outcome.is_distinct_from(Outcome.SUCCEEDED)


def _move(
    session: Session,
    selection: Selection,
    to: EventStatus,
    before: Collection[EventStatus],
    *only: ColumnElement[bool],
) -> int:
    if isinstance(selection, EventFilter):
        meant = [and_(True, *event_conditions(session, selection))]  # noqa: FBT003 - SQL's TRUE: an empty filter
    else:
        meant = [Event.id.in_(some) for some in parts(sorted(set(selection)))]
    conditions = [and_(each, *only) for each in meant]
    return move_where(session, conditions, to, values={"redrive_id": None}, before=before)
