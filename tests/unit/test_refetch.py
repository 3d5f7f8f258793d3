"""Batches made again: the exact events that AWS hands over, and what is lost, number by number."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deadletter import refetch
from deadletter.errors import TargetRefused
from deadletter.event import FailedEvent, StreamRange, TargetKind, TargetRef
from deadletter.parse import parse_message, read_entry
from deadletter.refetch import Batch, rebuild_batch
from deadletter.route import Route

EVENTS = Path(__file__).parents[1] / "events"
ROLE = "arn:aws:iam::210987654321:role/clicks-aggregate-role"


def event_of(name: str) -> FailedEvent:
    return parse_message(read_entry((EVENTS / name).read_text()))


def where(name: str) -> StreamRange:
    stream = event_of(name).stream
    assert stream is not None
    return stream


def recorded(name: str) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = json.loads((EVENTS / name).read_text())["Records"]
    return records


def kinesis_answer(seen: dict[str, Any]) -> dict[str, Any]:
    """What GetRecords returns for what a function sees."""
    inner = seen["kinesis"]
    return {
        "SequenceNumber": inner["sequenceNumber"],
        "PartitionKey": inner["partitionKey"],
        "Data": base64.b64decode(inner["data"]),
        "ApproximateArrivalTimestamp": datetime.fromtimestamp(inner["approximateArrivalTimestamp"], UTC),
    }


def dynamodb_answer(seen: dict[str, Any]) -> dict[str, Any]:
    change = json.loads(json.dumps(seen["dynamodb"]))
    change["ApproximateCreationDateTime"] = datetime.fromtimestamp(change["ApproximateCreationDateTime"], UTC)
    change["NewImage"]["blob"]["B"] = base64.b64decode(change["NewImage"]["blob"]["B"])
    return {**{name: part for name, part in seen.items() if name != "eventSourceARN"}, "dynamodb": change}


def test_a_kinesis_batch_is_the_exact_event_again() -> None:
    seen = recorded("lambda-event-kinesis.json")
    batch = rebuild_batch(where("kinesis-esm-sqs.json"), [kinesis_answer(each) for each in seen], role_arn=ROLE)
    assert json.loads(refetch.lambda_event(batch.records)) == {"Records": seen}
    assert batch == Batch(records=seen)


def test_a_dynamodb_batch_is_the_exact_event_again() -> None:
    seen = recorded("lambda-event-dynamodb.json")
    batch = rebuild_batch(where("ddb-esm-sqs.json"), [dynamodb_answer(each) for each in seen], role_arn=None)
    assert json.loads(refetch.lambda_event(batch.records)) == {"Records": seen}


def test_a_deletion_by_expiry_says_who_in_lower_case() -> None:
    (seen,) = recorded("lambda-event-dynamodb.json")
    identity = {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}
    batch = rebuild_batch(
        where("ddb-esm-sqs.json"), [dynamodb_answer(seen) | {"userIdentity": identity}], role_arn=None
    )
    assert batch.records[0]["userIdentity"] == {"principalId": "dynamodb.amazonaws.com", "type": "Service"}


def test_sets_of_bytes_are_base64_too() -> None:
    (seen,) = recorded("lambda-event-dynamodb.json")
    answer = dynamodb_answer(seen)
    answer["dynamodb"]["NewImage"]["set"] = {"BS": [b"foobar", b"\0"]}
    batch = rebuild_batch(where("ddb-esm-sqs.json"), [answer], role_arn=None)
    assert batch.records[0]["dynamodb"]["NewImage"]["set"] == {"BS": ["Zm9vYmFy", "AA=="]}


def a_range(first: int, last: int, size: int | None) -> StreamRange:
    arn = "arn:aws:kinesis:eu-west-1:210987654321:stream/clicks"
    return StreamRange(stream_arn=arn, shard_id="shardId-0", first=str(first), last=str(last), size=size)


def numbered(*numbers: int) -> list[dict[str, Any]]:
    at = datetime(2026, 9, 14, tzinfo=UTC)
    return [
        {"SequenceNumber": str(n), "PartitionKey": "k", "Data": b"x", "ApproximateArrivalTimestamp": at}
        for n in numbers
    ]


def numbers_of(batch: Batch) -> list[int]:
    return [int(number) for number in refetch.numbers(batch.records)]


def test_a_trimmed_first_half_is_said_number_by_number_and_the_rest_is_kept() -> None:
    batch = rebuild_batch(a_range(98, 105, 4), numbered(103, 105, 107), role_arn=None)
    assert numbers_of(batch) == [103, 105]
    assert (batch.lost_first, batch.lost_last, batch.lost) == ("98", "102", 2)
    assert batch.said == (
        "Part of this batch is lost: 2 of its 4 records, with sequence numbers from 98 to 102, are gone from the "
        "stream. The rest (2), from 103 on, was fetched and can be sent."
    )


def test_numbers_compare_as_numbers_and_not_as_text() -> None:
    batch = rebuild_batch(a_range(9, 100, 3), numbered(100, 10, 9, 101, 8), role_arn=None)
    assert numbers_of(batch) == [9, 10, 100]
    assert batch.lost is None
    assert batch.said is None


@pytest.mark.parametrize(("size", "count"), [(3, "3 of its 3"), (None, "all its")])
def test_a_batch_that_is_gone_is_lost(size: int | None, count: str) -> None:
    batch = rebuild_batch(a_range(98, 105, size), numbered(106), role_arn=None)
    assert (batch.records, batch.lost_first, batch.lost_last, batch.lost) == ([], "98", "105", size)
    assert batch.said is not None
    assert f"{count} records, with sequence numbers from 98 to 105, are lost" in batch.said


def test_a_range_that_other_batches_ran_in_says_so() -> None:
    batch = rebuild_batch(a_range(1, 4, 2), numbered(1, 2, 3, 4), role_arn=None)
    assert batch.said is not None
    assert "had 2 records, and its range in the shard holds 4" in batch.said
    assert "ParallelizationFactor" in batch.said
    assert batch.lost is None


def test_a_hole_at_the_end_is_said() -> None:
    said = rebuild_batch(a_range(1, 4, 3), numbered(1, 2), role_arn=None).said
    assert said is not None
    assert "holds only 2 now" in said


@given(st.sets(st.integers(1, 60), min_size=1), st.data())
def test_nothing_of_the_range_that_was_fetched_is_left_out_and_nothing_else_goes_in(
    there: set[int], data: st.DataObject
) -> None:
    first, last = sorted((data.draw(st.integers(1, 60)), data.draw(st.integers(1, 60))))
    order = data.draw(st.permutations(sorted(there)))
    batch = rebuild_batch(a_range(first, last, None), numbered(*order, *order[:3]), role_arn=None)
    assert numbers_of(batch) == sorted(number for number in there if first <= number <= last)
    assert (batch.lost_first is None) == (first in there)


def test_when_the_stream_forgets_is_counted_from_the_first_arrival() -> None:
    there = where("kinesis-esm-sqs.json")
    assert refetch.deadline(there, 86_400) == datetime(2026, 9, 15, 8, 1, 55, 310_000, tzinfo=UTC)
    assert refetch.deadline(there, None) is None
    assert refetch.deadline(a_range(1, 2, 1), 86_400) is None


FUNCTION = TargetRef(TargetKind.LAMBDA, "arn:aws:lambda:eu-west-1:210987654321:function:clicks")


def test_a_pipe_hands_over_a_bare_list_with_flat_fields() -> None:
    seen = recorded("lambda-event-kinesis.json")
    (first, *_) = json.loads(refetch.pipe_input(seen, Route(target=FUNCTION)))
    assert "kinesis" not in first
    assert first["partitionKey"] == "u-551"
    assert first["eventSource"] == "aws:kinesis"


def test_a_pipe_hands_a_queue_each_record_by_itself_and_only_one_of_them_can_be_sent() -> None:
    queue = Route(target=TargetRef(TargetKind.SQS, "arn:aws:sqs:eu-west-1:210987654321:clicks"))
    seen = recorded("lambda-event-kinesis.json")
    assert json.loads(refetch.pipe_input(seen[:1], queue))["data"] == seen[0]["kinesis"]["data"]
    with pytest.raises(TargetRefused, match="each of the batch's 2 records to clicks by itself"):
        refetch.pipe_input(seen, queue)


def test_a_pipes_template_sees_the_decoded_data() -> None:
    seen = recorded("lambda-event-kinesis.json")
    template = '{"page": <$.data.page>, "key": "<$.partitionKey>", "none": "<$.data.none>"}'
    first = json.loads(refetch.pipe_input(seen, Route(target=FUNCTION, template=template)))[0]
    assert first == {"page": "/tea", "key": "u-551", "none": ""}
