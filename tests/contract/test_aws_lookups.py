"""What records leave out, asked of the sandbox: batches by number, subscribers, targets, schedules, pipes."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from deadletter import aws
from deadletter.aws import clients, routes, streams
from deadletter.errors import LookupRefused
from deadletter.event import FailedEvent, Producer, StreamRange, TargetKind, TargetRef
from deadletter.lookup import look_up
from deadletter.ports import Lookups
from deadletter.refetch import LookupStatus, numbers
from deadletter.route import Route
from sandbox.local import Sandbox
from tests.sandbox_fixture import Deploy, MakeQueue

pytest_plugins = ["tests.sandbox_fixture"]

NOW = datetime.now(UTC)


@pytest.fixture
def lookups(aws_env: dict[str, str]) -> Iterator[Lookups]:  # noqa: ARG001 - the sandbox is where boto3 finds AWS
    clients.forget()
    yield aws.open_lookups()
    clients.forget()


def put_clicks(sandbox: Sandbox, count: int) -> tuple[str, str, list[str]]:
    """Put records on a new stream; return its ARN, their shard, and their numbers."""
    name, kinesis = f"stream-{uuid4()}", sandbox.clients("kinesis")
    kinesis.create_stream(StreamName=name, ShardCount=1)
    put = [
        kinesis.put_record(StreamName=name, Data=json.dumps({"n": n}).encode(), PartitionKey="u-1")
        for n in range(count)
    ]
    arn = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamARN"]
    return arn, put[0]["ShardId"], [each["SequenceNumber"] for each in put]


def esm(where: StreamRange, producer: Producer, function_arn: str | None = None) -> FailedEvent:
    return FailedEvent(producer=producer, stream=where, function_arn=function_arn)


def test_a_kinesis_batch_is_fetched_by_its_numbers(sandbox: Sandbox, lookups: Lookups, deploy: Deploy) -> None:
    arn, shard, put = put_clicks(sandbox, 5)
    function = deploy("def handler(event, context): pass")
    where = StreamRange(stream_arn=arn, shard_id=shard, first=put[1], last=put[3], size=3, first_arrived_at=NOW)
    found = look_up(esm(where, Producer.KINESIS_ESM, function.arn), lookups, tries=1, now=NOW)

    assert (found.status, found.said) == (LookupStatus.FOUND, None)
    assert found.payload_text is not None
    records = json.loads(found.payload_text)["Records"]
    assert numbers(records) == put[1:4]
    assert records[0]["kinesis"]["data"] == "eyJuIjogMX0="
    assert records[0]["invokeIdentityArn"].startswith("arn:aws:iam::")
    assert found.deadline_at is not None
    assert (found.deadline_at - NOW).total_seconds() == 86_400


def test_a_kinesis_batch_whose_beginning_was_trimmed_is_fetched_from_where_the_stream_begins(
    sandbox: Sandbox, lookups: Lookups
) -> None:
    arn, shard, put = put_clicks(sandbox, 3)
    older = str(int(put[0]) - 1000)
    where = StreamRange(stream_arn=arn, shard_id=shard, first=older, last=put[1], size=4)
    found = look_up(esm(where, Producer.KINESIS_ESM), lookups, tries=1, now=NOW)

    assert found.status is LookupStatus.PARTIAL
    assert found.batch is not None
    assert numbers(found.batch.records) == put[:2]
    assert (found.batch.lost_first, found.batch.lost_last, found.batch.lost) == (older, str(int(put[0]) - 1), 2)


def test_a_shard_that_is_gone_is_refused_with_a_sentence(sandbox: Sandbox, lookups: Lookups) -> None:
    arn, _, put = put_clicks(sandbox, 1)
    gone = arn.replace("stream-", "gone-")
    where = StreamRange(stream_arn=gone, shard_id="shardId-000000000000", first=put[0], last=put[0], size=1)
    found = look_up(esm(where, Producer.KINESIS_ESM), lookups, tries=1, now=NOW)
    assert found.status is LookupStatus.REFUSED
    assert found.said is not None
    assert "does not exist" in found.said


def test_a_change_of_a_table_is_fetched_as_its_function_saw_it(sandbox: Sandbox, lookups: Lookups) -> None:
    name, dynamodb = f"table-{uuid4()}", sandbox.clients("dynamodb")
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "orderId", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "orderId", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    for total in ("17", "18.4"):
        dynamodb.put_item(TableName=name, Item={"orderId": {"S": "o-1"}, "total": {"N": total}, "b": {"B": b"\0\1"}})
    arn = dynamodb.describe_table(TableName=name)["Table"]["LatestStreamArn"]
    reader = sandbox.clients("dynamodbstreams")
    shard = reader.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
    iterator = reader.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    seen = reader.get_records(ShardIterator=iterator["ShardIterator"])["Records"]
    number = seen[1]["dynamodb"]["SequenceNumber"]

    where = StreamRange(stream_arn=arn, shard_id=shard, first=number, last=number, size=1)
    found = look_up(esm(where, Producer.DYNAMODB_ESM), lookups, tries=1, now=NOW)
    assert found.payload_text is not None
    (record,) = json.loads(found.payload_text)["Records"]
    assert (record["eventName"], record["eventSourceARN"]) == ("MODIFY", arn)
    assert record["dynamodb"]["NewImage"] == {"orderId": {"S": "o-1"}, "total": {"N": "18.4"}, "b": {"B": "AAE="}}
    assert isinstance(record["dynamodb"]["ApproximateCreationDateTime"], float)


class Shard:
    """A stream's client that answers as told; what it was asked is kept."""

    def __init__(self, *pages: dict[str, Any]) -> None:
        self.pages = list(pages)
        self.positions: list[str] = []

    def get_shard_iterator(self, **given: Any) -> dict[str, str]:
        self.positions.append(given["ShardIteratorType"])
        return {"ShardIterator": "i"}

    def get_records(self, **_given: Any) -> dict[str, Any]:
        return self.pages.pop(0)


