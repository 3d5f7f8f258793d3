"""What a batch is made of again: records fetched by number to the exact event of Lambda, and what is lost. Pure.

The shapes are those that AWS hands to functions (guides "with-kinesis", "with-ddb") and to pipes.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from deadletter.errors import TargetRefused
from deadletter.event import Json, StreamRange, TargetKind, name_of, region_of
from deadletter.route import Route
from deadletter.transform import transform_record

DYNAMODB_RETENTION_S = 86_400
"""How long a DynamoDB stream keeps a record; nobody can change it."""

Fetched = Sequence[Mapping[str, Any]]
"""Records as boto3 returns them: bytes, datetimes and all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What came of fetching a batch.

    `records` are as a function sees them, oldest first. `lost_first` and `lost_last` bound the sequence numbers that
    the stream does not have any more, both included; None where nothing is lost. `lost` is how many records that are;
    None where the record did not say how many there were. `said` is all that in words.
    """

    records: Sequence[Json]
    lost_first: str | None = None
    lost_last: str | None = None
    lost: int | None = None
    said: str | None = None


class LookupStatus(StrEnum):
    """Where looking up stands. `partial`: a part of the batch is lost, the rest can be sent."""

    WAITING = "waiting"
    FOUND = "found"
    PARTIAL = "partial"
    LOST = "lost"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What asking once came to. `retry_after_s` says in how many seconds to ask again; None: never again."""

    status: LookupStatus
    said: str | None = None
    retry_after_s: float | None = None
    deadline_at: datetime | None = None
    batch: Batch | None = None
    payload_text: str | None = None
    route: Route | None = None


def rebuild_batch(where: StreamRange, fetched: Fetched, *, role_arn: str | None) -> Batch:
    """Return the batch that *fetched* makes, and what of it is lost.

    Args:
        where: The range, as the failure record gives it.
        fetched: What the stream returned, in any order and beyond the range at both ends.
        role_arn: The function's role, for `invokeIdentityArn`; left out of the event where it is not known.
    """
    first, last = int(where.first), int(where.last)
    numbered = sorted({_number(record): record for record in fetched}.items())
    inside = [(number, record) for number, record in numbered if first <= number <= last]
    records = [_seen(record, where, role_arn) for _, record in inside]
    if not inside:
        return _all_lost(where)
    if inside[0][0] != first:
        return _front_lost(where, records, inside[0][0])
    return Batch(records=records, said=_count_differs(where, len(records)))


def deadline(where: StreamRange, retention_s: int | None) -> datetime | None:
    """Return when the stream forgets the first record of the batch; None where that cannot be known."""
    if where.first_arrived_at is None or retention_s is None:
        return None
    return where.first_arrived_at + timedelta(seconds=retention_s)


def is_dynamodb(where: StreamRange) -> bool:
    """Return whether the stream is a DynamoDB table's."""
    return where.stream_arn.split(":")[2] == "dynamodb"


def lambda_event(records: Sequence[Json]) -> str:
    """Return what an event source mapping hands to its function."""
    return json.dumps({"Records": list(records)})


_TAKE_LISTS = frozenset({TargetKind.LAMBDA, TargetKind.STEP_FUNCTIONS})


def pipe_input(records: Sequence[Json], route: Route) -> str:
    """Return what a pipe hands to its target, from AWS's guide "eb-pipes-batching-concurrency".

    A function or a state machine gets one list, even of one record; anything else gets each record by itself.

    Raises:
        TargetRefused: The pipe's template holds a path that we cannot follow, or several records go one by one.
    """
    made = [_pipe_record(record, route.template) for record in records]
    if route.target.kind in _TAKE_LISTS:
        return f"[{', '.join(made)}]"
    if len(made) == 1:
        return made[0]
    raise TargetRefused(
        f"The pipe hands each of the batch's {len(made):,} records to {name_of(route.target.arn)} by itself, and a "
        "redrive sends one event as one message. Name a function that takes the list of them, or send them by hand."
    )


def pipe_list(records: Sequence[Json]) -> str:
    """Return a pipe's batch as it read it: a bare list, Kinesis's fields beside the others."""
    return json.dumps([_flat(record) for record in records])


def _pipe_record(record: Json, template: str | None) -> str:
    return json.dumps(_flat(record)) if template is None else transform_record(_readable(_flat(record)), template)


def _flat(record: Json) -> dict[str, Json]:
    return {**record.get("kinesis", {}), **_without(record, "kinesis")}


