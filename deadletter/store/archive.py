"""Archiving: what is out of sight is kept, and comes back."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import and_
from sqlalchemy.orm import Session

from deadletter.actor import Actor
from deadletter.filters import EventFilter
from deadletter.outcome import EventStatus
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


def _move(session: Session, selection: Selection, to: EventStatus, before: Collection[EventStatus]) -> int:
    if isinstance(selection, EventFilter):
        conditions = [and_(True, *event_conditions(session, selection))]  # noqa: FBT003 - SQL's TRUE: an empty filter
    else:
        conditions = [Event.id.in_(some) for some in parts(sorted(set(selection)))]
    return move_where(session, conditions, to, values={"redrive_id": None}, before=before)