def page(*found: int, more: bool = True, behind: int = 100) -> dict[str, Any]:
    records = [{"SequenceNumber": str(number)} for number in found]
    return {"Records": records, "MillisBehindLatest": behind} | ({"NextShardIterator": "i"} if more else {})


@pytest.mark.parametrize(
    ("pages", "read"),
    [
        ((page(1, 2), page(), page(), page(3, 9)), ["1", "2", "3", "9"]),  # an empty page is not the end
        ((page(1), page(2, more=False)), ["1", "2"]),  # a closed shard
        ((page(1), page(behind=0)), ["1"]),  # nothing newer is there
        ((page(7), page(3), page(7)), ["3", "7"]),  # the first is gone: again, from where the shard begins
        ((page(behind=0), page(3, 4)), ["3", "4"]),  # so it is where nothing came at all
    ],
    ids=["empty pages", "closed shard", "tip", "later", "nothing"],
)
def test_reading_goes_on_to_where_the_range_or_the_shard_ends(
    pages: tuple[dict[str, Any], ...], read: list[str]
) -> None:
    arn = "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks"
    where = StreamRange(stream_arn=arn, shard_id="s", first="1", last="4", size=4)
    shard, rests = Shard(*pages), list[float]()
    found = streams.read_range(where, sleep=rests.append, open_client=lambda *_: shard)
    assert [record["SequenceNumber"] for record in found] == read
    assert shard.pages == []
    assert set(rests) == {streams.PAUSE_S} or len(pages) == len(shard.positions)


def test_a_subscriber_is_found_with_the_form_that_it_wants(
    sandbox: Sandbox, lookups: Lookups, make_queue: MakeQueue
) -> None:
    sns, queue = sandbox.clients("sns"), make_queue()
    topic = sns.create_topic(Name=f"topic-{uuid4()}")["TopicArn"]
    given = {"RawMessageDelivery": "true"}
    arn = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes=given, ReturnSubscriptionArn=True)[
        "SubscriptionArn"
    ]
    route = lookups.route(FailedEvent(producer=Producer.SNS_SUBSCRIPTION, origin_arn=arn))
    assert (route.target, route.raw) == (TargetRef(TargetKind.SQS, queue), True)


def test_a_subscription_that_is_gone_is_refused_with_a_sentence(lookups: Lookups) -> None:
    arn = f"arn:aws:sns:us-east-1:000000000000:gone:{uuid4()}"
    with pytest.raises(LookupRefused):
        lookups.route(FailedEvent(producer=Producer.SNS_SUBSCRIPTION, origin_arn=arn))


def rule_event(rule: str, target: str) -> FailedEvent:
    return FailedEvent(
        producer=Producer.EVENTBRIDGE_RULE, origin_arn=rule, target=TargetRef(TargetKind.SQS, target), payload_text="{}"
    )


def test_a_rules_target_is_found_with_its_transformation(
    sandbox: Sandbox, lookups: Lookups, make_queue: MakeQueue
) -> None:
    events, queue, other = sandbox.clients("events"), make_queue(), make_queue()
    bus, name = f"bus-{uuid4()}", f"rule-{uuid4()}"
    events.create_event_bus(Name=bus)
    rule = events.put_rule(Name=name, EventBusName=bus, EventPattern='{"source": ["shop"]}')["RuleArn"]
    transformer = {"InputPathsMap": {"id": "$.detail.id"}, "InputTemplate": '{"order": <id>}'}
    events.put_targets(
        Rule=name, EventBusName=bus,
        Targets=[{"Id": "1", "Arn": other}, {"Id": "2", "Arn": queue, "InputTransformer": transformer}],
    )  # fmt: skip
    route = lookups.route(rule_event(rule, queue))
    assert (route.template, route.paths) == ('{"order": <id>}', {"id": "$.detail.id"})
    assert lookups.route(rule_event(rule, other)).template is None
    with pytest.raises(LookupRefused, match="has no target"):
        lookups.route(rule_event(rule, make_queue()))


