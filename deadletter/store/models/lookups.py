"""What was looked up for events whose records leave something out."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from deadletter.store.models.base import Base
from deadletter.store.packed import Packed


class Lookup(Base):
    """One event's batch, fetched from its stream because the stream forgets it, or the way that it was going.

    Made when the event is collected, in the same transaction; a worker does the asking.
    """

    __tablename__ = "lookups"
    __table_args__ = (Index(None, "status", "next_try_at"),)

    event_id: Mapped[int] = mapped_column(ForeignKey("events.id"), primary_key=True, autoincrement=False)
    status: Mapped[str]
    """`waiting`, `found`, `partial` (a part of the batch is lost), `lost`, `refused` (tried again, rarely)."""
    tries: Mapped[int] = mapped_column(default=0)
    next_try_at: Mapped[datetime | None]
    """Nobody asks before then; None when no more is to be asked."""
    said: Mapped[str | None]
    """Why it waits or was refused, or what is lost, as a sentence."""
    deadline_at: Mapped[datetime | None]
    """When the stream forgets the first record of the batch."""
    found_at: Mapped[datetime | None]
    fetched: Mapped[int | None]
    """Records that were fetched."""
    lost: Mapped[int | None]
    """Records that were not; None where their number is not known, or nothing is lost."""
    lost_first: Mapped[str | None]
    lost_last: Mapped[str | None]
    """The sequence numbers that are lost lie between these two, both included."""
    payload: Mapped[bytes | None] = mapped_column(Packed)
    """What the consumer gets: Lambda's event, or a pipe's list; UTF-8."""
    route: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """Who was to get the event, and in which form: a `Route` as JSON."""
