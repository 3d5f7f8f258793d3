"""The tables: narrow rows that pages list, the raw records beside them, and counters that change with them.

`records` is custody: what AWS wrote, byte for byte, one row a message, never changed. `events` is what we make of it
and can be computed again. No page counts or scans `events`: it reads `groups`, the two hourly rollups, and one index
range.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from deadletter.store.instant import Instant

# Named constraints: without a name a migration cannot change them.
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

# SQLite counts rows up by itself only in a column that is exactly INTEGER.
Id = BigInteger().with_variant(Integer, "sqlite")

# SQLite keeps a rollup's row inside its primary key: half the pages to read.
ROLLUP = {"sqlite_with_rowid": False}

# SQLite would give the id of a deleted last row to the next one, and an id is in people's links.
NEVER_REUSED = {"sqlite_autoincrement": True}


class Base(DeclarativeBase):
    """The root of the tables."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {datetime: Instant, dict[str, Any]: JSON, str: Text, int: Integer}  # noqa: RUF012 - SQLAlchemy's


class Source(Base):
    """A place where failures land, and how reading it goes."""

    __tablename__ = "sources"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    arn: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    """`sqs`; more to come."""
    target_kind: Mapped[str | None]
    target_arn: Mapped[str | None]
    """Where its events are to be sent when their records do not say (a Lambda DLQ does not name its function)."""
    added_at: Mapped[datetime]
    collected_total: Mapped[int] = mapped_column(BigInteger, default=0)
    """Records stored from here, ever."""
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


class Group(Base):
    """All events with one fingerprint, with the counts that pages show."""

    __tablename__ = "groups"
    __table_args__ = (
        UniqueConstraint("fingerprint"),
        Index(None, "status", "last_seen", "id"),
        Index(None, "last_seen", "id"),
        Index(None, "first_seen", "id"),
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


class SourceHour(Base):
    """Failures that came by a source in one hour (of their time of failure)."""

    __tablename__ = "source_hours"
    __table_args__ = (ROLLUP,)

    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"), primary_key=True)
    hour: Mapped[int] = mapped_column(primary_key=True)
    n: Mapped[int]


class Event(Base):
    """One event that its consumer gave up on: the facts of its latest failure, and where it stands."""

    __tablename__ = "events"
    __table_args__ = (
        UniqueConstraint("request_id"),
        Index(None, "group_id", "occurred_at", "id"),
        Index(None, "group_id", "status", "occurred_at", "id"),
        Index(None, "function_name", "occurred_at", "id"),
        Index(None, "function_name", "error_type", "occurred_at", "id"),
        Index(None, "function_name", "status", "occurred_at", "id"),
        Index(None, "source_id", "occurred_at", "id"),
        Index(None, "status", "occurred_at", "id"),
        Index(None, "error_type", "occurred_at", "id"),
        Index(None, "producer", "occurred_at", "id"),
        Index(None, "occurred_at", "id"),
        Index(None, "redrive_id"),
        NEVER_REUSED,
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    group_id: Mapped[int] = mapped_column(ForeignKey("groups.id"))
    """The group of its latest failure."""
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"))
    record_id: Mapped[int | None] = mapped_column(BigInteger)
    """The record that says most.

    What a redrive sends and the page shows comes from it. (No foreign key: the two point at each other.)
    """
    status: Mapped[str]
    redrive_id: Mapped[int | None] = mapped_column(ForeignKey("redrives.id"))
    """The claim: the one open redrive that this event belongs to."""
    label: Mapped[str | None]
    """A short name out of the payload that people know it by (`ord-7741`)."""
    producer: Mapped[str]
    request_id: Mapped[str | None]
    """Of an asynchronous invocation.

    The same in every attempt, its DLQ message and its destination record; hence unique.
    """
    function_arn: Mapped[str | None]
    function_name: Mapped[str]
    qualifier: Mapped[str | None]
    condition: Mapped[str | None]
    invoke_count: Mapped[int | None]
    error_type: Mapped[str | None]
    error_message: Mapped[str | None]
    occurred_at: Mapped[datetime]
    """When it failed first; when the record does not say, when it was collected. A redrive does not change it."""
    last_failed_at: Mapped[datetime]
    """When it failed last: later than `occurred_at` once it failed again after a redrive."""
    collected_at: Mapped[datetime]
    payload_digest: Mapped[str | None]
    """SHA-256 of the payload's canonical JSON (or of its text): whether two records are of the same event."""
    payload_bytes: Mapped[int | None]
    target_kind: Mapped[str | None]
    target_arn: Mapped[str | None]
    """Where it would be sent: as its record says, else as its source says."""
    redrivable: Mapped[str]
    reason: Mapped[str | None]
    truncated: Mapped[bool] = mapped_column(default=False)
    failures: Mapped[int] = mapped_column(default=1)
    """How often it failed for good: 1, and one more for every redrive after which it failed again."""
    last_outcome: Mapped[str | None]
    """What became of it in its last redrive."""


class Record(Base):
    """One message, as AWS handed it over. Never changed; deleted only by retention."""

    __tablename__ = "records"
    __table_args__ = (
        UniqueConstraint("source_id", "message_id"),
        Index(None, "event_id"),
        Index(None, "request_id"),
        Index(None, "message_id"),
        NEVER_REUSED,
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    event_id: Mapped[int] = mapped_column(ForeignKey("events.id"))
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"))
    message_id: Mapped[str]
    body: Mapped[bytes] = mapped_column(LargeBinary)
    """UTF-8, with `surrogatepass`: what SQS's JSON can carry and UTF-8 cannot is kept as well."""
    attributes: Mapped[dict[str, Any]]
    message_attributes: Mapped[dict[str, Any]]
    request_id: Mapped[str | None]
    producer: Mapped[str]
    group_id: Mapped[int] = mapped_column(ForeignKey("groups.id"))
    """The group of the failure that this record tells of."""
    occurred_at: Mapped[datetime]
    collected_at: Mapped[datetime]
    is_failure: Mapped[bool] = mapped_column(default=True)
    """False when another record tells of the same failure, and more (DLQ and destination both set): counted once."""


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