def test_a_schedule_is_read_again_whole(sandbox: Sandbox, lookups: Lookups, make_queue: MakeQueue) -> None:
    scheduler, queue, name = sandbox.clients("scheduler"), make_queue(), f"schedule-{uuid4()}"
    arn = scheduler.create_schedule(
        Name=name,
        ScheduleExpression="rate(1 day)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": queue, "RoleArn": "arn:aws:iam::000000000000:role/r", "Input": '{"report": "daily"}'},
    )["ScheduleArn"]
    route = lookups.route(FailedEvent(producer=Producer.SCHEDULER, origin_arn=arn))
    assert (route.target, route.payload_text) == (TargetRef(TargetKind.SQS, queue), '{"report": "daily"}')


def test_a_rules_stream_is_found_with_where_its_partition_key_stands(sandbox: Sandbox, lookups: Lookups) -> None:
    events, name = sandbox.clients("events"), f"rule-{uuid4()}"
    stream = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks"
    rule = events.put_rule(Name=name, EventPattern='{"source": ["shop"]}')["RuleArn"]
    given = {"Id": "1", "Arn": stream, "KinesisParameters": {"PartitionKeyPath": "$.detail.orderId"}}
    events.put_targets(Rule=name, Targets=[given])
    target = TargetRef(TargetKind.KINESIS, stream)
    event = FailedEvent(producer=Producer.EVENTBRIDGE_RULE, origin_arn=rule, target=target, payload_text="{}")
    assert lookups.route(event).partition_key_path == "$.detail.orderId"


def test_a_schedules_own_request_says_its_target_its_attributes_and_its_group(
    sandbox: Sandbox, lookups: Lookups
) -> None:
    tenant = {"tenant": {"DataType": "String", "StringValue": "blue"}}
    request = {
        "QueueUrl": "https://sqs.us-east-1.amazonaws.com/000000000000/orders.fifo",
        "MessageBody": "all of it",
        "MessageGroupId": "g-1",
        "MessageAttributes": tenant,
    }
    route = lookups.route(FailedEvent(producer=Producer.SCHEDULER, origin_arn=make_schedule(sandbox, request)))
    assert route.target == TargetRef(TargetKind.SQS, "arn:aws:sqs:us-east-1:000000000000:orders.fifo")
    assert (route.payload_text, route.attributes, route.group_id) == ("all of it", tenant, "g-1")


def make_schedule(sandbox: Sandbox, request: dict[str, Any]) -> str:
    """Make a schedule that sends messages by a request of its own; return its ARN."""
    made = sandbox.clients("scheduler").create_schedule(
        Name=f"schedule-{uuid4()}",
        ScheduleExpression="rate(1 day)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={
            "Arn": "arn:aws:scheduler:::aws-sdk:sqs:sendMessage",
            "RoleArn": "arn:aws:iam::000000000000:role/r",
            "Input": json.dumps(request),
        },
    )
    return str(made["ScheduleArn"])


PIPE = "arn:aws:pipes:us-east-1:000000000000:pipe/clicks"
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:clicks"
STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/out"


def asked_of_pipe(monkeypatch: pytest.MonkeyPatch, **answer: Any) -> Route:
    """Ask for a pipe's route, DescribePipe answering so: the emulator's pipes read queues only."""

    class Pipes:
        def describe_pipe(self, Name: str) -> dict[str, Any]:  # noqa: N803 - AWS's spelling
            assert Name == "clicks"
            return answer

    monkeypatch.setattr(routes, "client_for", lambda *_: Pipes())
    return routes.find_route(FailedEvent(producer=Producer.PIPES, origin_arn=PIPE))


def test_a_pipes_target_is_found_with_its_template(monkeypatch: pytest.MonkeyPatch) -> None:
    route = asked_of_pipe(monkeypatch, Target=FUNCTION, TargetParameters={"InputTemplate": '{"a": <$.data>}'})
    assert (route.target, route.template) == (TargetRef(TargetKind.LAMBDA, FUNCTION), '{"a": <$.data>}')


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"Target": FUNCTION, "Enrichment": FUNCTION}, "which this console does not call"),
        ({"Target": "arn:aws:events:us-east-1:000000000000:api-destination/p/1"}, "only EventBridge itself can call"),
        (
            {"Target": STREAM, "TargetParameters": {"KinesisStreamParameters": {"PartitionKey": "$.data.id"}}},
            r"by the path \$.data.id, which this console does not follow",
        ),
    ],
    ids=["enrichment", "API destination", "partition key of each record"],
)
def test_a_pipe_that_cannot_be_followed_is_refused_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any], said: str
) -> None:
    with pytest.raises(LookupRefused, match=said):
        asked_of_pipe(monkeypatch, **answer)
