"""Our function that everything pushes failures at, as the sandbox's Lambda runs it, and what lies in buckets."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine

from deadletter import aws
from deadletter.arrivals import arrivals_of
from deadletter.aws import clients
from deadletter.aws.s3_source import MAX_OBJECT_BYTES
from deadletter.errors import SourceError
from deadletter.event import ObjectRef, Producer
from deadletter.filters import EventFilter
from deadletter.ports import Skip
from deadletter.pushed import collect_pushed
from deadletter.settings import Settings
from deadletter.store import read, write
from deadletter.store.queries import list_events
from deadletter.store.rows import EventRow
from deadletter.store.sources import add_source, list_sources
from sandbox.functions import Function
from sandbox.local import Sandbox
from tests.contract.test_sandbox_destinations import REFUSE, make_bucket
from tests.factories import ADA, NOW
from tests.sandbox_fixture import Deploy, MakeQueue, sample
from tests.worker.conftest import wait_until
from worker.loop import Worker

ROOT = Path(__file__).parents[2]
US = "arn:aws:lambda:eu-west-1:000000000000:function:redrive-collect"

pytestmark = pytest.mark.usefixtures("aws_env")


@pytest.fixture(autouse=True)
def no_clients() -> Iterator[None]:
    clients.forget()
    yield
    clients.forget()


@pytest.fixture
def collecting(sandbox: Sandbox, settings: Settings, sqlite_engine: Engine) -> Function:
    """Our function, deployed on the database of `settings`."""
    assert sqlite_engine
    return sandbox.lambda_service.functions.put(
        Function(
            name=f"redrive-collect-{uuid4().hex[:8]}",
            handler="worker.lambda_collect.handler",
            code=ROOT,
            timeout_s=30.0,
            memory_mb=2048,
            environment={"DATABASE_URL": settings.url, "POWERTOOLS_METRICS_NAMESPACE": "Redrive"},
        )
    )


def stored(engine: Engine) -> list[EventRow]:
    with read(engine) as session:
        return list(list_events(session, EventFilter()).rows)


def arns(engine: Engine) -> set[str]:
    with read(engine) as session:
        return {source.arn for source in list_sources(session, now=NOW)}


@pytest.fixture
def fail(sandbox: Sandbox, deploy: Deploy, lambda_client: Any) -> Callable[..., str]:
    """Fail an event of a function with these settings; return its request id."""

    def run(**given: Any) -> str:
        function = deploy(REFUSE, maximum_retry_attempts=0, **given)
        answer = lambda_client.invoke(FunctionName=function.arn, InvocationType="Event", Payload='{"orderId":"ord-1"}')
        assert sandbox.lambda_service.wait_until_idle(20)
        return str(answer["ResponseMetadata"]["RequestId"])

    return run


def test_a_topic_a_bus_and_a_function_push_their_failures_and_each_is_stored_once(
    sandbox: Sandbox, collecting: Function, sqlite_engine: Engine, fail: Callable[..., str]
) -> None:
    sns, events = sandbox.clients("sns"), sandbox.clients("events")
    topic = str(sns.create_topic(Name=f"topic-{uuid4()}")["TopicArn"])
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=collecting.arn)
    name = f"bus-{uuid4()}"
    bus = str(events.create_event_bus(Name=name)["EventBusArn"])
    events.put_rule(Name="failures", EventBusName=name, EventPattern='{"source":["lambda"]}')
    events.put_targets(Rule="failures", EventBusName=name, Targets=[{"Id": "us", "Arn": collecting.arn}])

    by_topic, by_dlq = fail(on_failure_arn=topic), fail(dead_letter_arn=topic)
    by_bus, by_function = fail(on_failure_arn=bus), fail(on_failure_arn=collecting.arn)
    wait_until(lambda: len(stored(sqlite_engine)) == 4)

    found = {row.request_id: row.producer for row in stored(sqlite_engine)}
    assert found == {
        by_topic: Producer.LAMBDA_DESTINATION,
        by_dlq: Producer.LAMBDA_ASYNC_DLQ,
        by_bus: Producer.LAMBDA_DESTINATION,
        by_function: Producer.LAMBDA_DESTINATION,
    }
    assert {topic, bus} < arns(sqlite_engine)


def test_a_queue_as_event_source_gets_an_answer_of_what_could_not_be_stored(
    collecting: Function, sqlite_engine: Engine, lambda_client: Any
) -> None:
    event = sample("lambda-event-sqs.json")
    for _ in range(2):  # SQS hands a message over at least once
        answer = lambda_client.invoke(FunctionName=collecting.arn, Payload=json.dumps(event))
        assert json.loads(answer["Payload"].read()) == {"batchItemFailures": []}
    assert len(stored(sqlite_engine)) == 1
    assert arns(sqlite_engine) == {event["Records"][0]["eventSourceARN"]}


def test_what_is_not_durable_is_named_so_that_it_comes_again(
    sqlite_engine: Engine, make_objects: Callable[..., str]
) -> None:
    bucket = make_objects(record="{}")
    name = bucket.rpartition(":")[2]
    with write(sqlite_engine) as session:
        add_source(session, bucket, target=None, by=ADA, now=NOW)
    event = sample("lambda-event-sqs.json")
    (record,) = event["Records"]
    pointer = {**record, "messageId": "pointer", "messageAttributes": {}, "body": json.dumps(told(name, "record"))}
    event["Records"] = [record, pointer]
    arrivals = arrivals_of(event, pushed_to=US)

    def no_network(_arn: str) -> Any:
        raise SourceError("S3 could not be reached.")

    failed = collect_pushed(sqlite_engine, arrivals, pushed_to=US, open_objects=no_network, now=NOW)
    assert [arrival.item for arrival in failed] == ["pointer"]
    assert collect_pushed(sqlite_engine, failed, pushed_to=US, open_objects=aws.open_objects, now=NOW) == []
    assert len(stored(sqlite_engine)) == 2


def told(bucket: str, key: str) -> dict[str, Any]:
    """Return what S3 tells of a new object."""
    s3 = {"bucket": {"name": bucket}, "object": {"key": key, "size": 2, "eTag": "0" * 32}}
    return {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": s3}]}


@pytest.fixture
def make_objects(sandbox: Sandbox) -> Callable[..., str]:
    """Make a bucket with these objects; return its ARN."""

    def make(**contents: str | bytes) -> str:
        arn = make_bucket(sandbox)
        for key, content in contents.items():
            sandbox.clients("s3").put_object(Bucket=arn.rpartition(":")[2], Key=key, Body=content)
        return arn

    return make


def test_a_bucket_that_pushes_is_read_and_never_emptied(
    sandbox: Sandbox, collecting: Function, sqlite_engine: Engine, lambda_client: Any, fail: Callable[..., str]
) -> None:
    bucket = make_bucket(sandbox)
    name = bucket.rpartition(":")[2]
    request_id = fail(on_failure_arn=bucket)
    (thing,) = sandbox.clients("s3").list_objects_v2(Bucket=name)["Contents"]
    for _ in range(2):
        answer = lambda_client.invoke(FunctionName=collecting.arn, Payload=json.dumps(told(name, thing["Key"])))
        assert "FunctionError" not in answer

    (row,) = stored(sqlite_engine)
    assert (row.request_id, row.producer) == (request_id, Producer.LAMBDA_DESTINATION)
    assert arns(sqlite_engine) == {bucket}
    assert sandbox.clients("s3").list_objects_v2(Bucket=name)["KeyCount"] == 1


def test_a_prefix_is_listed_and_a_notification_in_a_queue_points_there(
    sandbox: Sandbox, settings: Settings, sqlite_engine: Engine, make_queue: MakeQueue, fail: Callable[..., str]
) -> None:
    bucket, queue = make_bucket(sandbox), make_queue()
    name, foreign = bucket.rpartition(":")[2], make_bucket(sandbox)
    ids = {fail(on_failure_arn=bucket), fail(on_failure_arn=bucket)}
    (first, _) = sandbox.clients("s3").list_objects_v2(Bucket=name)["Contents"]
    url = sandbox.clients.queue_url(queue)
    sqs = sandbox.clients("sqs")
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps(told(name, first["Key"])))
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent"}))
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps(told(foreign.rpartition(":")[2], "secret")))
    with write(sqlite_engine) as session:
        for arn in (queue, f"{bucket}/aws/lambda/"):
            add_source(session, arn, target=None, by=ADA, now=NOW)
    for _ in range(2):
        assert Worker(replace(settings, receive_wait_s=0.3), sqlite_engine).run(once=True)

    rows = stored(sqlite_engine)
    assert {row.request_id for row in rows if row.producer is Producer.LAMBDA_DESTINATION} == ids
    assert [row.producer for row in rows if row.request_id not in ids] == [Producer.UNRECOGNISED]  # the foreign one
    assert len(rows) == 3


def test_an_object_is_read_within_a_limit_and_only_if_it_is_text(make_objects: Callable[..., str]) -> None:
    source = aws.open_objects(make_objects(fine='{"a":1}', binary=b"\x1f\x8b\xff", large=b"x" * (MAX_OBJECT_BYTES + 1)))
    refs = {ref.key: ref for ref in source.list_after("")}
    assert [ref.key for ref in source.list_after("", most=2)] == ["binary", "fine"]
    assert [ref.key for ref in source.list_after("fine")] == ["large"]

    assert source.current("fine") == refs["fine"]
    assert source.current("nobody/put/that#there") is None
    fine, binary = source.fetch(refs["fine"]), source.fetch(refs["binary"])
    assert getattr(fine, "body", None) == '{"a":1}'
    assert isinstance(binary, Skip)
    assert "are not text" in binary.reason
    unsaid = source.fetch(ObjectRef(refs["large"].bucket, "large"))  # a notification need not say how large it is
    huge = source.fetch(ObjectRef(refs["fine"].bucket, "fine", 5 * 2**30))
    for skip in (unsaid, huge):
        assert isinstance(skip, Skip)
        assert "it was not fetched" in skip.reason
    assert source.fetch(ObjectRef(refs["fine"].bucket, "gone")) is None
    source.delete([refs["fine"]])
    assert [ref.key for ref in source.list_after("")] == ["binary", "large"]


def test_a_bucket_that_is_not_there_says_which() -> None:
    with pytest.raises(SourceError, match="does not exist"):
        aws.open_objects("arn:aws:s3:::not-there-at-all/x").list_after("")
