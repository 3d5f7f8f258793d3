"""Batches of a stream: what is tried again after a failure, and what is written about one that was given up on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import uuid4

from sandbox.delivery import Letter
from sandbox.environment import Result
from sandbox.functions import LATEST
from sandbox.mapping import failed_ids
from sandbox.records import iso, now
from sandbox.streams import FOREVER, Source, StreamMapping, StreamRecord


class Condition(StrEnum):
    """Why Lambda gave up on a batch; not spelt as for asynchronous invocations."""

    RETRIES_EXHAUSTED = "RetryAttemptsExhausted"
    AGE_EXCEEDED = "RecordAgeExceeded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Records of one shard, in order, that a function gets together.

    `invocations` counts those in which its records were, `retries` those of them that used up an attempt: splitting a
    batch does not (Developer Guide). `last` is the latest invocation's result, `request_id` its id.
    """

    shard_id: str
    records: tuple[StreamRecord, ...]
    invocations: int = 0
    retries: int = 0
    last: Result | None = None
    request_id: str = field(default_factory=lambda: str(uuid4()))

    @property
    def event(self) -> str:
        """The event that the function gets, as JSON."""
        return json.dumps({"Records": [record.seen for record in self.records]}, separators=(",", ":"))

    def tried(self, request_id: str, result: Result) -> Batch:
        """Return the batch after one more invocation."""
        return replace(self, invocations=self.invocations + 1, last=result, request_id=request_id)

    def part(self, start: int, end: int | None = None) -> Batch:
        """Return the batch with some of its records only."""
        return replace(self, records=self.records[start:end])


def split_by_age(batch: Batch, oldest: datetime) -> tuple[Batch, Batch]:
    """Return what arrived before *oldest*, and the rest. A shard is in order, so that the old ones come first."""
    expired = sum(record.arrived_at < oldest for record in batch.records)
    return batch.part(0, expired), batch.part(expired)


def limit_of(mapping: StreamMapping, at: datetime, scale: float, slack_s: float) -> datetime | None:
    """Return before which moment a record has arrived too long ago, where *mapping* has a limit.

    A second of AWS lasts *scale* seconds; *slack_s* seconds more are granted.
    """
    if mapping.maximum_record_age_s == FOREVER:
        return None
    return at - timedelta(seconds=mapping.maximum_record_age_s * scale + slack_s)


def undone(batch: Batch, mapping: StreamMapping) -> Batch:
    """Return what the last invocation left to do: all where it failed, else what follows the lowest reported number."""
    if batch.last is None or not (batch.last.failed or mapping.partial):
        return batch.part(len(batch.records))
    numbers = [record.sequence_number for record in batch.records]
    failed = failed_ids(batch.last, numbers)
    return batch.part(next((at for at, number in enumerate(numbers) if number in failed), len(numbers)))


def halves(batch: Batch) -> Sequence[Batch]:
    """Return the batch in two, the first half not the smaller one."""
    middle = (len(batch.records) + 1) // 2
    return [batch.part(0, middle), batch.part(middle)]


def is_spent(batch: Batch, mapping: StreamMapping) -> bool:
    """Say whether the batch has no retry left."""
    return mapping.maximum_retry_attempts != FOREVER and batch.retries >= mapping.maximum_retry_attempts


def batch_letter(
    batch: Batch, condition: Condition, *, mapping: StreamMapping, function_arn: str, source: Source
) -> Letter:
    """Return the failure record: a pointer into the stream; in a bucket with the event, as escaped JSON text.

    A batch that expired has no `responseContext`, and is counted as invoked once even where it never was: as seen on
    AWS.
    """
    record = {
        "requestContext": {
            "requestId": batch.request_id,
            "functionArn": function_arn,
            "condition": condition,
            "approximateInvokeCount": max(1, batch.invocations),
        },
        **_response_context(batch, condition),
        "version": "1.0",
        "timestamp": iso(now()),
        source.batch_info: _range(batch, mapping, source.timespec),
    }
    stored = json.dumps({**record, "payload": batch.event}, separators=(",", ":"))
    body = json.dumps(record, separators=(",", ":"))
    return Letter(body=body, stored=stored, folder=f"{mapping.uuid}/{batch.shard_id}", traced=False)


def _response_context(batch: Batch, condition: Condition) -> dict[str, object]:
    if condition is Condition.AGE_EXCEEDED or batch.last is None:
        return {}
    error = "Unhandled" if batch.last.failed else None
    return {"responseContext": {"statusCode": 200, "executedVersion": LATEST, "functionError": error}}


def _range(batch: Batch, mapping: StreamMapping, timespec: str) -> dict[str, str | int]:
    first, last = batch.records[0], batch.records[-1]
    return {
        "shardId": batch.shard_id,
        "startSequenceNumber": first.sequence_number,
        "endSequenceNumber": last.sequence_number,
        "approximateArrivalOfFirstRecord": iso(first.arrived_at, timespec),
        "approximateArrivalOfLastRecord": iso(last.arrived_at, timespec),
        "batchSize": len(batch.records),
        "streamArn": mapping.stream_arn,
    }
