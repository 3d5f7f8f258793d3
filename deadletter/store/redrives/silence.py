"""What silence proves: a sent event that is not seen again succeeded, but only if somebody was listening."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import BigInteger, ColumnElement, exists, select, type_coerce
from sqlalchemy.orm import Session

from deadletter.event import name_of
from deadletter.outcome import Outcome
from deadletter.store import models


def was_listened_for(settle_s: float) -> ColumnElement[bool]:
    """Whether the source that an item's event came by could be read, and was, *settle_s* seconds after the sending."""
    item, event, source = models.RedriveItem, models.Event, models.Source
    read_at, sent_at = type_coerce(source.last_collected_at, BigInteger), type_coerce(item.sent_at, BigInteger)
    return exists().where(
        event.id == item.event_id,
        source.id == event.source_id,
        source.error.is_(None),
        read_at >= sent_at + int(settle_s * 1_000_000),
    )


def list_deaf_sources(session: Session, redrive_id: int) -> Sequence[str]:
    """Return the names of sources that cannot be read, and in which failures of what this redrive sent would land."""
    item, event, source = models.RedriveItem, models.Event, models.Source
    awaited = exists().where(
        item.redrive_id == redrive_id,
        item.outcome == Outcome.SENT,
        event.id == item.event_id,
        event.source_id == source.id,
    )
    arns = session.scalars(select(source.arn).where(source.error.is_not(None), awaited).order_by(source.id))
    return [name_of(arn) for arn in arns]
