"""Redrives, and what became of each of their events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from deadletter.breaker import Stage
from deadletter.outcome import HELD, Outcome, RedriveStatus
from deadletter.preflight import Protection


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemRow:
    """One event in one redrive."""

    redrive_id: int
    position: int
    event_id: int
    event_label: str | None
    request_id: str | None
    target_kind: str | None
    target_arn: str | None
    outcome: Outcome
    reason: str | None
    protection: Protection | None = None
    """What its handler's idempotency record said when it was planned."""
    protection_reason: str | None = None
    edited: bool = False
    """Whether an edit is sent in the original's place."""
    sent_at: datetime | None
    sent_id: str | None
    settled_at: datetime | None
    evidence: str | None
    error_type: str | None
    error_message: str | None
    stack_trace: Sequence[str] | None
    group_id: int | None
    group_title: str | None
    record_id: int | None
    asked_by: str
    redrive_status: RedriveStatus
    failed_type: str | None
    """What the event failed with last, whatever becomes of it in this redrive."""
    failed_message: str | None
    occurred_at: datetime
    """When the event failed first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedriveRow:
    """A redrive: its plan and how far it is. Counts are by outcome and add up to `planned`."""

    id: int
    status: RedriveStatus
    title: str
    selection: Mapping[str, Any]
    targets: Sequence[Mapping[str, Any]]
    digest: str
    invocation: str
    rate: float
    asked_by: str
    planned_at: datetime
    oldest_at: datetime | None
    last_event_id: int
    started_at: datetime | None
    started_by: str | None
    sent_all_at: datetime | None
    finished_at: datetime | None
    cancelled_by: str | None
    busy_until: datetime | None
    busy_reason: str | None
    busy_count: int
    settle_s: float
    needs_approval: str | None = None
    preflight: Mapping[str, Any] | None = None
    """{"skip_done", "states", "protected", "unprotected"}; None where no target has idempotency settings."""
    edit: Mapping[str, Any] | None = None
    """{"how", "text", "by", "changed", "unchanged", "unfit"}; None where originals are sent."""
    stage: Stage = Stage.FULL
    canary: int = 0
    step: int = 0
    kept_back: int = 0
    max_failures: float = 1.0
    recent: str = ""
    share: float = 1.0
    concurrency: int | None = None
    starts_at: datetime | None = None
    window: str | None = None
    held_at: datetime | None = None
    held_by: str | None = None
    held_reason: str | None = None
    throttled_since: datetime | None = None
    planned: int
    waiting: int
    sending: int
    sent: int
    """Sent, outcome awaited."""
    succeeded: int
    failed_again: int
    skipped: int
    unknown: int

    @property
    def ended(self) -> bool:
        """Whether nothing of it will change by itself any more."""
        over = self.status in {RedriveStatus.FINISHED, RedriveStatus.CANCELLED}
        return over and not (self.sending or self.sent)

    @property
    def held(self) -> bool:
        """Whether it sends nothing until a person resumes it: paused, or tripped by the breaker."""
        return self.status in HELD

    @property
    def ever_sent(self) -> int:
        """How many were handed to the target, whatever became of them (`unknown` may have been)."""
        return self.sent + self.succeeded + self.failed_again

    @property
    def duration_s(self) -> float:
        """How long sending everything takes at this rate, in seconds."""
        return (self.planned - self.skipped) / self.rate
