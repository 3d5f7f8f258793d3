"""Kinesis and DynamoDB Streams, read by sequence number: one batch, to where it ends or the stream says no more."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from deadletter.aws.clients import Purpose, client_for
from deadletter.aws.trouble import ERRORS, code_of, lookup_error
from deadletter.errors import LookupBusy
from deadletter.event import StreamRange
from deadletter.refetch import is_dynamodb

PAUSE_S = 0.25
"""Between two calls to a shard: 5 reads a second are all its readers' together (Kinesis quotas)."""

MOST_PAGES = 400
"""Pages that one try reads; the next try begins anew."""

_LIMIT = 1_000
"""Records a call: what DynamoDB allows, and a tenth of what Kinesis does."""

# What DynamoDB answers for a number that is older than what it keeps, and Kinesis for one that cannot be.
_TRIMMED = frozenset({"TrimmedDataAccessException", "InvalidArgumentException"})

Records = list[Mapping[str, Any]]


OpenClient = Callable[[str, str, Purpose], Any]


def read_range(
    where: StreamRange, *, sleep: Callable[[float], None] = time.sleep, open_client: OpenClient = client_for
) -> Records:
    """Return what the shard still has of a range, and maybe some records around it.

    Where the first number is gone, reading starts at the oldest record that the shard keeps. Whatever a service answers
    for a number that it has no more (an error, nothing, something later), that is how we know.

    Raises:
        LookupBusy: Throttled, unwell, or the end of the range did not come into sight.
        LookupRefused: No permission, no such stream or shard.
    """
    streams = open_client(where.stream_arn, _service(where), Purpose.READ)
    try:
        position = {"ShardIteratorType": "AT_SEQUENCE_NUMBER", _number_name(where): where.first}
        found = _read(streams, where, position, sleep)
        if found and int(number_of(found[0])) == int(where.first):
            return found
    except ERRORS as error:
        if code_of(error) not in _TRIMMED:
            raise lookup_error(error, action=_action(where, "GetRecords"), arn=where.stream_arn) from error
    try:
        return _read(streams, where, {"ShardIteratorType": "TRIM_HORIZON"}, sleep)
    except ERRORS as error:
        raise lookup_error(error, action=_action(where, "GetRecords"), arn=where.stream_arn) from error


def retention_s(where: StreamRange) -> int | None:
    """Return how long a Kinesis stream keeps a record, in seconds; None where it may not be read."""
    kinesis = client_for(where.stream_arn, "kinesis", Purpose.READ)
    try:
        summary = kinesis.describe_stream_summary(StreamARN=where.stream_arn)["StreamDescriptionSummary"]
        return int(summary["RetentionPeriodHours"]) * 3600
    except (*ERRORS, KeyError, ValueError):
        return None


def role_of(function_arn: str) -> str | None:
    """Return the ARN of a function's role; None where it may not be read."""
    reader = client_for(function_arn, "lambda", Purpose.READ)
    try:
        role = reader.get_function_configuration(FunctionName=function_arn).get("Role")
    except ERRORS:
        return None
    return role if isinstance(role, str) else None


def _read(
    streams: Any,  # noqa: ANN401 - a boto3 client
    where: StreamRange,
    position: Mapping[str, str],
    sleep: Callable[[float], None],
) -> Records:
    named, last = _names(where), int(where.last)
    iterator = streams.get_shard_iterator(**named, ShardId=where.shard_id, **position)["ShardIterator"]
    found: Records = []
    for _ in range(MOST_PAGES):
        given = {} if is_dynamodb(where) else named
        answer = streams.get_records(ShardIterator=iterator, Limit=_LIMIT, **given)
        found += answer["Records"]
        iterator = answer.get("NextShardIterator")
        if iterator is None or _is_past(found, last) or (not answer["Records"] and _is_at_tip(answer)):
            return found  # a page without records is by itself no end
        sleep(PAUSE_S)
    raise LookupBusy(
        f"{MOST_PAGES:,} pages of {where.shard_id} were read and sequence number {where.last} did not come into sight. "
        "We try again later."
    )


def _is_past(found: Sequence[Mapping[str, Any]], last: int) -> bool:
    return bool(found) and int(number_of(found[-1])) >= last


def _is_at_tip(answer: Mapping[str, Any]) -> bool:
    """Return whether Kinesis says that nothing newer is in the shard; DynamoDB never does."""
    return answer.get("MillisBehindLatest") == 0


def number_of(record: Mapping[str, Any]) -> str:
    """Return a record's sequence number, whichever service it is of."""
    return str(record["dynamodb"]["SequenceNumber"] if "dynamodb" in record else record["SequenceNumber"])


def _service(where: StreamRange) -> str:
    return "dynamodbstreams" if is_dynamodb(where) else "kinesis"


def _action(where: StreamRange, call: str) -> str:
    return f"{'dynamodb' if is_dynamodb(where) else 'kinesis'}:{call}"


def _names(where: StreamRange) -> dict[str, str]:
    return {"StreamArn" if is_dynamodb(where) else "StreamARN": where.stream_arn}


def _number_name(where: StreamRange) -> str:
    return "SequenceNumber" if is_dynamodb(where) else "StartingSequenceNumber"
