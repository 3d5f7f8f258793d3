"""Events, their records, and all that one page shows of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from deadletter.event import Producer, Redrivable
from deadletter.outcome import EventStatus, Outcome
from deadletter.store.rows.redrives import ItemRow


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


class ExportRow(NamedTuple):
    """One event and its main record, as exports stream them: columns as they are stored, for a million are written.

    Times are microseconds since 1970. `body` is the record's exact text; `record_producer`, and `attributes` and
    `message_attributes` as JSON, are the record's too.
    """

    id: int
    group_id: int
    source_id: int
    status: str
    producer: str
    label: str | None
    request_id: str | None
    function_name: str
    function_arn: str | None
    qualifier: str | None
    condition: str | None
    invoke_count: int | None
    error_type: str | None
    error_message: str | None
    occurred_at: int
    last_failed_at: int
    collected_at: int
    failures: int
    last_outcome: str | None
    redrive_id: int | None
    target_kind: str | None
    target_arn: str | None
    redrivable: str
    reason: str | None
    truncated: bool
    expires_at: int | None
    record_id: int
    record_producer: str
    attributes: str
    message_attributes: str
    body: str
    group_title: str
    source_name: str


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
