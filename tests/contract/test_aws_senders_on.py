"""Targets that send on (topics and buses), and the one subscriber of two that failed, in the sandbox."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from deadletter import aws
from deadletter.aws import clients
from deadletter.aws.eventbridge_target import NOT_AN_EVENT
from deadletter.errors import LookupRefused, TargetRefused
from deadletter.event import ReceivedMessage, TargetKind
from deadletter.lookup import look_up
from deadletter.parse import parse_message
from deadletter.ports import Answer, Outgoing
from deadletter.rebuild import rebuild
from deadletter.route import Supplement
from sandbox.local import Sandbox
from tests.sandbox_fixture import Deploy, MakeQueue, receive

pytest_plugins = ["tests.sandbox_fixture"]

EVENT = {"source": "shop", "detail-type": "OrderPlaced", "detail": {"id": "ord-1"}, "resources": ["r-1"]}


@pytest.fixture(autouse=True)
def _in_the_sandbox(aws_env: dict[str, str]) -> Iterator[None]:  # noqa: ARG001 - the sandbox is where boto3 finds AWS
    clients.forget()
    yield
    clients.forget()


def send(kind: TargetKind, arn: str, payload: str, **given: Any) -> Answer | Exception:
    (answer,) = aws.open_target(kind, arn, "RequestResponse").send([Outgoing(key=1, payload=payload, **given)])
    return answer


def subscribe(sandbox: Sandbox, topic: str, protocol: str, endpoint: str, **attributes: str) -> str:
    return str(
        sandbox.clients("sns").subscribe(
            TopicArn=topic, Protocol=protocol, Endpoint=endpoint, Attributes=attributes, ReturnSubscriptionArn=True
        )["SubscriptionArn"]
    )


def test_a_topic_hands_on_what_it_gets_with_its_attributes(sandbox: Sandbox, make_queue: MakeQueue) -> None:
    topic = sandbox.clients("sns").create_topic(Name=f"topic-{uuid4()}")["TopicArn"]
    queue = make_queue()
    subscribe(sandbox, topic, "sqs", queue)
    attributes = {"tenant": {"DataType": "String", "StringValue": "blue"}}
    answer = send(TargetKind.SNS, topic, "not { json", message_attributes=attributes)

    assert isinstance(answer, Answer)
    assert (answer.finished, bool(answer.sent_id)) == (False, True)
    body = json.loads(receive(sandbox, queue)["Body"])
    assert body["Message"] == "not { json"
    assert body["MessageAttributes"] == {"tenant": {"Type": "String", "Value": "blue"}}


def test_a_topic_never_takes_more_than_it_can() -> None:
    answer = send(TargetKind.SNS, "arn:aws:sns:us-east-1:000000000000:orders", "x" * 262_145)
    assert isinstance(answer, TargetRefused)
    assert "262,145 bytes long" in str(answer)


def test_a_data_stream_gets_a_record_under_its_partition_key(sandbox: Sandbox) -> None:
    kinesis, name = sandbox.clients("kinesis"), f"stream-{uuid4()}"
    kinesis.create_stream(StreamName=name, ShardCount=1)
    arn = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamARN"]
    answer = send(TargetKind.KINESIS, arn, "not { json", partition_key="ord-1")

    assert isinstance(answer, Answer)
    shard, _, number = (answer.sent_id or "").partition(":")
    where = {"ShardIteratorType": "TRIM_HORIZON", "ShardId": shard, "StreamARN": arn}
    iterator = kinesis.get_shard_iterator(**where)["ShardIterator"]
    (record,) = kinesis.get_records(ShardIterator=iterator)["Records"]
    assert (record["Data"], record["PartitionKey"]) == (b"not { json", "ord-1")
    assert (record["SequenceNumber"], answer.finished) == (number, False)


def test_a_state_machine_starts_once_for_an_event_of_a_redrive(sandbox: Sandbox) -> None:
    states = sandbox.clients("stepfunctions")
    definition = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}
    role = "arn:aws:iam::000000000000:role/states"
    made = states.create_state_machine(name=f"m-{uuid4()}", definition=json.dumps(definition), roleArn=role)
    arn = made["stateMachineArn"]
    answers = [send(TargetKind.STEP_FUNCTIONS, arn, '{"order": 1}', deduplication_id="redrive-1-7") for _ in range(2)]

    assert all(isinstance(answer, Answer) and not answer.finished for answer in answers)
    (execution,) = states.list_executions(stateMachineArn=arn)["executions"]
    assert execution["name"] == "redrive-1-7"
    assert states.describe_execution(executionArn=execution["executionArn"])["input"] == '{"order": 1}'


def test_a_state_machine_never_takes_more_than_it_can() -> None:
    arn = "arn:aws:states:us-east-1:000000000000:stateMachine:settle"
    answer = send(TargetKind.STEP_FUNCTIONS, arn, json.dumps("x" * 262_144))
    assert isinstance(answer, TargetRefused)
    assert "262,146 bytes long" in str(answer)


@pytest.mark.parametrize(
    ("kind", "arn"),
    [
        (TargetKind.KINESIS, "arn:aws:kinesis:us-east-1:000000000000:stream/gone"),
        (TargetKind.STEP_FUNCTIONS, "arn:aws:states:us-east-1:000000000000:stateMachine:gone"),
    ],
)
def test_what_does_not_exist_refuses_for_good(kind: TargetKind, arn: str) -> None:
    answer = send(kind, arn, "{}")
    assert isinstance(answer, TargetRefused)
    assert "does not exist" in str(answer)


def test_a_bus_hands_an_event_to_the_rules_that_match(sandbox: Sandbox, make_queue: MakeQueue) -> None:
    events, queue, bus = sandbox.clients("events"), make_queue(), f"bus-{uuid4()}"
    arn = events.create_event_bus(Name=bus)["EventBusArn"]
    events.put_rule(Name="all", EventBusName=bus, EventPattern='{"source": ["shop"]}')
    events.put_targets(Rule="all", EventBusName=bus, Targets=[{"Id": "1", "Arn": queue}])
    answer = send(TargetKind.EVENTBRIDGE, arn, json.dumps(EVENT))

    assert isinstance(answer, Answer)
    got = json.loads(receive(sandbox, queue)["Body"])
    assert {name: got[name] for name in EVENT} == EVENT


@pytest.mark.parametrize(
    ("payload", "said"),
    [("[1]", NOT_AN_EVENT), ("{}", NOT_AN_EVENT), (json.dumps(EVENT | {"source": "aws.s3"}), "aws.s3")],
)
def test_a_bus_takes_events_only_and_none_of_awss_own(payload: str, said: str) -> None:
    answer = send(TargetKind.EVENTBRIDGE, "arn:aws:events:us-east-1:000000000000:event-bus/shop", payload)
    assert isinstance(answer, TargetRefused)
    assert said in str(answer)


COUNTS = """
    def handler(event, context):
        with open("seen", "a") as file:
            print(event["Records"][0]["Sns"]["Message"], file=file)
    """


def test_of_two_subscribers_only_the_one_that_failed_gets_the_notification_again_once(
    sandbox: Sandbox, deploy: Deploy, make_queue: MakeQueue
) -> None:
    healthy, failing = deploy(COUNTS), deploy(COUNTS, refuses_events=True)
    topic, dead = sandbox.clients("sns").create_topic(Name=f"topic-{uuid4()}")["TopicArn"], make_queue()
    subscribe(sandbox, topic, "lambda", healthy.arn)
    subscribe(sandbox, topic, "lambda", failing.arn, RedrivePolicy=json.dumps({"deadLetterTargetArn": dead}))
    sandbox.clients("sns").publish(TopicArn=topic, Message="ord-1")

    got = receive(sandbox, dead)
    message = ReceivedMessage(got["MessageId"], got["Body"], got["Attributes"])
    event = parse_message(message)
    found = look_up(event, aws.open_lookups(), tries=1, now=datetime.now(UTC))
    assert found.route is not None
    assert found.route.target.arn == failing.arn

    sandbox.lambda_service.functions.update(failing.name, refuses_events=False)
    supplement = Supplement(route=found.route)
    outgoing = rebuild(message, event, found.route.target, key=1, deduplication_id="d", supplement=supplement)
    (answer,) = aws.open_target(found.route.target.kind, failing.arn, "RequestResponse").send([outgoing])
    assert isinstance(answer, Answer)
    assert not answer.failed
    assert (failing.code / "seen").read_text() == "ord-1\n"
    assert (healthy.code / "seen").read_text() == "ord-1\n"


def test_who_listens_to_a_bus_and_a_topic_is_read(sandbox: Sandbox, make_queue: MakeQueue) -> None:
    events, queue, bus = sandbox.clients("events"), make_queue(), f"bus-{uuid4()}"
    arn = events.create_event_bus(Name=bus)["EventBusArn"]
    events.put_rule(Name="orders", EventBusName=bus, EventPattern='{"source": ["shop"]}')
    events.put_targets(Rule="orders", EventBusName=bus, Targets=[{"Id": "1", "Arn": queue}])
    events.put_rule(Name="off", EventBusName=bus, EventPattern='{"source": ["shop"]}', State="DISABLED")
    topic = sandbox.clients("sns").create_topic(Name=f"topic-{uuid4()}")["TopicArn"]
    subscribe(sandbox, topic, "sqs", queue)

    listeners = aws.open_listeners()
    rules = {rule.name: (json.loads(rule.pattern or ""), rule.off) for rule in listeners.rules(arn)}
    assert rules == {"orders": ({"source": ["shop"]}, False), "off": ({"source": ["shop"]}, True)}
    assert list(listeners.targets(arn, "orders")) == [queue]
    assert list(listeners.subscribers(topic)) == [queue]
    with pytest.raises(LookupRefused, match="does not exist"):
        listeners.subscribers(topic + "-gone")
