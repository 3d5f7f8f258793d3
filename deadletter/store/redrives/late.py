"""Failures that came after a plan was frozen: never part of it, and the operator is told how many."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from deadletter.filters import EventFilter
from deadletter.store import models
from deadletter.store.rows import Count, RedriveRow
from deadletter.store.selection import event_conditions

MOST = 1000
"""Counting stops here: a page does not scan the events table."""


def count_late(session: Session, redrive: RedriveRow, *, now: datetime) -> Count | None:
    """Return how many events match what *redrive* chose and were collected after its plan was frozen.

    None where events were chosen one by one: nothing can join them.
    """
    if "filter" not in redrive.selection:
        return None
    chosen = EventFilter.from_query(redrive.selection["filter"], now=now).with_(status=None)
    late = (
        select(models.Event.id)
        .where(models.Event.id > redrive.last_event_id, *event_conditions(session, chosen))
        .limit(MOST + 1)
        .subquery()
    )
    n = session.scalar(select(func.count()).select_from(late)) or 0
    return Count(min(n, MOST), exact=n <= MOST)
