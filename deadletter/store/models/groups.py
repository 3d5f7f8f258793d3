"""Groups: the counts that pages show, and the rollups beside them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from deadletter.store.models.base import NEVER_REUSED, ROLLUP, Base, Id


class Group(Base):
    """All events with one fingerprint, with the counts that pages show."""

    __tablename__ = "groups"
    __table_args__ = (
        UniqueConstraint("fingerprint"),
        Index(None, "status", "last_seen", "id"),
        Index(None, "last_seen", "id"),
        Index(None, "first_seen", "id"),
        Index(None, "assignee", "last_seen", "id"),
        Index(None, "regressed_at"),
        Index(None, "snoozed_until"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    fingerprint: Mapped[str]
    """Hex, with the version before it: `1:9f86d081…`."""
    fingerprint_version: Mapped[int]
    function_arn: Mapped[str | None]
    function_name: Mapped[str]
    """The function's name; where it is not known, the queue's."""
    error_type: Mapped[str | None]
    title: Mapped[str]
    masked_message: Mapped[str | None]
    frames: Mapped[list[str]] = mapped_column(JSON, default=list)
    """The in-app stack frames that made the fingerprint, outermost first; empty where the message made it."""
    status: Mapped[str]
    """Derived from the counts, in the statement that changes them: unresolved, else redriving, resolved, archived.

    `empty` when its last event turned out to have another cause: no list shows it, and it lives on with the next event.
    """
    first_seen: Mapped[datetime]
    last_seen: Mapped[datetime]
    n_unresolved: Mapped[int] = mapped_column(default=0)
    n_redriving: Mapped[int] = mapped_column(default=0)
    n_resolved: Mapped[int] = mapped_column(default=0)
    n_archived: Mapped[int] = mapped_column(default=0)
    assignee: Mapped[str | None]
    """Who is on it."""
    regressed_at: Mapped[datetime | None]
    """When it failed anew after it was resolved: set and cleared by the statement that derives `status`."""
    snoozed_until: Mapped[datetime | None]
    """It sleeps while this is to come and `snooze_left` is not used up: compared when read, so it wakes by itself."""
    snooze_left: Mapped[int | None]
    """How many failures more it sleeps through; None: any number. The statement that counts a failure takes it off."""


class GroupNote(Base):
    """What somebody wrote about a group. It stays whatever becomes of the events."""

    __tablename__ = "group_notes"
    __table_args__ = (Index(None, "group_id"), NEVER_REUSED)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    group_id: Mapped[int] = mapped_column(ForeignKey("groups.id"))
    at: Mapped[datetime]
    who: Mapped[str]
    text: Mapped[str]


class GroupSource(Base):
    """How many events of a group came by which source, by who wrote them: what filters groups by either."""

    __tablename__ = "group_sources"
    __table_args__ = (ROLLUP,)

    group_id: Mapped[int] = mapped_column(ForeignKey("groups.id"), primary_key=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"), primary_key=True)
    producer: Mapped[str] = mapped_column(primary_key=True)
    n: Mapped[int]


class GroupHour(Base):
    """Failures of a group in one hour. A failure that came back after a redrive counts again, in its hour."""

    __tablename__ = "group_hours"
    __table_args__ = (ROLLUP,)

    group_id: Mapped[int] = mapped_column(ForeignKey("groups.id"), primary_key=True)
    hour: Mapped[int] = mapped_column(primary_key=True)
    """Hours since 1970, UTC."""
    n: Mapped[int]


class GroupBirth(Base):
    """How many groups came into being within ten minutes, by the function that they are of. Kept for a day."""

    __tablename__ = "group_births"
    __table_args__ = (ROLLUP,)

    slot: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    """Ten minutes each, counted since 1970, UTC, by our clock."""
    function_name: Mapped[str] = mapped_column(primary_key=True)
    n: Mapped[int]
