"""On-failure destinations of asynchronous invocations: every kind of place, and what it gets."""

import json
import re
from typing import Any
from uuid import uuid4

import pytest

from sandbox.local import Sandbox
from tests.sandbox_fixture import Deploy, MakeQueue, receive, sample, shape

ORDER = '{"orderId":"ord-7741","customer":"c-19","lines":[{"sku":"TEA-03","qty":2}],"total":18.4}'
REFUSE = """
    def reserve(event):
        raise ValueError("inventory service refused sku TEA-03")

    def handler(event, context):
        reserve(event)
    """


@pytest.fixture
def fail(sandbox: Sandbox, lambda_client: Any, deploy: Deploy) -> Any:
    """Fail an event of a function whose on-failure destination is *arn*; return the function and the request id."""

    def run(arn: str, **settings: Any) -> tuple[Any, str]:
        function = deploy(REFUSE, on_failure_arn=arn, maximum_retry_attempts=0, **settings)
        answer = lambda_client.invoke(FunctionName=function.arn, InvocationType="Event", Payload=ORDER)
        assert sandbox.lambda_service.wait_until_idle(10)
        return function, answer["ResponseMetadata"]["RequestId"]

    return run


def make_bus(sandbox: Sandbox, queue: str) -> str:
    """Make a bus whose events of Lambda all come to *queue*; return its ARN."""
    name, events = f"bus-{uuid4()}", sandbox.clients("events")
    arn = events.create_event_bus(Name=name)["EventBusArn"]
    events.put_rule(Name="failures", EventBusName=name, EventPattern='{"source":["lambda"]}')
    events.put_targets(Rule="failures", EventBusName=name, Targets=[{"Id": "queue", "Arn": queue}])
    return str(arn)


def make_bucket(sandbox: Sandbox) -> str:
    name = f"failures-{uuid4()}"
    configuration = {"LocationConstraint": sandbox.region}
    sandbox.clients("s3").create_bucket(Bucket=name, CreateBucketConfiguration=configuration)
    return f"arn:aws:s3:::{name}"


def test_a_topic_gets_the_record_as_its_message_without_attributes(
    sandbox: Sandbox, make_queue: MakeQueue, fail: Any
) -> None:
    queue, sns = make_queue(), sandbox.clients("sns")
    topic = sns.create_topic(Name=f"topic-{uuid4()}")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    _, request_id = fail(topic)
    envelope = json.loads(receive(sandbox, queue)["Body"])
    record = json.loads(envelope["Message"])
    assert "MessageAttributes" not in envelope
    assert shape(record) == shape(json.loads(sample("async-destination-sqs.json")["Body"]))
    assert record["requestContext"]["requestId"] == request_id
    assert record["requestPayload"] == json.loads(ORDER)


def test_a_bus_gets_the_event_of_the_sample_with_the_record_as_detail(
    sandbox: Sandbox, make_queue: MakeQueue, fail: Any
) -> None:
    queue = make_queue()
    bus = make_bus(sandbox, queue)
    function, request_id = fail(bus)
    event, theirs = json.loads(receive(sandbox, queue)["Body"]), sample("async-destination-eventbridge.json")
    assert shape(event) == shape(theirs)
    assert (event["source"], event["detail-type"], event["version"]) == ("lambda", theirs["detail-type"], "0")
    assert event["resources"] == [bus, f"{function.arn}:$LATEST"]
    assert event["detail"]["requestContext"]["requestId"] == request_id


def test_a_bucket_gets_the_object_of_the_sample_under_the_functions_name(sandbox: Sandbox, fail: Any) -> None:
    bucket = make_bucket(sandbox)
    function, request_id = fail(bucket)
    name, s3 = bucket.rpartition(":")[2], sandbox.clients("s3")
    [entry] = s3.list_objects_v2(Bucket=name)["Contents"]
    pattern = rf"aws/lambda/async/{function.name}/(\d{{4}})/(\d\d)/(\d\d)/\1-\2-\3T\d\d\.\d\d\.\d\d-[0-9a-f-]{{36}}"
    assert re.fullmatch(pattern, entry["Key"])
    record = json.loads(s3.get_object(Bucket=name, Key=entry["Key"])["Body"].read())
    assert shape(record) == shape(sample("async-destination-s3.object.json"))
    assert record["requestContext"]["requestId"] == request_id


def test_a_function_is_invoked_with_the_bare_record_as_an_event_of_its_own(deploy: Deploy, fail: Any) -> None:
    collector = deploy(
        """
        import json

        def handler(event, context):
            with open("seen", "w") as file:
                json.dump([context.aws_request_id, event], file)
        """
    )
    _, request_id = fail(collector.arn)
    own_id, record = json.loads((collector.code / "seen").read_text())
    assert shape(record) == shape(sample("async-destination-lambda.event.json"))
    assert record["requestContext"]["requestId"] == request_id != own_id


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:s3:::there-is-no-such-bucket",
        "arn:aws:lambda:eu-west-1:000000000000:function:there-is-no-such-function",
        "arn:aws:events:eu-west-1:000000000000:rule/not-a-bus",
        "arn:aws:firehose:eu-west-1:000000000000:deliverystream/not-a-destination",
    ],
)
def test_what_a_place_does_not_take_is_lost_and_counted(arn: str, sandbox: Sandbox, fail: Any) -> None:
    lost = sandbox.lambda_service.delivery.lost
    fail(arn)
    assert sandbox.lambda_service.delivery.lost == lost + 1
