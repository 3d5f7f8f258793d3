"""What reading the store returns: one frozen row type for each thing that pages, reports and the command line show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from deadletter.breaker import Stage
from deadletter.event import Producer, Redrivable
from deadletter.outcome import HELD, EventStatus, GroupState, Outcome, RedriveStatus
from deadletter.preflight import Protection

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows, and the opaque cursor of the next page (None on the last)."""

    rows: Sequence[T]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """How many; `exact` is False when counting stopped at a limit ("1,000+")."""

    n: int
    exact: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusCounts:
    """Events by status."""

    unresolved: int = 0
    redriving: int = 0
    resolved: int = 0
    archived: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.unresolved + self.redriving + self.resolved + self.archived


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRow:
    """A source, as the overview and the worker see it; `growth_*`: failures this hour so far, and the hour before.

    `senders` are functions by role id, where several leave their failures there and only the SenderId tells which; they
    are there for whoever asks for them.
    """

    id: int
    arn: str
    name: str
    kind: str
    target_kind: str | None
    target_arn: str | None
    added_at: datetime
    collected_total: int
    last_collected_at: datetime | None
    depth: int | None
    in_flight: int | None
    retention_s: int | None
    oldest_sent_at: datetime | None
    state_at: datetime | None
    error: str | None
    error_since: datetime | None
    next_try_at: datetime | None
    mode: str = "collect"
    paused_at: datetime | None = None
    removed_at: datetime | None = None
    redrives_to: str | None = None
    skipped: int = 0
    """Objects under its prefix that are left alone; see `list_skipped`."""
    growth_last_hour: int = 0
    growth_hour_before: int = 0
    senders: Mapping[str, str] = field(default_factory=dict)

    @property
    def observed(self) -> bool:
        """Whether what lies there is copied and left."""
        return self.mode == "observe"

    @property
    def expires_at(self) -> datetime | None:
        """When AWS drops the oldest message still in the queue; None when it is empty or its retention is not known."""
        if not self.depth or self.oldest_sent_at is None or self.retention_s is None:
            return None
        return self.oldest_sent_at + timedelta(seconds=self.retention_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class SkippedRow:
    """An object that is left where it lies: its key, its size in bytes, and why."""

    source_id: int
    name: str
    size: int | None
    reason: str
    skipped_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRow:
    """A group, as lists and its own page show it.

    `spark` holds the failures in each 4 hours of the last 7 days, oldest first: 42 numbers.
    """

    id: int
    fingerprint: str
    fingerprint_version: int
    function_arn: str | None
    function_name: str
    error_type: str | None
    title: str
    masked_message: str | None
    frames: Sequence[str]
    status: EventStatus
    first_seen: datetime
    last_seen: datetime
    counts: StatusCounts
    sources: Sequence[str] = ()
    """Names of the sources that its events came by."""
    spark: Sequence[int] = ()
    assignee: str | None = None
    regressed_at: datetime | None = None
    snoozed_until: datetime | None = None
    snooze_left: int | None = None
    snoozed: bool = False
    """Whether it is asleep now."""
    notes: int = 0
    """How many notes there are on it."""

    @property
    def standing(self) -> str:
        """Where it stands in one word: its status, or `snoozed` or `regressed` where that says more."""
        if self.status is not EventStatus.UNRESOLVED:
            return self.status
        return GroupState.SNOOZED if self.snoozed else GroupState.REGRESSED if self.regressed_at else self.status


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteRow:
    """What somebody wrote about a group."""

    id: int
    at: datetime
    who: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LookupRow:
    """What was looked up for an event, and what of its batch is lost: see `models.Lookup`."""

    status: str
    said: str | None
    deadline_at: datetime | None
    next_try_at: datetime | None
    found_at: datetime | None
    fetched: int | None
    lost: int | None
    lost_first: str | None
    lost_last: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """One event in a list."""

    id: int
    group_id: int
    group_title: str
    source_id: int
    source_name: str
    status: EventStatus
    redrive_id: int | None
    label: str | None
    producer: Producer
    request_id: str | None
    function_arn: str | None
    function_name: str
    qualifier: str | None
    condition: str | None
    invoke_count: int | None
    error_type: str | None
    error_message: str | None
    occurred_at: datetime
    last_failed_at: datetime
    collected_at: datetime
    payload_bytes: int | None
    target_kind: str | None
    target_arn: str | None
    redrivable: Redrivable
    reason: str | None
    truncated: bool
    failures: int
    last_outcome: Outcome | None
    left_record_id: int | None = None
    expires_at: datetime | None = None
    """When AWS drops what only AWS still holds of it; None where all of it is ours."""
    lookup: LookupRow | None = None
    """What was looked up for it; None where its record leaves nothing out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRow:
    """One message as AWS handed it over; `body` is its exact text."""

    id: int
    event_id: int
    source_id: int
    source_name: str
    source_arn: str
    message_id: str
    body: str
    attributes: Mapping[str, str]
    message_attributes: Mapping[str, Mapping[str, str]]
    producer: Producer
    group_id: int
    occurred_at: datetime
    collected_at: datetime
    is_failure: bool


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRow:
    """One event and its main record, as exports stream them."""

    event: EventRow
    main: RecordRow


@dataclass(frozen=True, slots=True, kw_only=True)
class EventDetail:
    """An event's whole life: its facts, every record of it and every redrive, oldest first.

    `main` is the record that says most: the one that a redrive sends and the page shows. `fetched` is the batch that
    such a record only points at.
    """

    event: EventRow
    main: RecordRow
    records: Sequence[RecordRow]
    items: Sequence[ItemRow]
    fetched: str | None = None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRow:
    """A worker and when it was last heard of.

    `lead` is the worker that a helping process belongs to. `activity` is what its threads did when it was last heard
    of: events per second by source (`collecting`) and target (`sending`, with the calls that are out), and `threads`.
    """

    id: str
    started_at: datetime
    seen_at: datetime
    doing: str
    lead: str | None = None
    activity: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facets:
    """What there is to filter by, each with its number of unresolved events, most first."""

    functions: Sequence[tuple[str, int]] = ()
    error_types: Sequence[tuple[str, int]] = ()
    sources: Sequence[tuple[int, str]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportCause:
    """One group in a report, counted within the report's time and filter, with one failure as a sample."""

    group: GroupRow
    events: int
    open: int
    resolved: int
    sample: EventDetail | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFacts:
    """Everything that a report says, read in one go. `hours`: (hour since 1970, failures), gaps left out."""

    since: datetime
    until: datetime
    events: int
    counts: StatusCounts
    hours: Sequence[tuple[int, int]]
    functions: Sequence[tuple[str, int, int]]
    """(function, events, still open), most first."""
    causes: Sequence[ReportCause]
    redrives: Sequence[RedriveRow]
    outcomes: Mapping[str, int] = field(default_factory=dict)
    """Outcomes of the events of the report in their redrives."""
    presumed: int = 0
    """How many of the successes are presumed: nothing came back within the settling time."""
