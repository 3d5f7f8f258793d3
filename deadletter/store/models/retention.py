"""What is deleted when, and what was counted of it before."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from deadletter.store.models.base import Base


class RetentionRule(Base):
    """How long, and how much, of the events of one status is kept; without a rule everything is."""

    __tablename__ = "retention_rules"

    status: Mapped[str] = mapped_column(primary_key=True)
    source_arn: Mapped[str] = mapped_column(primary_key=True)
    """The source that it is for, before the rule of `*`, which is for every other."""
    days: Mapped[int | None]
    """Since the event failed last, and since its last redrive settled."""
    bytes: Mapped[int | None] = mapped_column(BigInteger)
    """Of payloads, the newest first; what is older goes."""
    changed_by: Mapped[str]
    changed_at: Mapped[datetime]


class ExpiredItems(Base):
    """How many events of a redrive retention deleted, by their outcome: its counts stay what they were."""

    __tablename__ = "expired_items"

    redrive_id: Mapped[int] = mapped_column(ForeignKey("redrives.id"), primary_key=True)
    outcome: Mapped[str] = mapped_column(primary_key=True)
    n: Mapped[int]
