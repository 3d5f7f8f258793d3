"""Payloads that were changed before they were sent."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from deadletter.store.models.base import Base
from deadletter.store.packed import Packed


class Edit(Base):
    """What one redrive sends of one event in the original's place. Append-only: the database refuses to change a row.

    The original stays in `records`; an event has one claim, so both are never sent.
    """

    __tablename__ = "edits"
    __table_args__ = (Index(None, "event_id"),)

    redrive_id: Mapped[int] = mapped_column(ForeignKey("redrives.id"), primary_key=True)
    event_id: Mapped[int] = mapped_column(ForeignKey("events.id"), primary_key=True)
    payload: Mapped[bytes] = mapped_column(Packed)
    """UTF-8, with `surrogatepass`, secrets whole."""
    how: Mapped[str]
    """`by hand`, `json-patch` or `jmespath`."""
    made_by: Mapped[str]
    made_at: Mapped[datetime]
