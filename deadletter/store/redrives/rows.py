"""Reading redrives and their items: what the pages, the reports and the command line show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, select
from sqlalchemy.orm import Session

from deadletter.breaker import Stage
from deadletter.errors import BadInput, NotFound
from deadletter.outcome import Outcome, RedriveStatus
from deadletter.preflight import Protection
from deadletter.store import models
from deadletter.store.rows import ItemRow, Page, RedriveRow

_COUNTED = {"planned", *Outcome}


def get_redrive(session: Session, redrive_id: int) -> RedriveRow:
    """Return one redrive. Raises NotFound."""
    redrive = session.get(models.Redrive, redrive_id, populate_existing=True)
    if redrive is None:
        message = f"There is no redrive {redrive_id}."
        raise NotFound(message)
    return redrive_row(redrive)


def list_redrives(
    session: Session, *, status: RedriveStatus | None = None, cursor: str | None = None, limit: int = 50
) -> Page[RedriveRow]:
    """Return redrives, newest first; *cursor* is the page before's `next_cursor`."""
    query = select(models.Redrive).order_by(models.Redrive.id.desc()).limit(limit + 1)
    if status is not None:
        query = query.where(models.Redrive.status == status)
    if cursor is not None:
        query = query.where(models.Redrive.id < _position(cursor))
    found = [redrive_row(redrive) for redrive in session.scalars(query.execution_options(populate_existing=True))]
    return Page(found[:limit], str(found[limit - 1].id) if len(found) > limit else None)


def list_items(  # noqa: PLR0913 - what narrows the list, each by its name
    session: Session,
    redrive_id: int,
    *,
    outcome: Outcome | None = None,
    protection: Protection | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[ItemRow]:
    """Return a redrive's events in the order of sending; those with *outcome* and *protection* only, if given."""
    query = _items().where(models.RedriveItem.redrive_id == redrive_id)
    if outcome is not None:
        query = query.where(models.RedriveItem.outcome == outcome)
    if protection is not None:
        query = query.where(models.RedriveItem.protection == protection)
    if cursor is not None:
        query = query.where(models.RedriveItem.position > _position(cursor))
    found = [_item_row(row) for row in session.execute(query.order_by(models.RedriveItem.position).limit(limit + 1))]
    return Page(found[:limit], str(found[limit - 1].position) if len(found) > limit else None)


def items_of_event(session: Session, event_id: int) -> Sequence[ItemRow]:
    """Return every redrive of one event, oldest first."""
    return items_of_events(session, [event_id]).get(event_id, [])


def items_of_events(session: Session, event_ids: Sequence[int]) -> dict[int, list[ItemRow]]:
    """Return every redrive of some events, oldest first, by the event's id; those that had none are not there."""
    query = _items().where(models.RedriveItem.event_id.in_(event_ids)).order_by(models.RedriveItem.redrive_id)
    found: dict[int, list[ItemRow]] = {}
    for item in map(_item_row, session.execute(query)):
        found.setdefault(item.event_id, []).append(item)
    return found


def redrive_row(redrive: models.Redrive) -> RedriveRow:
    """Return the row type of one redrive: the table's columns, its counters without their `n_`."""
    values: dict[str, Any] = {
        name: getattr(redrive, f"n_{name}" if name in _COUNTED else name)
        for name in (field.name for field in fields(RedriveRow))
    }
    return RedriveRow(**values | {"status": RedriveStatus(redrive.status), "stage": Stage(redrive.stage)})


_Columns = tuple[models.RedriveItem, str | None, str | None, str, str, str, str | None, str | None, datetime]


def _items() -> Select[*_Columns]:
    return (
        select(
            models.RedriveItem,
            models.Event.label,
            models.Event.request_id,
            models.Group.title,
            models.Redrive.asked_by,
            models.Redrive.status,
            models.Event.error_type,
            models.Event.error_message,
            models.Event.occurred_at,
        )
        .join(models.Redrive, models.Redrive.id == models.RedriveItem.redrive_id)
        .join(models.Event, models.Event.id == models.RedriveItem.event_id)
        .outerjoin(models.Group, models.Group.id == models.RedriveItem.group_id)
        .execution_options(populate_existing=True)
    )


def _item_row(row: Row[*_Columns]) -> ItemRow:
    item, label, request_id, group_title, asked_by, status, failed_type, failed_message, occurred_at = row
    return ItemRow(
        redrive_id=item.redrive_id,
        position=item.position,
        event_id=item.event_id,
        event_label=label,
        request_id=request_id,
        target_kind=item.target_kind,
        target_arn=item.target_arn,
        outcome=Outcome(item.outcome),
        reason=item.reason,
        protection=Protection(item.protection) if item.protection else None,
        protection_reason=item.protection_reason,
        edited=bool(item.edited),
        sent_at=item.sent_at,
        sent_id=item.sent_id,
        settled_at=item.settled_at,
        evidence=item.evidence,
        error_type=item.error_type,
        error_message=item.error_message,
        stack_trace=item.stack_trace,
        group_id=item.group_id,
        group_title=group_title,
        record_id=item.record_id,
        asked_by=asked_by,
        redrive_status=RedriveStatus(status),
        failed_type=failed_type,
        failed_message=failed_message,
        occurred_at=occurred_at,
    )


def _position(cursor: str) -> int:
    if not cursor.isascii() or not cursor.isdecimal() or len(cursor) > 18:  # noqa: PLR2004 - what a 64-bit number holds
        message = f"{cursor[:40]!r} is not a page of this list. Start again from its first page."
        raise BadInput(message)
    return int(cursor)