def _seen(record: Mapping[str, Any], where: StreamRange, role_arn: str | None) -> Json:
    return _seen_dynamodb(record, where) if "dynamodb" in record else _seen_kinesis(record, where, role_arn)


def _seen_kinesis(record: Mapping[str, Any], where: StreamRange, role_arn: str | None) -> Json:
    number = record["SequenceNumber"]
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": record["PartitionKey"],
            "sequenceNumber": number,
            "data": base64.b64encode(record["Data"]).decode("ascii"),
            "approximateArrivalTimestamp": round(record["ApproximateArrivalTimestamp"].timestamp(), 3),
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{where.shard_id}:{number}",
        "eventName": "aws:kinesis:record",
        **({"invokeIdentityArn": role_arn} if role_arn else {}),
        "awsRegion": region_of(where.stream_arn),
        "eventSourceARN": where.stream_arn,
    }


def _seen_dynamodb(record: Mapping[str, Any], where: StreamRange) -> Json:
    names = ("eventID", "eventName", "eventVersion", "eventSource", "awsRegion")
    return {
        **{name: record[name] for name in names if name in record},
        "dynamodb": _as_json(record["dynamodb"]),
        **({"userIdentity": _identity(record["userIdentity"])} if record.get("userIdentity") else {}),
        "eventSourceARN": where.stream_arn,
    }


def _identity(who: Mapping[str, Any]) -> Json:
    """Return who deleted an item that expired: boto3 says `PrincipalId` and `Type`, the event both in lower case."""
    return {name[:1].lower() + name[1:]: value for name, value in who.items()}


def _as_json(value: Any) -> Json:  # noqa: ANN401 - an item in DynamoDB's JSON
    """Return *value* as JSON has it: bytes in base64, times as seconds since 1970."""
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, Mapping):
        return {name: _as_json(part) for name, part in value.items()}
    return [_as_json(part) for part in value] if isinstance(value, list | tuple | set) else value


def _number(record: Mapping[str, Any]) -> int:
    return int(record["dynamodb"]["SequenceNumber"] if "dynamodb" in record else record["SequenceNumber"])


def _all_lost(where: StreamRange) -> Batch:
    count = "all its records" if where.size is None else f"{where.size:,} of its {where.size:,} records"
    said = f"The stream does not keep this batch any more: {count}, {_span(where.first, where.last)}, are lost."
    return Batch(records=[], lost_first=where.first, lost_last=where.last, lost=where.size, said=said)


def _front_lost(where: StreamRange, records: Sequence[Json], first_found: int) -> Batch:
    lost = None if where.size is None else max(0, where.size - len(records))
    last_lost = str(first_found - 1)
    many = "an unknown number of" if lost is None else f"{lost:,} of its {where.size:,}"
    said = (
        f"Part of this batch is lost: {many} records, {_span(where.first, last_lost)}, are gone from the stream. "
        f"The rest ({len(records):,}), from {first_found} on, was fetched and can be sent."
    )
    return Batch(records=records, lost_first=where.first, lost_last=last_lost, lost=lost, said=said)


def _span(first: str, last: str) -> str:
    return f"with sequence numbers from {first} to {last}"


def _count_differs(where: StreamRange, found: int) -> str | None:
    """Say what it means where the range holds more or fewer records than the batch had."""
    if where.size is None or found == where.size:
        return None
    if found > where.size:
        return (
            f"The batch had {where.size:,} records, and its range in the shard holds {found:,}: the others are of "
            "batches that ran beside it (ParallelizationFactor), or were filtered out. All of them would be sent."
        )
    return f"The batch had {where.size:,} records, and its range in the shard holds only {found:,} now."


def _readable(record: Mapping[str, Json]) -> Mapping[str, Json]:
    """Return *record* as a pipe's paths see it: data that is JSON in base64 is decoded for them."""
    try:
        return {**record, "data": json.loads(base64.b64decode(record["data"]))}
    except (KeyError, ValueError, TypeError):
        return record


def _without(record: Mapping[str, Json], name: str) -> Mapping[str, Json]:
    return {key: value for key, value in record.items() if key != name}


def numbers(records: Iterable[Json]) -> Sequence[str]:
    """Return the sequence numbers of a Lambda event's records; empty texts where one has none."""
    return [_number_seen(record) for record in records]


def _number_seen(record: Json) -> str:
    inner = record.get("kinesis", record.get("dynamodb", {})) if isinstance(record, dict) else {}
    number = inner.get("sequenceNumber", inner.get("SequenceNumber", "")) if isinstance(inner, dict) else ""
    return number if isinstance(number, str) else ""
