"""Discoveries, and what they found out about who sends what."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from deadletter.store.models.base import Base, Id


class Discovery(Base):
    """One reading of the accounts' listings: its life, and what was read."""

    __tablename__ = "discoveries"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    status: Mapped[str]
    asked_by: Mapped[str]
    asked_at: Mapped[datetime]
    worker: Mapped[str | None]
    seen_at: Mapped[datetime | None]
    """When its worker last said that it is at it."""
    finished_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    calls: Mapped[int] = mapped_column(default=0)
    doing: Mapped[str] = mapped_column(default="")
    """Which call it is at, in words."""
    scans: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    """One for each account and Region that is done: {"account", "region", "facts", "refused", "calls", "seconds"}."""
    error: Mapped[str | None]


class Sender(Base):
    """Which function writes with which role to a source whose messages do not name it."""

    __tablename__ = "senders"

    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"), primary_key=True)
    role_id: Mapped[str] = mapped_column(primary_key=True)
    function_arn: Mapped[str]


class DiscoveredTarget(Base):
    """What the newest discovery of an account and Region showed that a redrive could send to."""

    __tablename__ = "discovered_targets"

    reach: Mapped[str] = mapped_column(primary_key=True)
    """Account and Region with a slash between; each is empty where it is the one that boto3 finds."""
    arn: Mapped[str] = mapped_column(primary_key=True)
