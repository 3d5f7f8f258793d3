"""Redrives: the plan, what became of every event, and the workers that carry them out."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from deadletter.store.models.base import Base, Id


class Redrive(Base):
    """Sending failed events to a target again: its plan, its life, and counts of what became of every event."""

    __tablename__ = "redrives"
    __table_args__ = (Index(None, "status"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    status: Mapped[str]
    title: Mapped[str]
    """What was chosen, in words: `PaymentError in orders-capture`, `3 selected events`."""
    selection: Mapped[dict[str, Any]]
    """What was chosen, as data: {"filter": query} or {"events": [ids]}."""
    targets: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    """The plan's lines: [{"kind", "arn", "count", "why", "invocation"}], most events first."""
    digest: Mapped[str]
    invocation: Mapped[str]
    """Of Lambda targets: RequestResponse or Event."""
    rate: Mapped[float]
    asked_by: Mapped[str]
    planned_at: Mapped[datetime]
    oldest_at: Mapped[datetime | None]
    """Time of failure of the oldest event in the plan."""
    last_event_id: Mapped[int] = mapped_column(BigInteger, default=0)
    """The highest event id when the plan was frozen: later arrivals are counted from here."""
    started_at: Mapped[datetime | None]
    started_by: Mapped[str | None]
    sent_all_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    cancelled_by: Mapped[str | None]
    next_send_at: Mapped[datetime | None]
    """The rate, kept by all workers together: no send before then, and each moves it on by 1/rate."""
    pauses: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Targets that asked to be left alone: {arn: {"until": microseconds since 1970, "times": how often in a row}}."""
    busy_until: Mapped[datetime | None]
    """Until when all of its targets are to be left alone."""
    busy_reason: Mapped[str | None]
    busy_count: Mapped[int] = mapped_column(default=0)
    """How often one of its targets asked to slow down, in a row."""
    settle_s: Mapped[float]
    preflight: Mapped[dict[str, Any] | None]
    """The idempotency pre-flight: {"skip_done", "states": {state: n}, "protected", "unprotected"}; of those to be sent
    the last two. None where no target of the plan has settings for it."""
    edit: Mapped[dict[str, Any] | None]
    """What was changed before sending: {"how", "text", "by", "changed", "unchanged", "unfit"}; None for nothing."""
    n_planned: Mapped[int] = mapped_column(default=0)
    n_waiting: Mapped[int] = mapped_column(default=0)
    n_sending: Mapped[int] = mapped_column(default=0)
    n_sent: Mapped[int] = mapped_column(default=0)
    n_succeeded: Mapped[int] = mapped_column(default=0)
    n_failed_again: Mapped[int] = mapped_column(default=0)
    n_skipped: Mapped[int] = mapped_column(default=0)
    n_unknown: Mapped[int] = mapped_column(default=0)


class RedriveItem(Base):
    """One event in one redrive: where it goes, and what became of it."""

    __tablename__ = "redrive_items"
    __table_args__ = (
        Index(None, "redrive_id", "outcome", "position"),
        Index(None, "event_id"),
        Index(None, "sent_id"),
        Index(None, "claimed_by"),
    )

    redrive_id: Mapped[int] = mapped_column(ForeignKey("redrives.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    """The order of sending: oldest failure first."""
    event_id: Mapped[int] = mapped_column(ForeignKey("events.id"))
    target_kind: Mapped[str | None]
    target_arn: Mapped[str | None]
    outcome: Mapped[str]
    reason: Mapped[str | None]
    """Why it was skipped, or is unknown."""
    protection: Mapped[str | None]
    """What its handler's idempotency record said when it was planned; see `deadletter.preflight`."""
    protection_reason: Mapped[str | None]
    edited: Mapped[bool | None]
    """Whether `edits` holds what is sent in the original's place."""
    claimed_by: Mapped[str | None]
    sent_at: Mapped[datetime | None]
    sent_id: Mapped[str | None]
    """Lambda's request id or SQS's message id: how a later failure is known to be this one."""
    settled_at: Mapped[datetime | None]
    evidence: Mapped[str | None]
    error_type: Mapped[str | None]
    error_message: Mapped[str | None]
    stack_trace: Mapped[list[str] | None] = mapped_column(JSON)
    group_id: Mapped[int | None] = mapped_column(ForeignKey("groups.id"))
    """The group of the new failure."""
    record_id: Mapped[int | None] = mapped_column(ForeignKey("records.id"))
    """The record of the new failure; None where the target's own answer told of it."""


class Worker(Base):
    """A living worker: what it claimed becomes `unknown` when it has been silent for the lease."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(primary_key=True)
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    doing: Mapped[str] = mapped_column(default="")
    lead: Mapped[str | None]
    """The worker that this helping process belongs to."""
    activity: Mapped[dict[str, Any] | None]
    """What it does right now: {"collecting": {arn: per second}, "sending": {arn: {...}}, "threads": [{...}]}."""
