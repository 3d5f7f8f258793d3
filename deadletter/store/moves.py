"""Events change their status: only by the legal moves, many at once, and their groups' counters with them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from deadletter.outcome import EVENT_MOVES, EventStatus, Outcome
from deadletter.store.counters import Deltas
from deadletter.store.engine import is_postgres
from deadletter.store.models import Event
from deadletter.store.rowset import parts, table_of


def move_events(
    session: Session,
    event_ids: Sequence[int],
    to: EventStatus,
    *,
    outcome: Outcome | None = None,
    release: bool = True,
) -> int:
    """Move events to a status; those that may not go there stay as they are. Return how many moved.

    Args:
        session: A session that writes.
        event_ids: Which events.
        to: The status that they get.
        outcome: What became of them in a redrive, if that is why.
        release: Whether they stop belonging to the redrive that claimed them.
    """
    values: dict[str, Any] = {"redrive_id": None} if release else {}
    if outcome is not None:
        values["last_outcome"] = outcome.value
    conditions = (Event.id.in_(some) for some in parts(sorted(set(event_ids))))
    return move_where(session, conditions, to, values=values)


def move_where(
    session: Session,
    conditions: Iterable[ColumnElement[bool]],
    to: EventStatus,
    *,
    values: dict[str, Any],
    before: Collection[EventStatus] | None = None,
) -> int:
    """Move the events of each of *conditions* (from *before* only), and set *values*; return how many moved."""
    legal = [status for status, after in EVENT_MOVES.items() if to in after and (before is None or status in before)]
    deltas, moved = Deltas(), 0
    for condition in conditions:
        for group_id, status, n in _move(session, [condition, Event.status.in_(legal)], values | {"status": to.value}):
            deltas.count(group_id, EventStatus(status), -n)
            deltas.count(group_id, to, n)
            moved += n
    deltas.write(session)
    return moved


def _move(
    session: Session, conditions: Sequence[ColumnElement[bool]], values: dict[str, Any]
) -> Sequence[tuple[int, str, int]]:
    """Update the events that meet *conditions*; return how many there were by (group, status before)."""
    events = table_of(Event)
    if not is_postgres(session):
        counted = select(events.c.group_id, events.c.status, func.count()).where(*conditions).group_by(*_BY)
        found = [(group_id, status, n) for group_id, status, n in session.execute(counted)]
        if found:
            session.connection().execute(update(events).where(*conditions).values(values))
        return found
    old = select(events.c.id, *_BY).where(*conditions).order_by(events.c.id).with_for_update().cte("old")
    change = update(events).where(events.c.id == old.c.id).values(values).returning(old.c.group_id, old.c.status)
    moved = change.cte("moved")
    counted = select(moved.c.group_id, moved.c.status, func.count()).group_by(moved.c.group_id, moved.c.status)
    return [(group_id, status, n) for group_id, status, n in session.execute(counted)]


_BY = (table_of(Event).c.group_id, table_of(Event).c.status)
