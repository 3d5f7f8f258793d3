"""Counters for monitoring, which only grow."""

from __future__ import annotations

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from deadletter.store.models.base import Base


class TargetTotal(Base):
    """What was ever redriven to one target, and what became of it."""

    __tablename__ = "target_totals"

    target_arn: Mapped[str] = mapped_column(primary_key=True)
    redriven: Mapped[int] = mapped_column(BigInteger, default=0)
    """Handed to the target, whatever became of it."""
    succeeded: Mapped[int] = mapped_column(BigInteger, default=0)
    failed_again: Mapped[int] = mapped_column(BigInteger, default=0)
    unknown: Mapped[int] = mapped_column(BigInteger, default=0)
