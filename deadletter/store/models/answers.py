"""Answers that the API keeps, so that asking twice does once."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from deadletter.store.models.base import Base


class ApiAnswer(Base):
    """A write that came with an `Idempotency-Key`, and its answer; `status` is None while it is being carried out."""

    __tablename__ = "api_answers"
    __table_args__ = (Index(None, "began_at"),)

    owner: Mapped[str] = mapped_column(Text, primary_key=True)
    """Whose key it is: two people's keys never meet."""
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    digest: Mapped[str]
    """Of what was asked: method, address and body."""
    began_at: Mapped[datetime]
    status: Mapped[int | None]
    body: Mapped[str | None]
