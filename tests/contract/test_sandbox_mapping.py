"""An SQS queue as a function's event source: what the function gets, and what becomes of what it could not do."""

import json
from pathlib import Path
from typing import Any

import pytest

from sandbox.environment import Result
from sandbox.functions import Function, QueueMapping
from sandbox.local import Sandbox
from sandbox.mapping import failed_ids
from tests.sandbox_fixture import Deploy, MakeQueue, receive, sample, shape

RECORD_BATCHES = """
    import json

    def handler(event, context):
        with open({seen!r}, "a") as file:
            print(json.dumps(event), file=file)
        failed = [record["messageId"] for record in event["Records"] if "bad" in record["body"]]
        return {{"batchItemFailures": [{{"itemIdentifier": each}} for each in failed]}}
    """


def make_source_queue(make_queue: MakeQueue) -> tuple[str, str]:
    """Return a queue that gives a message one chance, and the queue that gets it after that."""
    dlq = make_queue()
    policy = {"deadLetterTargetArn": dlq, "maxReceiveCount": "1"}
    return make_queue(VisibilityTimeout="1", RedrivePolicy=json.dumps(policy)), dlq


def attach(sandbox: Sandbox, function: Function, queue: str, **settings: Any) -> None:
    sandbox.lambda_service.add_mapping(QueueMapping(queue_arn=queue, function_name=function.name, **settings))


def put(sandbox: Sandbox, queue: str, *bodies: str, **params: Any) -> list[str]:
    entries = [{"Id": str(n), "MessageBody": body, **params} for n, body in enumerate(bodies)]
    url = sandbox.clients.queue_url(queue)
    return [
        each["MessageId"]
        for each in sandbox.clients("sqs").send_message_batch(QueueUrl=url, Entries=entries)["Successful"]
    ]


def test_what_failed_comes_to_the_dead_letter_queue_and_what_succeeded_is_deleted(
    sandbox: Sandbox, deploy: Deploy, make_queue: MakeQueue, tmp_path: Path
) -> None:
    queue, dlq = make_source_queue(make_queue)
    seen = tmp_path / "seen"
    ids = put(sandbox, queue, "good", "bad")
    attach(sandbox, deploy(RECORD_BATCHES.format(seen=str(seen))), queue)
    message = receive(sandbox, dlq)
    assert (message["MessageId"], message["Body"]) == (ids[1], "bad")
    batches = [json.loads(line)["Records"] for line in seen.read_text().splitlines()]
    assert sorted(record["body"] for batch in batches for record in batch) == ["bad", "good"]


def test_the_function_gets_the_event_of_the_sample_and_the_dlq_the_message_of_the_sample(
    sandbox: Sandbox, deploy: Deploy, make_queue: MakeQueue, tmp_path: Path
) -> None:
    queue, dlq = make_source_queue(make_queue)
    seen = tmp_path / "seen"
    theirs = sample("lambda-event-sqs.json")
    put(sandbox, queue, "bad", MessageAttributes={"tenant": {"DataType": "String", "StringValue": "blue"}})
    attach(sandbox, deploy(RECORD_BATCHES.format(seen=str(seen))), queue)
    message = receive(sandbox, dlq)
    event = json.loads(seen.read_text())
    assert shape(event) == shape(theirs)
    [ours], [record] = event["Records"], theirs["Records"]
    assert list(ours) == list(record)
    assert (ours["messageAttributes"], ours["md5OfMessageAttributes"]) == (
        record["messageAttributes"],
        record["md5OfMessageAttributes"],
    )
    assert (ours["eventSourceARN"], ours["attributes"]["ApproximateReceiveCount"]) == (queue, "1")
    moved = sample("sqs-redrive-dlq-standard.json")
    del moved["MessageAttributes"]["attempts"]
    assert shape(message) == shape(moved)
    assert message["Attributes"]["DeadLetterQueueSourceArn"] == queue
    assert message["MessageId"] == ours["messageId"]


