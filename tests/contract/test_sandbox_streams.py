"""Streams as event sources: what the function gets, how a batch is tried again, and what is written in the end."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from sandbox.batches import Batch, split_by_age, undone
from sandbox.environment import Result
from sandbox.functions import BadFunction, Function
from sandbox.local import Sandbox
from sandbox.streams import StreamMapping, StreamRecord
from tests.sandbox_fixture import Deploy, MakeQueue, receive, sample, shape

Attach = Callable[..., StreamMapping]

CLICKS = [b'{"page":"/tea","ms":41}', b'{"page":"/cup","ms":97}']
RAISE = "def handler(event, context): raise ValueError('no')"
NOTE_BATCHES = """
    import base64, json

    def handler(event, context):
        bodies = [base64.b64decode(record["kinesis"]["data"]).decode() for record in event["Records"]]
        with open("seen", "a") as file:
            print(json.dumps(bodies), file=file)
        {then}
    """
REFUSE_BAD = """if "bad" in bodies:
            raise ValueError("no")"""
REPORT_BAD = """return {"batchItemFailures": [
            {"itemIdentifier": record["kinesis"]["sequenceNumber"]}
            for record, body in zip(event["Records"], bodies) if body == "bad"]}"""


@pytest.fixture
def attach(sandbox: Sandbox) -> Iterator[Attach]:
    """Make a stream the source of a function, as long as the test lasts."""
    made = []

    def make(stream_arn: str, function: Function, **settings: Any) -> StreamMapping:
        mapping = StreamMapping(stream_arn=stream_arn, function_name=function.name, **settings)
        sandbox.lambda_service.add_mapping(mapping)
        made.append(mapping.uuid)
        return mapping

    yield make
    for uuid in made:
        sandbox.lambda_service.remove_mapping(uuid)


def make_stream(sandbox: Sandbox, *data: bytes, shards: int = 1) -> str:
    """Make a stream that holds *data*; return its ARN."""
    name, kinesis = f"stream-{uuid4()}", sandbox.clients("kinesis")
    kinesis.create_stream(StreamName=name, ShardCount=shards)
    if data:
        kinesis.put_records(
            StreamName=name, Records=[{"Data": each, "PartitionKey": f"u-{n}"} for n, each in enumerate(data)]
        )
    return str(kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamARN"])


def make_table_stream(sandbox: Sandbox) -> str:
    """Make a table whose stream holds that an order changed as in the samples; return the stream's ARN."""
    name, dynamodb = f"table-{uuid4()}", sandbox.clients("dynamodb")
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "orderId", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "orderId", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    order = {"orderId": {"S": "ord-7741"}}
    dynamodb.put_item(TableName=name, Item={**order, "total": {"N": "17"}})
    dynamodb.put_item(TableName=name, Item={**order, "total": {"N": "18.4"}, "blob": {"B": b"\0\1\2\3"}})
    return str(dynamodb.describe_table(TableName=name)["Table"]["LatestStreamArn"])


def make_bucket(sandbox: Sandbox) -> str:
    name = f"failures-{uuid4()}"
    configuration = {"LocationConstraint": sandbox.region}
    sandbox.clients("s3").create_bucket(Bucket=name, CreateBucketConfiguration=configuration)
    sandbox.clients("s3").get_waiter("bucket_exists").wait(Bucket=name)
    return f"arn:aws:s3:::{name}"


def announced_object(sandbox: Sandbox, bucket_arn: str, make_queue: MakeQueue, begin: Callable[[], Any]) -> Any:
    """Return the key and the JSON of the object that comes to a bucket after *begin*."""
    bucket, queue, s3 = bucket_arn.rpartition(":")[2], make_queue(), sandbox.clients("s3")
    notify = {"QueueConfigurations": [{"QueueArn": queue, "Events": ["s3:ObjectCreated:*"]}]}
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=notify)
    begin()
    message = json.loads(receive(sandbox, queue)["Body"])
    while "Records" not in message:  # S3 says first that the notification works
        message = json.loads(receive(sandbox, queue)["Body"])
    key = message["Records"][0]["s3"]["object"]["key"].replace("%3A", ":")
    return key, json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())


def batches(function: Function) -> list[list[str]]:
    return [json.loads(line) for line in (function.code / "seen").read_text().splitlines()]


def noting(deploy: Deploy, then: str, **settings: Any) -> Function:
    """Deploy a function that notes its batches and then does as told."""
    return deploy(NOTE_BATCHES.replace("{then}", then), **settings)


def range_of(record: dict[str, Any]) -> tuple[str, str, int]:
    batch = record["KinesisBatchInfo"]
    return batch["startSequenceNumber"], batch["endSequenceNumber"], batch["batchSize"]


