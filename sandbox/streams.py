"""Streams as event sources: Kinesis data streams and the streams of DynamoDB tables, both read shard by shard."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import NAMESPACE_URL, uuid5

from sandbox.clients import Clients
from sandbox.functions import REGION, one_of, within

FOREVER = -1
MOST_RETRIES = 10_000
MIN_RECORD_AGE_S, MAX_RECORD_AGE_S = 60, 604_800
MOST_RECORDS = 10_000
"""Limits of CreateEventSourceMapping (API reference)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamMapping:
    """A stream as a function's event source, with the settings as AWS names them.

    `maximum_retry_attempts` and `maximum_record_age_s` (seconds) may be `FOREVER`, which they are unless told
    otherwise. `partial` is ReportBatchItemFailures.
    """

    stream_arn: str
    function_name: str
    batch_size: int = 100
    starting_position: str = "TRIM_HORIZON"
    maximum_retry_attempts: int = FOREVER
    maximum_record_age_s: int = FOREVER
    bisect: bool = False
    partial: bool = False
    on_failure_arn: str | None = None
    last_modified: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __post_init__(self) -> None:
        one_of(self.stream_arn, SOURCES, "EventSourceArn")
        one_of(self.on_failure_arn, {"sqs", "sns", "s3"}, "DestinationConfig")
        within(self.batch_size, 1, MOST_RECORDS, "BatchSize")
        within(self.maximum_retry_attempts, FOREVER, MOST_RETRIES, "MaximumRetryAttempts")
        if self.maximum_record_age_s != FOREVER:
            within(self.maximum_record_age_s, MIN_RECORD_AGE_S, MAX_RECORD_AGE_S, "MaximumRecordAgeInSeconds")

    @property
    def source_arn(self) -> str:
        """What is polled."""
        return self.stream_arn

    @property
    def uuid(self) -> str:
        """The mapping's id: the same for the same stream and function."""
        return str(uuid5(NAMESPACE_URL, f"{self.stream_arn} {self.function_name}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamRecord:
    """One record: its place in the shard, when it arrived, and how a function sees it."""

    sequence_number: str
    arrived_at: datetime
    seen: dict[str, Any]


class Source(Protocol):
    """A stream, whichever service has it.

    `batch_info` is what a failure record calls its range, `timespec` how exactly it tells the arrivals there, `grain_s`
    how many seconds an arrival may be later than the stream says.
    """

    batch_info: str
    timespec: str
    grain_s: float

    def shards(self) -> list[str]:
        """Return the ids of the stream's shards."""

    def iterator(self, shard_id: str, position: dict[str, str]) -> str:
        """Return an iterator at *position* of a shard."""

    def read(self, shard_id: str, iterator: str, most: int) -> tuple[list[StreamRecord], str | None]:
        """Return up to *most* records, and the iterator behind them: None where the shard has ended."""


class KinesisSource:
    """A Kinesis data stream."""

    batch_info = "KinesisBatchInfo"
    timespec = "milliseconds"
    grain_s = 0.0

    def __init__(self, clients: Clients, stream_arn: str, role_arn: str) -> None:
        self._client = clients("kinesis")
        self._arn = stream_arn
        self._role_arn = role_arn

    def shards(self) -> list[str]:
        """Return the ids of the stream's shards."""
        return [shard["ShardId"] for shard in self._client.list_shards(StreamARN=self._arn)["Shards"]]

    def iterator(self, shard_id: str, position: dict[str, str]) -> str:
        """Return an iterator at *position* of a shard."""
        if "SequenceNumber" in position:
            position = {**position, "StartingSequenceNumber": position["SequenceNumber"]}
            del position["SequenceNumber"]
        answer = self._client.get_shard_iterator(StreamARN=self._arn, ShardId=shard_id, **position)
        return str(answer["ShardIterator"])

    def read(self, shard_id: str, iterator: str, most: int) -> tuple[list[StreamRecord], str | None]:
        """Return up to *most* records, and the iterator behind them: None where the shard has ended."""
        answer = self._client.get_records(StreamARN=self._arn, ShardIterator=iterator, Limit=most)
        return [self._record(shard_id, each) for each in answer["Records"]], answer.get("NextShardIterator")

    def _record(self, shard_id: str, record: Any) -> StreamRecord:  # noqa: ANN401 - boto3's dict
        number, arrived_at = record["SequenceNumber"], record["ApproximateArrivalTimestamp"]
        seen = {
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": record["PartitionKey"],
                "sequenceNumber": number,
                "data": base64.b64encode(record["Data"]).decode(),
                "approximateArrivalTimestamp": round(arrived_at.timestamp(), 3),
            },
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": f"{shard_id}:{number}",
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": self._role_arn,
            "awsRegion": REGION,
            "eventSourceARN": self._arn,
        }
        return StreamRecord(sequence_number=number, arrived_at=arrived_at, seen=seen)


class TableSource:
    """The stream of a DynamoDB table, which tells times in whole seconds."""

    batch_info = "DDBStreamBatchInfo"
    timespec = "seconds"
    grain_s = 1.0

    def __init__(self, clients: Clients, stream_arn: str, _role_arn: str) -> None:
        self._client = clients("dynamodbstreams")
        self._arn = stream_arn

    def shards(self) -> list[str]:
        """Return the ids of the stream's shards."""
        stream = self._client.describe_stream(StreamArn=self._arn)["StreamDescription"]
        return [shard["ShardId"] for shard in stream["Shards"]]

    def iterator(self, shard_id: str, position: dict[str, str]) -> str:
        """Return an iterator at *position* of a shard."""
        answer = self._client.get_shard_iterator(StreamArn=self._arn, ShardId=shard_id, **position)
        return str(answer["ShardIterator"])

    def read(self, _shard_id: str, iterator: str, most: int) -> tuple[list[StreamRecord], str | None]:
        """Return up to *most* records, and the iterator behind them: None where the shard has ended."""
        answer = self._client.get_records(ShardIterator=iterator, Limit=min(most, 1000))
        return [self._record(each) for each in answer["Records"]], answer.get("NextShardIterator")

    def _record(self, record: Any) -> StreamRecord:  # noqa: ANN401 - boto3's dict
        change = record["dynamodb"]
        arrived_at = change["ApproximateCreationDateTime"]
        seen = {
            **{name: record[name] for name in ("eventID", "eventName", "eventVersion", "eventSource", "awsRegion")},
            "dynamodb": _textual({**change, "ApproximateCreationDateTime": arrived_at.timestamp()}),
            **_identity(record),
            "eventSourceARN": self._arn,
        }
        return StreamRecord(sequence_number=change["SequenceNumber"], arrived_at=arrived_at, seen=seen)


SOURCES: dict[str, Callable[[Clients, str, str], Source]] = {"kinesis": KinesisSource, "dynamodb": TableSource}


def open_source(clients: Clients, stream_arn: str, role_arn: str) -> Source:
    """Return the stream *stream_arn*, read as the role *role_arn*."""
    return SOURCES[stream_arn.split(":")[2]](clients, stream_arn, role_arn)


def _textual(value: Any) -> Any:  # noqa: ANN401 - an item in DynamoDB's JSON
    """Return *value* with its bytes as base64 text, as a function sees them."""
    if isinstance(value, dict):
        return {name: _textual(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_textual(each) for each in value]
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def _identity(record: Any) -> dict[str, dict[str, str]]:  # noqa: ANN401 - boto3's dict
    """Return who deleted an item that expired, in the lower case of Lambda's events."""
    who = record.get("userIdentity")
    return {"userIdentity": {"principalId": who["PrincipalId"], "type": who["Type"]}} if who else {}
