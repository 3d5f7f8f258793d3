"""The audit trail: who did what to what, when, and from where."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from deadletter.store.models.base import NEVER_REUSED, Base, Id


class AuditEntry(Base):
    """One thing that somebody did. Append-only: the database itself refuses to change or delete a row."""

    __tablename__ = "audit"
    __table_args__ = (
        Index(None, "at", "id"),
        Index(None, "who", "at", "id"),
        Index(None, "verb", "at", "id"),
        Index(None, "kind", "subject", "at", "id"),
        NEVER_REUSED,
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    at: Mapped[datetime]
    who: Mapped[str]
    verb: Mapped[str]
    """What was done, in one word, as the command line calls it: `start`, `archive`, `add`."""
    kind: Mapped[str]
    """Of what: `redrive`, `group`, `event`, `events`, `source`."""
    subject: Mapped[str]
    """Which one: its id or its ARN; empty where `details` name several."""
    details: Mapped[dict[str, Any]]
    came_from: Mapped[str]
    """The address that the request came from, `command line`, or the program that acted by itself."""
