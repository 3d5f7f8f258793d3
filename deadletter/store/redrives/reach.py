"""What of a plan goes to a target that hands events on, and whom it reaches by that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from deadletter.outcome import Outcome
from deadletter.store import models
from deadletter.store.redrives.sendable import Sendable, iter_sendable


def list_lines(session: Session, redrive_id: int) -> list[Mapping[str, Any]]:
    """Return the lines of a plan: how many events go where."""
    return list(session.get_one(models.Redrive, redrive_id).targets)


def list_going(session: Session, redrive_id: int, target_arn: str, most: int) -> list[tuple[Sendable, str | None]]:
    """Return the first *most* events that go to a target, each with the edit that is sent in its payload's place."""
    item, edit = models.RedriveItem, models.Edit
    query = select(item.event_id, edit.payload).outerjoin(
        edit, (edit.redrive_id == item.redrive_id) & (edit.event_id == item.event_id)
    )
    query = query.where(
        item.redrive_id == redrive_id, item.target_arn == target_arn, item.outcome == Outcome.WAITING.value
    )
    edits = {row.event_id: row.payload for row in session.execute(query.order_by(item.position).limit(most))}
    return [
        (each, None if (payload := edits[each.event_id]) is None else payload.decode())
        for each in iter_sendable(session, list(edits))
    ]


def note_reach(session: Session, redrive_id: int, reach: Mapping[str, Mapping[str, Any]]) -> None:
    """Keep with a plan whom its targets hand events on to, by their ARNs."""
    redrive = session.get_one(models.Redrive, redrive_id)
    redrive.targets = [
        {**line, "reach": reach[line["arn"]]} if line["arn"] in reach else line for line in redrive.targets
    ]