def numbers_in(sandbox: Sandbox, stream_arn: str) -> list[str]:
    """Return the sequence numbers of a stream of one shard."""
    kinesis = sandbox.clients("kinesis")
    [shard] = kinesis.list_shards(StreamARN=stream_arn)["Shards"]
    place = {"ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
    iterator = kinesis.get_shard_iterator(StreamARN=stream_arn, **place)["ShardIterator"]
    return [record["SequenceNumber"] for record in kinesis.get_records(ShardIterator=iterator)["Records"]]


def test_a_failed_kinesis_batch_leaves_the_record_of_the_sample(
    sandbox: Sandbox, deploy: Deploy, make_queue: MakeQueue, attach: Attach
) -> None:
    stream, queue = make_stream(sandbox, *CLICKS), make_queue()
    function = deploy(RAISE)
    attach(stream, function, maximum_retry_attempts=2, on_failure_arn=queue)
    message, theirs = receive(sandbox, queue), sample("kinesis-esm-sqs.json")
    assert shape(message) == shape(theirs)
    record, expected = json.loads(message["Body"]), json.loads(theirs["Body"])
    assert shape(record) == shape(expected)
    assert list(record) == list(expected)
    context = record["requestContext"]
    assert (context["functionArn"], context["condition"]) == (function.arn, "RetryAttemptsExhausted")
    assert context["approximateInvokeCount"] == expected["requestContext"]["approximateInvokeCount"] == 3
    assert record["responseContext"] == expected["responseContext"]
    numbers = numbers_in(sandbox, stream)
    assert range_of(record) == (numbers[0], numbers[1], 2)
    for name in ("approximateArrivalOfFirstRecord", "approximateArrivalOfLastRecord"):
        assert len(record["KinesisBatchInfo"][name]) == len(expected["KinesisBatchInfo"][name])


def test_a_failed_batch_of_a_table_leaves_the_record_of_the_sample_with_times_in_seconds(
    sandbox: Sandbox, deploy: Deploy, make_queue: MakeQueue, attach: Attach
) -> None:
    stream, queue = make_table_stream(sandbox), make_queue()
    attach(stream, deploy(RAISE), maximum_retry_attempts=0, on_failure_arn=queue)
    message, theirs = receive(sandbox, queue), sample("ddb-esm-sqs.json")
    assert shape(message) == shape(theirs)
    record, expected = json.loads(message["Body"]), json.loads(theirs["Body"])
    assert shape(record) == shape(expected)
    assert record["requestContext"]["approximateInvokeCount"] == 1
    assert (record["DDBStreamBatchInfo"]["batchSize"], record["DDBStreamBatchInfo"]["streamArn"]) == (2, stream)
    first = record["DDBStreamBatchInfo"]["approximateArrivalOfFirstRecord"]
    assert datetime.strptime(first, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC) <= datetime.now(UTC)


def test_a_bucket_gets_the_kinesis_event_of_the_sample_as_escaped_text(
    sandbox: Sandbox, deploy: Deploy, make_queue: MakeQueue, attach: Attach
) -> None:
    stream, bucket, function = make_stream(sandbox, *CLICKS), make_bucket(sandbox), deploy(RAISE)
    mapping = StreamMapping(stream_arn=stream, function_name=function.name)
    key, record = announced_object(
        sandbox,
        bucket,
        make_queue,
        lambda: attach(stream, function, maximum_retry_attempts=0, on_failure_arn=bucket),
    )
    assert key.startswith(f"aws/lambda/{mapping.uuid}/{record['KinesisBatchInfo']['shardId']}/{datetime.now(UTC):%Y}/")
    assert shape(record) == shape(sample("kinesis-esm-s3.object.json"))
    event, theirs = json.loads(record["payload"]), sample("lambda-event-kinesis.json")
    assert shape(event) == shape(theirs)
    first, expected = event["Records"][0], theirs["Records"][0]
    assert list(first) == list(expected)
    assert list(first["kinesis"]) == list(expected["kinesis"])
    assert first["kinesis"]["data"] == expected["kinesis"]["data"]
    assert first["eventID"] == f"{record['KinesisBatchInfo']['shardId']}:{first['kinesis']['sequenceNumber']}"
    assert first["eventSourceARN"] == stream


def test_a_bucket_gets_the_event_of_a_table_as_in_the_sample(
    sandbox: Sandbox, deploy: Deploy, make_queue: MakeQueue, attach: Attach
) -> None:
    stream, bucket, function = make_table_stream(sandbox), make_bucket(sandbox), deploy(RAISE)
    _, record = announced_object(
        sandbox,
        bucket,
        make_queue,
        lambda: attach(stream, function, maximum_retry_attempts=0, on_failure_arn=bucket),
    )
    assert shape(record) == shape(sample("ddb-esm-s3.object.json"))
    change, [expected] = json.loads(record["payload"])["Records"][1], sample("lambda-event-dynamodb.json")["Records"]
    assert shape(change) == shape(expected)
    assert list(change) == list(expected)
    for name in ("Keys", "NewImage", "OldImage", "StreamViewType"):
        assert change["dynamodb"][name] == expected["dynamodb"][name]


def test_a_topic_gets_the_record_as_its_message(
    sandbox: Sandbox, deploy: Deploy, make_queue: MakeQueue, attach: Attach
) -> None:
    queue, sns = make_queue(), sandbox.clients("sns")
    topic = sns.create_topic(Name=f"topic-{uuid4()}")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    attach(make_stream(sandbox, *CLICKS), deploy(RAISE), maximum_retry_attempts=0, on_failure_arn=topic)
    record = json.loads(json.loads(receive(sandbox, queue)["Body"])["Message"])
    assert shape(record) == shape(json.loads(sample("kinesis-esm-sqs.json")["Body"]))


def test_a_partial_failure_is_tried_again_from_its_lowest_number_and_has_no_function_error(
    sandbox: Sandbox, deploy: Deploy, make_queue: MakeQueue, attach: Attach
) -> None:
    stream, queue = make_stream(sandbox, b"one", b"bad", b"two", b"bad"), make_queue()
    function = noting(deploy, REPORT_BAD)
    attach(stream, function, maximum_retry_attempts=1, partial=True, on_failure_arn=queue)
    record = json.loads(receive(sandbox, queue)["Body"])
    assert shape(record) == shape(json.loads(sample("kinesis-esm-sqs-partial-batch.json")["Body"]))
    assert record["responseContext"]["functionError"] is None
    numbers = numbers_in(sandbox, stream)
    assert range_of(record) == (numbers[1], numbers[3], 3)
    assert batches(function) == [["one", "bad", "two", "bad"], ["bad", "two", "bad"]]


def test_bisecting_finds_the_one_bad_record_without_using_up_retries(
    sandbox: Sandbox, deploy: Deploy, make_queue: MakeQueue, attach: Attach
) -> None:
    stream, queue = make_stream(sandbox, b"one", b"two", b"bad", b"three"), make_queue()
    function = noting(deploy, REFUSE_BAD)
    attach(stream, function, maximum_retry_attempts=0, bisect=True, on_failure_arn=queue)
    record = json.loads(receive(sandbox, queue)["Body"])
    bad = numbers_in(sandbox, stream)[2]
    assert range_of(record) == (bad, bad, 1)
    assert batches(function)[:4] == [["one", "two", "bad", "three"], ["one", "two"], ["bad", "three"], ["bad"]]


def test_a_shard_goes_on_behind_a_batch_that_was_given_up_on(
    sandbox: Sandbox, deploy: Deploy, make_queue: MakeQueue, attach: Attach
) -> None:
    stream, queue = make_stream(sandbox, b"bad", b"good", b"bad"), make_queue()
    function = noting(deploy, REFUSE_BAD)
    attach(stream, function, batch_size=1, maximum_retry_attempts=0, on_failure_arn=queue)
    numbers = numbers_in(sandbox, stream)
    first, second = (range_of(json.loads(receive(sandbox, queue)["Body"])) for _ in range(2))
    assert (first, second) == ((numbers[0], numbers[0], 1), (numbers[2], numbers[2], 1))
    assert batches(function) == [["bad"], ["good"], ["bad"]]


def test_records_that_come_later_and_to_every_shard_are_read(
    sandbox: Sandbox, deploy: Deploy, make_queue: MakeQueue, attach: Attach
) -> None:
    stream, queue = make_stream(sandbox, shards=3), make_queue()
    attach(stream, deploy(RAISE), maximum_retry_attempts=0, on_failure_arn=queue)
    kinesis = sandbox.clients("kinesis")
    wanted = {kinesis.put_record(StreamARN=stream, Data=b"x", PartitionKey=f"{n}")["ShardId"] for n in range(12)}
    assert len(wanted) > 1
    seen = set()
    while seen != wanted:
        seen.add(json.loads(receive(sandbox, queue)["Body"])["KinesisBatchInfo"]["shardId"])


def test_a_batch_without_a_limit_of_retries_ends_by_its_age(
    sandbox: Sandbox, deploy: Deploy, make_queue: MakeQueue, attach: Attach
) -> None:
    stream, queue = make_stream(sandbox, *CLICKS), make_queue()
    attach(stream, deploy(RAISE), maximum_record_age_s=60, on_failure_arn=queue)
    record = json.loads(receive(sandbox, queue)["Body"])
    assert record["requestContext"]["condition"] == "RecordAgeExceeded"
    assert record["requestContext"]["approximateInvokeCount"] >= 1
    assert "responseContext" not in record


def test_a_throttled_batch_uses_up_no_retry(
    sandbox: Sandbox, deploy: Deploy, make_queue: MakeQueue, attach: Attach
) -> None:
    stream, queue = make_stream(sandbox, b"bad"), make_queue()
    function = noting(deploy, REFUSE_BAD, reserved_concurrency=0)
    attach(stream, function, maximum_retry_attempts=0, on_failure_arn=queue)
    with pytest.raises(AssertionError, match="has no message"):
        receive(sandbox, queue, wait_s=1)
    sandbox.lambda_service.functions.update(function.name, reserved_concurrency=None)
    assert json.loads(receive(sandbox, queue)["Body"])["requestContext"]["approximateInvokeCount"] == 1


def test_a_stream_mapping_is_listed_with_its_settings(
    sandbox: Sandbox, lambda_client: Any, deploy: Deploy, make_queue: MakeQueue, attach: Attach
) -> None:
    stream, queue, function = make_stream(sandbox), make_queue(), deploy(RAISE)
    settings = {"maximum_retry_attempts": 3, "maximum_record_age_s": 120, "bisect": True, "partial": True}
    mapping = attach(stream, function, batch_size=7, on_failure_arn=queue, **settings)
    [listed] = lambda_client.list_event_source_mappings(EventSourceArn=stream)["EventSourceMappings"]
    assert (listed["UUID"], listed["EventSourceArn"], listed["FunctionArn"]) == (mapping.uuid, stream, function.arn)
    assert (listed["BatchSize"], listed["MaximumRetryAttempts"], listed["MaximumRecordAgeInSeconds"]) == (7, 3, 120)
    assert listed["BisectBatchOnFunctionError"] is True
    assert listed["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert listed["DestinationConfig"] == {"OnFailure": {"Destination": queue}}


@pytest.mark.parametrize(
    "wrong",
    [
        {"stream_arn": "arn:aws:sqs:eu-west-1:000000000000:orders"},
        {"on_failure_arn": "arn:aws:lambda:eu-west-1:000000000000:function:other"},
        {"maximum_retry_attempts": -2},
        {"maximum_record_age_s": 59},
        {"batch_size": 0},
    ],
)
def test_a_setting_that_aws_would_not_take_is_refused(wrong: dict[str, Any]) -> None:
    settings = {"stream_arn": "arn:aws:kinesis:eu-west-1:000000000000:stream/s", "function_name": "f", **wrong}
    with pytest.raises(BadFunction):
        StreamMapping(**settings)


def batch_of(*numbers: str, last: Result | None = None) -> Batch:
    """Return a batch whose records arrived a second apart from 00:00:00 on."""
    records = (
        StreamRecord(sequence_number=number, arrived_at=datetime(2026, 9, 14, 0, 0, second, tzinfo=UTC), seen={})
        for second, number in enumerate(numbers)
    )
    return Batch(shard_id="shardId-0", records=tuple(records), last=last)


@pytest.mark.parametrize(
    ("answer", "failed", "partial", "left"),
    [
        ("null", False, True, ""),
        ('{"batchItemFailures":[{"itemIdentifier":"c"},{"itemIdentifier":"b"}]}', False, True, "bc"),
        ('{"batchItemFailures":[{"itemIdentifier":"c"},{"itemIdentifier":"b"}]}', False, False, ""),
        ('{"batchItemFailures":[{"itemIdentifier":""}]}', False, True, "abc"),
        ("{}", True, False, "abc"),
    ],
    ids=["done", "the lowest counts", "not asked for", "no identifier", "raised"],
)
def test_what_is_left_of_a_batch(answer: str, left: str, *, failed: bool, partial: bool) -> None:
    mapping = StreamMapping(stream_arn="arn:aws:kinesis:r:a:stream/s", function_name="f", partial=partial)
    batch = batch_of("a", "b", "c", last=Result(payload=answer, failed=failed))
    assert "".join(record.sequence_number for record in undone(batch, mapping).records) == left


def test_only_what_is_too_old_expires() -> None:
    expired, rest = split_by_age(batch_of("a", "b", "c"), datetime(2026, 9, 14, 0, 0, 1, tzinfo=UTC))
    assert [record.sequence_number for record in expired.records] == ["a"]
    assert [record.sequence_number for record in rest.records] == ["b", "c"]
