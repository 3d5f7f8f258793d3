"""Redrives: the plan, what became of every event, the pace of each target, and the workers that carry them out."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from deadletter.store.models.base import Base, Id

_SENDING = text("outcome = 'sending'")
_UNSETTLED = text("message_group IS NOT NULL AND outcome IN ('waiting', 'sending')")


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
    gone: Mapped[list[list[int]] | None] = mapped_column(JSON)
    """What went within the last second before the last claim: [[milliseconds of the epoch, how many], ...]."""
    pauses: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Not used any more (see `TargetPace`): workers from before still read it, so it goes in a later migration."""
    busy_until: Mapped[datetime | None]
    """Until when all of its targets are to be left alone."""
    busy_reason: Mapped[str | None]
    busy_count: Mapped[int] = mapped_column(default=0)
    """How often one of its targets asked to slow down, in a row."""
    settle_s: Mapped[float]
    needs_approval: Mapped[str | None]
    """Why a second person has to approve it before it starts, as sentences; None where nobody has to."""
    preflight: Mapped[dict[str, Any] | None]
    """The idempotency pre-flight: {"skip_done", "states": {state: n}, "protected", "unprotected"}; of those to be sent
    the last two. None where no target of the plan has settings for it."""
    edit: Mapped[dict[str, Any] | None]
    """What was changed before sending: {"how", "text", "by", "changed", "unchanged", "unfit"}; None for nothing."""
    stage: Mapped[str] = mapped_column(default="full", server_default="full")
    """While it runs: canary, ramp or full."""
    canary: Mapped[int] = mapped_column(default=0, server_default="0")
    """How many events are sent first, their outcomes awaited; 0: none, the full rate at once."""
    step: Mapped[int] = mapped_column(default=0, server_default="0")
    """Events of the canary, or of the ramp's step, that it is in."""
    kept_back: Mapped[int] = mapped_column(default=0, server_default="0")
    """So many of the waiting events may not go before this step's outcomes are known."""
    max_failures: Mapped[float] = mapped_column(default=1.0, server_default="1")
    """The share of the last outcomes that may be other than success; at 1 they never trip it."""
    recent: Mapped[str] = mapped_column(default="", server_default=text("''"))
    """The last outcomes, oldest first, a letter each (`breaker.Seen`)."""
    share: Mapped[float] = mapped_column(default=1.0, server_default="1")
    """The most of a target's reserved concurrency that it may take, 0 to 1."""
    concurrency: Mapped[int | None]
    """The most events of it in flight at once, over all workers; None: as many as the workers make calls."""
    starts_at: Mapped[datetime | None]
    """Nothing is sent before then."""
    window: Mapped[str | None]
    """The hours of every day in which it sends, as `hours.Window` writes them."""
    held_at: Mapped[datetime | None]
    """Since when it is paused or tripped; None while it is not."""
    held_by: Mapped[str | None]
    held_reason: Mapped[str | None]
    """What the breaker saw, as sentences."""
    throttled_since: Mapped[datetime | None]
    """Since when its targets have taken nothing, because they ask to slow down."""
    n_planned: Mapped[int] = mapped_column(default=0)
    n_waiting: Mapped[int] = mapped_column(default=0)
    n_sending: Mapped[int] = mapped_column(default=0)
    n_sent: Mapped[int] = mapped_column(default=0)
    n_succeeded: Mapped[int] = mapped_column(default=0)
    n_failed_again: Mapped[int] = mapped_column(default=0)
    n_skipped: Mapped[int] = mapped_column(default=0)
    n_unknown: Mapped[int] = mapped_column(default=0)


class Approval(Base):
    """A question to a second person, whether a redrive may start, and the answer."""

    __tablename__ = "approvals"
    __table_args__ = (Index(None, "redrive_id", "id"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    redrive_id: Mapped[int] = mapped_column(ForeignKey("redrives.id"))
    digest: Mapped[str]
    """Of the plan that is to be approved: of no other."""
    asked_by: Mapped[str]
    asked_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    approved: Mapped[bool | None]
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    reason: Mapped[str | None]


class RedriveItem(Base):
    """One event in one redrive: where it goes, and what became of it."""

    __tablename__ = "redrive_items"
    __table_args__ = (
        Index(None, "redrive_id", "outcome", "position"),
        Index(None, "event_id"),
        Index(None, "sent_id"),
        Index(None, "claimed_by"),
        # What is in flight to each target: a few rows, however many there are in all.
        Index(None, "target_arn", sqlite_where=_SENDING, postgresql_where=_SENDING),
        # What is not settled of each message group: by this nothing overtakes what comes before it.
        Index(None, "message_group", "message_order", sqlite_where=_UNSETTLED, postgresql_where=_UNSETTLED),
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
    message_group: Mapped[str | None]
    """A FIFO queue's ARN and the event's message group there: what must arrive in order. None where order is free."""
    message_order: Mapped[str | None]
    """Sorts the events of one group, whichever redrives they are in."""
    record_id: Mapped[int | None] = mapped_column(ForeignKey("records.id"))
    """The record of the new failure; None where the target's own answer told of it."""


class TargetPace(Base):
    """How fast one target may be sent to by all redrives and workers together, and what it said of its own limits."""

    __tablename__ = "target_paces"

    arn: Mapped[str] = mapped_column(primary_key=True)
    next_send_at: Mapped[datetime | None]
    """Kept by all redrives to it together: no send before then."""
    gone: Mapped[list[list[int]] | None] = mapped_column(JSON)
    """As a redrive's."""
    slowed_at: Mapped[datetime | None]
    """When `pace` and `width` were last taken down; they recover from then on."""
    busy_until: Mapped[datetime | None]
    """It asked to be left alone until then."""
    busy_times: Mapped[int] = mapped_column(default=0, server_default="0")
    """How often it asked that, in a row."""
    busy_reason: Mapped[str | None]
    pace: Mapped[float | None]
    """Events per second that it seemed to stand at `slowed_at`; None: it never throttled, or recovered."""
    width: Mapped[int | None]
    """Events in flight that it seemed to stand at `slowed_at`."""
    reserved_concurrency: Mapped[int | None]
    timeout_s: Mapped[float | None]
    settle_s: Mapped[float | None]
    facts_at: Mapped[datetime | None]
    """When its own limits were read; None: never, or it would not say."""


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
