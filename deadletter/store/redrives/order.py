"""Order within message groups: an event goes when everything before it in its group is settled, whoever sends that.

FIFO queues keep the order in which messages arrive, so it is the arriving that must be in order: of one group, one
event is out at a time, by all workers and all redrives together. Groups do not wait for each other.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, String, and_, exists, func, literal_column, or_, select
from sqlalchemy.orm import Session, aliased

from deadletter.outcome import EventStatus, Outcome
from deadletter.store import models
from deadletter.store.moves import move_where
from deadletter.store.redrives.locks import advance
from deadletter.store.redrives.plans import skip_waiting
from deadletter.store.rows import Count

_AHEAD = 1_000
"""Waiting items that one claim looks at: groups that begin later have their turn when some of these are gone."""

BEHIND_UNKNOWN = (
    "An event before it in its message group is unknown: it may or may not have arrived, and this one must not "
    "overtake it. Decide about that one first, then redrive both."
)


def is_ordered(redrive: models.Redrive) -> bool:
    """Return whether a FIFO queue or topic is among the targets."""
    return any(line["arn"].endswith(".fifo") for line in redrive.targets)


def is_next(redrive_id: int) -> ColumnElement[bool]:
    """Whether an item that waits in *redrive_id* is near the front, and overtakes nothing in its group.

    What waits in a redrive that nobody has started yet does not count.
    """
    item, near = models.RedriveItem, aliased(models.RedriveItem)
    first = select(near.position).where(near.redrive_id == redrive_id, near.outcome == Outcome.WAITING)
    first = first.order_by(near.position).limit(_AHEAD)
    return and_(item.position.in_(first), or_(item.message_group.is_(None), ~_earlier()))


def _earlier() -> ColumnElement[bool]:
    item, earlier, redrive = models.RedriveItem, aliased(models.RedriveItem), models.Redrive
    return exists().where(
        earlier.message_group == item.message_group,
        earlier.message_order < item.message_order,
        # Literals are what lets the small index over what is unsettled serve this.
        earlier.outcome.in_([literal_column("'waiting'"), literal_column("'sending'")]),
        redrive.id == earlier.redrive_id,
        redrive.started_at.is_not(None),
    )


MOST = 1_000
"""Counting stops here."""


def holds_back(session: Session, redrive_id: int) -> Count:
    """Return how many waiting events of other redrives must not overtake what waits in *redrive_id*."""
    first, later, redrive = aliased(models.RedriveItem), aliased(models.RedriveItem), models.Redrive
    behind = and_(later.message_group == first.message_group, later.message_order > first.message_order)
    # Literals are what lets the small index over what is unsettled serve this.
    waiting, sending = literal_column("'waiting'", String), literal_column("'sending'", String)
    query = select(later.redrive_id, later.position).distinct().select_from(first).join(later, behind)
    query = query.join(redrive, redrive.id == later.redrive_id).where(redrive.started_at.is_not(None))
    query = query.where(
        first.redrive_id == redrive_id, first.outcome.in_([waiting, sending]), first.message_group.is_not(None)
    )
    query = query.where(later.redrive_id != redrive_id, later.outcome == waiting)
    n = session.scalar(select(func.count()).select_from(query.limit(MOST + 1).subquery())) or 0
    return Count(min(n, MOST), exact=n <= MOST)


def skip_behind_unknown(session: Session, redrive: models.Redrive, now: datetime) -> None:
    """Skip what waits in a locked redrive behind an event of its group whose arrival nobody knows of."""
    item = models.RedriveItem
    unknown = select(item.message_group, item.message_order).where(
        item.redrive_id == redrive.id, item.outcome == Outcome.UNKNOWN, item.message_group.is_not(None)
    )
    for group, order in session.execute(unknown).all():
        behind = and_(item.message_group == group, item.message_order > order)
        waiting = select(item.event_id).where(
            item.redrive_id == redrive.id, item.outcome == Outcome.WAITING, item.message_group.is_not(None), behind
        )
        ours = and_(models.Event.id.in_(waiting), models.Event.redrive_id == redrive.id)
        freed = {"redrive_id": None, "last_outcome": Outcome.SKIPPED.value}
        move_where(session, [ours], EventStatus.UNRESOLVED, values=freed)
        skip_waiting(session, redrive, BEHIND_UNKNOWN, now, behind)
    advance(redrive, now)
