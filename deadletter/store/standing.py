"""What is open, running and unknown now: the numbers beside the places of the bar, by one statement for every page."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from deadletter.outcome import RedriveStatus
from deadletter.store.group_pages import open_groups_counted
from deadletter.store.models import Redrive
from deadletter.store.redrives.doubts import doubts_counted


class Standing(NamedTuple):
    """Groups that are unresolved and awake, redrives that are running, and events whose outcome is unknown."""

    groups: int
    running: int
    unknown: int


def read_standing(session: Session, now: datetime) -> Standing:
    """Return the numbers as they are *now*; of the unknown, as many as `count_doubts` counts."""
    running = select(func.count()).select_from(Redrive).where(Redrive.status == RedriveStatus.RUNNING)
    counted = (open_groups_counted(session, now), running, doubts_counted())
    return Standing._make(session.execute(select(*(each.scalar_subquery() for each in counted))).one())
