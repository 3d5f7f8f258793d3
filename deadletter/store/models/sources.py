"""Sources, and the failures that came by each, by the hour."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from deadletter.store.models.base import ROLLUP, Base, Id


class Source(Base):
    """A place where failures land, and how reading it goes."""

    __tablename__ = "sources"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    arn: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    """`sqs`: a queue that we poll; `s3`: a prefix that we list; `push`: what hands its failures to our function."""
    mode: Mapped[str] = mapped_column(server_default="collect")
    """`collect`: stored, then deleted there; `observe`: copied and left."""
    paused_at: Mapped[datetime | None]
    removed_at: Mapped[datetime | None]
    """Nothing is collected from it any more, and no list shows it; its events stay."""
    redrives_to: Mapped[str | None]
    """The DLQ that this queue's own redrive policy names: every receive counts towards moving a message on."""
    cursor: Mapped[str | None]
    """How far a listing that is under way has come: the last key that was dealt with, as a JSON text."""
    target_kind: Mapped[str | None]
    target_arn: Mapped[str | None]
    """Where its events are to be sent when their records do not say (a Lambda DLQ does not name its function)."""
    added_at: Mapped[datetime]
    collected_total: Mapped[int] = mapped_column(BigInteger, default=0)
    """Records stored from here, ever."""
    expired_total: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    """How many of them retention has deleted since."""
    last_collected_at: Mapped[datetime | None]
    """When the last receive answered, empty or not."""
    depth: Mapped[int | None]
    in_flight: Mapped[int | None]
    retention_s: Mapped[int | None]
    oldest_sent_at: Mapped[datetime | None]
    """SentTimestamp of the oldest message of the last receive that was not empty."""
    state_at: Mapped[datetime | None]
    """When depth, in_flight and retention_s were read."""
    error: Mapped[str | None]
    """Why it cannot be read, as a sentence; None while it can."""
    error_since: Mapped[datetime | None]
    next_try_at: Mapped[datetime | None]
    """Backing off until then."""


class SkippedObject(Base):
    """An object under a source's prefix that is left alone, and why."""

    __tablename__ = "skipped_objects"

    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"), primary_key=True)
    message_id: Mapped[str] = mapped_column(primary_key=True)
    """Key and ETag: what would be its record's message id."""
    name: Mapped[str]
    """Its key."""
    size: Mapped[int | None] = mapped_column(BigInteger)
    reason: Mapped[str]
    skipped_at: Mapped[datetime]


class SourceHour(Base):
    """Failures that came by a source in one hour (of their time of failure)."""

    __tablename__ = "source_hours"
    __table_args__ = (ROLLUP,)

    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"), primary_key=True)
    hour: Mapped[int] = mapped_column(primary_key=True)
    n: Mapped[int]
