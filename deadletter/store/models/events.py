"""Events, and the records that they are made of."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from deadletter.store.models.base import NEVER_REUSED, Base, Id
from deadletter.store.packed import Packed

# Events that AWS still holds something of: few, so that the index over them costs the others nothing.
_KEPT = "expires_at IS NOT NULL"
# Those that may have run, and that nobody has settled since.
_DOUBTFUL = "last_outcome = 'unknown' AND status = 'unresolved'"


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
        Index(
            # SQLite takes the index with the most equal columns, so those of its condition stand in it as well.
            "ix_events_doubtful",
            "last_outcome",
            "status",
            "id",
            sqlite_where=text(_DOUBTFUL),
            postgresql_where=text(_DOUBTFUL),
        ),
        Index(None, "expires_at", "id", sqlite_where=text(_KEPT), postgresql_where=text(_KEPT)),
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
    payload_is_json: Mapped[bool | None]
    """Whether a function could be invoked with it; None where it always could, or nobody looked."""
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
    left_record_id: Mapped[int | None] = mapped_column(BigInteger)
    """The record whose message was left in its queue: a redrive takes it from there. None where it is ours alone."""
    expires_at: Mapped[datetime | None]
    """When AWS drops what only AWS holds: the message that was left, or the batch that the record points at."""


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
    body: Mapped[bytes] = mapped_column(Packed)
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