def test_a_function_that_raises_fails_the_whole_batch(sandbox: Sandbox, deploy: Deploy, make_queue: MakeQueue) -> None:
    queue, dlq = make_source_queue(make_queue)
    ids = put(sandbox, queue, "one", "two")
    attach(sandbox, deploy("def handler(event, context): raise ValueError"), queue)
    assert {receive(sandbox, dlq)["MessageId"], receive(sandbox, dlq)["MessageId"]} == set(ids)


def test_what_failed_can_be_shown_again_before_its_visibility_timeout(
    sandbox: Sandbox, deploy: Deploy, make_queue: MakeQueue
) -> None:
    dlq = make_queue()
    policy = {"deadLetterTargetArn": dlq, "maxReceiveCount": "2"}
    queue = make_queue(VisibilityTimeout="300", RedrivePolicy=json.dumps(policy))
    attach(sandbox, deploy("def handler(event, context): raise ValueError"), queue, retry_wait_s=0)
    [failed] = put(sandbox, queue, "bad")
    assert receive(sandbox, dlq)["MessageId"] == failed


def test_a_window_gathers_a_batch(sandbox: Sandbox, deploy: Deploy, make_queue: MakeQueue, tmp_path: Path) -> None:
    queue, dlq = make_source_queue(make_queue)
    seen = tmp_path / "seen"
    function = deploy(RECORD_BATCHES.format(seen=str(seen)))
    attach(sandbox, function, queue, batch_size=3, window_s=5.0, maximum_concurrency=1)
    for body in ("bad", "good", "also good"):
        put(sandbox, queue, body)
    assert receive(sandbox, dlq)["Body"] == "bad"
    [batch] = [json.loads(line)["Records"] for line in seen.read_text().splitlines()]
    assert [record["body"] for record in batch] == ["bad", "good", "also good"]


def test_mappings_are_listed_by_queue_and_by_function(
    sandbox: Sandbox, lambda_client: Any, deploy: Deploy, make_queue: MakeQueue
) -> None:
    queue, function = make_queue(), deploy("def handler(event, context): pass")
    attach(sandbox, function, queue, batch_size=5, maximum_concurrency=3)
    [by_queue] = lambda_client.list_event_source_mappings(EventSourceArn=queue)["EventSourceMappings"]
    [by_function] = lambda_client.list_event_source_mappings(FunctionName=function.arn)["EventSourceMappings"]
    assert by_queue == by_function
    assert (by_queue["EventSourceArn"], by_queue["FunctionArn"]) == (queue, function.arn)
    assert (by_queue["BatchSize"], by_queue["ScalingConfig"]) == (5, {"MaximumConcurrency": 3})
    assert by_queue["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert lambda_client.list_event_source_mappings(FunctionName="none")["EventSourceMappings"] == []


@pytest.mark.parametrize(
    ("answer", "failed"),
    [
        ("null", set()),
        ("{}", set()),
        ('{"batchItemFailures": []}', set()),
        ('{"batchItemFailures": null}', set()),
        ('{"batchItemFailures": [{"itemIdentifier": "b"}]}', {"b"}),
        ('{"batchItemFailures": [{"itemIdentifier": "z"}]}', {"a", "b"}),
        ('{"batchItemFailures": [{"itemIdentifier": ""}]}', {"a", "b"}),
        ('{"batchItemFailures": [{"itemIdentifier": null}]}', {"a", "b"}),
        ('{"batchItemFailures": [{"item": "b"}]}', {"a", "b"}),
        ('{"batchItemFailures": ["b"]}', {"a", "b"}),
        ('"done"', {"a", "b"}),
    ],
)
def test_a_partial_batch_response_is_read_as_aws_reads_it(answer: str, failed: set[str]) -> None:
    assert failed_ids(Result(payload=answer, failed=False), ["a", "b"]) == failed


def test_a_failed_batch_failed_for_every_message() -> None:
    assert failed_ids(Result(payload="{}", failed=True), ["a", "b"]) == {"a", "b"}
