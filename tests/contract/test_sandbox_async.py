"""Asynchronous invocation: attempts, ages, and what is left of an event that failed for good."""

import json
import os
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from sandbox.asynchronous import AWS_WAITS_S, too_old
from sandbox.functions import Function
from sandbox.local import Sandbox
from sandbox.records import first_bytes
from tests.sandbox_fixture import Deploy, MakeQueue, receive, sample, shape

ORDER = '{"orderId":"ord-7741","customer":"c-19","lines":[{"sku":"TEA-03","qty":2}],"total":18.4}'
REFUSE = "def handler(event, context): raise ValueError('refused')"
RESERVE = "\n" * 10 + (
    "def reserve(event):\n"
    '    raise ValueError("inventory service refused sku TEA-03")\n'
    + "\n"
    * 17
    + "def lambda_handler(event, context):\n"
    "    reserve(event)\n"
)
"""The handler of the samples, line for line."""


def send(client: Any, function: Function, payload: str = ORDER, **params: Any) -> str:
    """Invoke asynchronously; return the request id."""
    answer = client.invoke(FunctionName=function.name, InvocationType="Event", Payload=payload, **params)
    assert answer["StatusCode"] == 202
    assert answer["Payload"].read() == b""
    return str(answer["ResponseMetadata"]["RequestId"])


def attributes_of(message: dict[str, Any]) -> dict[str, str]:
    return {name: value["StringValue"] for name, value in message.get("MessageAttributes", {}).items()}


def test_a_dead_letter_queue_gets_the_message_of_the_sample(
    sandbox: Sandbox, lambda_client: Any, deploy: Deploy, make_queue: MakeQueue
) -> None:
    queue = make_queue()
    request_id = send(lambda_client, deploy(RESERVE, handler="app.lambda_handler", dead_letter_arn=queue))
    message, theirs = receive(sandbox, queue), sample("async-dlq-sqs.json")
    message.pop("ResponseMetadata", None)
    assert shape(message) == shape(theirs)
    assert message["Body"] == theirs["Body"] == ORDER
    assert message["MD5OfBody"] == theirs["MD5OfBody"]
    theirs["MessageAttributes"]["RequestID"]["StringValue"] = request_id
    assert message["MessageAttributes"] == theirs["MessageAttributes"]


def test_an_on_failure_destination_gets_the_record_of_the_sample(
    sandbox: Sandbox, lambda_client: Any, deploy: Deploy, make_queue: MakeQueue
) -> None:
    queue = make_queue()
    function = deploy(RESERVE, name="orders-ingest", handler="app.lambda_handler", on_failure_arn=queue)
    request_id = send(lambda_client, function)
    message, theirs = receive(sandbox, queue), sample("async-destination-sqs.json")
    assert shape(message) == shape(theirs)
    record = json.loads(message["Body"])
    expected = theirs["Body"].replace("210987654321", sandbox.account)
    expected = expected.replace("5d0a6c1e-8f3b-4a77-9c1d-2e64b7f0a913", request_id)
    assert message["Body"] == expected.replace("2026-09-14T07:15:33.187Z", record["timestamp"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record["timestamp"])
    assert (
        abs(
            datetime.fromisoformat(record["timestamp"]).timestamp() * 1000 - int(message["Attributes"]["SentTimestamp"])
        )
        < 2000
    )


def test_both_places_get_the_event_with_the_request_id_that_invoke_answered(
    sandbox: Sandbox, lambda_client: Any, deploy: Deploy, make_queue: MakeQueue
) -> None:
    queue, failures = make_queue(), make_queue()
    request_id = send(lambda_client, deploy(REFUSE, dead_letter_arn=queue, on_failure_arn=failures))
    record = json.loads(receive(sandbox, failures)["Body"])
    assert attributes_of(receive(sandbox, queue))["RequestID"] == request_id
    assert record["requestContext"]["requestId"] == record["responsePayload"]["requestId"] == request_id


@pytest.mark.parametrize("retries", [0, 1, 2])
def test_all_attempts_have_one_request_id(
    retries: int, sandbox: Sandbox, lambda_client: Any, deploy: Deploy, make_queue: MakeQueue
) -> None:
    failures = make_queue()
    function = deploy(
        """
        def handler(event, context):
            with open("seen", "a") as file:
                print(context.aws_request_id, file=file)
            raise ValueError
        """,
        on_failure_arn=failures,
        maximum_retry_attempts=retries,
    )
    request_id = send(lambda_client, function)
    context = json.loads(receive(sandbox, failures)["Body"])["requestContext"]
    assert (context["condition"], context["approximateInvokeCount"]) == ("RetriesExhausted", retries + 1)
    assert (function.code / "seen").read_text().split() == [request_id] * (retries + 1)


def test_an_attempt_that_succeeds_ends_it(
    sandbox: Sandbox, lambda_client: Any, deploy: Deploy, make_queue: MakeQueue, tmp_path: Path
) -> None:
    seen, queue = tmp_path / "seen", make_queue()
    function = deploy(
        f"""
        import os

        def handler(event, context):
            if not os.path.exists({str(seen)!r}):
                open({str(seen)!r}, "w").close()
                raise ValueError("only the first time")
        """,
        dead_letter_arn=queue,
    )
    send(lambda_client, function)
    assert sandbox.lambda_service.wait_until_idle(10)
    assert seen.exists()
    with pytest.raises(AssertionError, match="has no message"):
        receive(sandbox, queue, wait_s=0)


def test_an_event_that_would_be_too_old_for_its_retry_is_given_up_at_once(
    sandbox: Sandbox, lambda_client: Any, deploy: Deploy, make_queue: MakeQueue
) -> None:
    queue = make_queue()
    function = deploy(
        RESERVE,
        name="orders-ingest",
        handler="app.lambda_handler",
        on_failure_arn=queue,
        maximum_event_age_s=60,
    )
    send(lambda_client, function)
    message, theirs = receive(sandbox, queue), sample("async-destination-sqs-event-age.json")
    record, expected = json.loads(message["Body"]), json.loads(theirs["Body"])
    assert shape(record) == shape(expected)
    assert list(record) == list(expected)
    for part in ("requestContext", "responsePayload"):
        expected[part]["requestId"] = record[part]["requestId"]
    expected["requestContext"]["functionArn"] = f"{function.arn}:$LATEST"
    assert {**record, "timestamp": ""} == {**expected, "timestamp": ""}


@pytest.mark.parametrize(("age_s", "retries"), [(60, 0), (90, 1), (179, 1), (21_600, 2)])
def test_the_look_ahead_leaves_as_many_retries_as_on_aws(age_s: int, retries: int, tmp_path: Path) -> None:
    function = Function(name="f", handler="app.handler", code=tmp_path, maximum_event_age_s=age_s)
    first, second = AWS_WAITS_S
    a_moment = 0.1
    assert too_old(function, a_moment, first) == (retries < 1)
    assert too_old(function, first + a_moment, second) == (retries < 2)


def test_an_event_of_a_function_with_no_concurrency_never_runs(
    sandbox: Sandbox, lambda_client: Any, deploy: Deploy, make_queue: MakeQueue
) -> None:
    queue, failures = make_queue(), make_queue()
    function = deploy(REFUSE, dead_letter_arn=queue, on_failure_arn=failures, reserved_concurrency=0)
    request_id = send(lambda_client, function)
    record = json.loads(receive(sandbox, failures)["Body"])
    assert list(record) == ["version", "timestamp", "requestContext", "requestPayload"]
    assert record["requestPayload"] == json.loads(ORDER)
    assert record["requestContext"] == {
        "requestId": request_id,
        "functionArn": f"{function.arn}:$LATEST",
        "condition": "ZeroReservedConcurrency",
        "approximateInvokeCount": 0,
    }
    assert attributes_of(receive(sandbox, queue)) == {
        "RequestID": request_id,
        "ErrorCode": "429",
        "ErrorMessage": "Rate Exceeded.",
    }


def test_a_throttled_event_uses_up_no_retry(
    sandbox: Sandbox, lambda_client: Any, deploy: Deploy, make_queue: MakeQueue, tmp_path: Path
) -> None:
    fifo, failures = tmp_path / "fifo", make_queue()
    os.mkfifo(fifo)
    function = deploy(
        """
        def handler(event, context):
            if "hold" in event:
                open(event["hold"]).read()  # a FIFO is read until its other end is closed
                return
            raise ValueError("ran at last")
        """,
        on_failure_arn=failures,
        maximum_retry_attempts=0,
        reserved_concurrency=1,
    )
    send(lambda_client, function, json.dumps({"hold": str(fifo)}))
    with fifo.open("w"):  # from here on the only environment is taken
        send(lambda_client, function)
    record = json.loads(receive(sandbox, failures)["Body"])
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 1
    assert record["responsePayload"]["errorMessage"] == "ran at last"


def test_a_timeout_reaches_the_dead_letter_queue_in_the_words_of_the_sample(
    sandbox: Sandbox, lambda_client: Any, deploy: Deploy, make_queue: MakeQueue
) -> None:
    queue = make_queue()
    function = deploy(
        "import time\ndef handler(event, context): time.sleep(30)",
        dead_letter_arn=queue,
        timeout_s=0.2,
        maximum_retry_attempts=0,
    )
    request_id = send(lambda_client, function)
    theirs = attributes_of(sample("async-dlq-sqs-timeout.json"))
    expected = theirs["ErrorMessage"].replace(theirs["RequestID"], request_id).replace("3.00", "0.20")
    assert attributes_of(receive(sandbox, queue)) == {
        "RequestID": request_id,
        "ErrorCode": "200",
        "ErrorMessage": expected,
    }


@pytest.mark.parametrize(
    "payload", ['{ "a" : 1.10, "a" : 1e3 }', '"ord-1"', "null", "[1, 2]", '{"name": "漢字 é", "lone": "\\ud800"}']
)
def test_the_event_is_kept_as_it_was_sent(
    payload: str, sandbox: Sandbox, lambda_client: Any, deploy: Deploy, make_queue: MakeQueue
) -> None:
    queue, failures = make_queue(), make_queue()
    send(
        lambda_client, deploy(REFUSE, dead_letter_arn=queue, on_failure_arn=failures, maximum_retry_attempts=0), payload
    )
    assert receive(sandbox, queue)["Body"] == payload
    assert f'"requestPayload":{payload},' in receive(sandbox, failures)["Body"]


@pytest.mark.parametrize(
    ("text", "kept"),
    [("short", "short"), ("x" * 2000, "x" * 1024), ("é" * 1000, "é" * 512), ("x" + "é" * 1000, "x" + "é" * 511)],
    ids=["short", "long", "two-byte characters", "a character across the limit"],
)
def test_an_error_message_is_kept_up_to_1_kb_of_whole_characters(text: str, kept: str) -> None:
    assert first_bytes(text, 1024) == kept


def test_an_exception_without_a_text_leaves_its_attribute_out(
    sandbox: Sandbox, lambda_client: Any, deploy: Deploy, make_queue: MakeQueue
) -> None:
    queue = make_queue()
    function = deploy("def handler(event, context): raise ValueError", dead_letter_arn=queue, maximum_retry_attempts=0)
    request_id = send(lambda_client, function)
    assert attributes_of(receive(sandbox, queue)) == {"RequestID": request_id, "ErrorCode": "200"}


def test_the_record_names_the_alias_that_was_invoked(
    sandbox: Sandbox, lambda_client: Any, deploy: Deploy, make_queue: MakeQueue
) -> None:
    failures = make_queue()
    function = deploy(REFUSE, on_failure_arn=failures, aliases=frozenset({"live"}), maximum_retry_attempts=0)
    send(lambda_client, function, Qualifier="live")
    record = json.loads(receive(sandbox, failures)["Body"])
    assert record["requestContext"]["functionArn"] == f"{function.arn}:live"
    assert record["responseContext"]["executedVersion"] == "$LATEST"


def test_a_topic_as_dead_letter_queue_gets_the_event_and_the_attributes(
    sandbox: Sandbox, lambda_client: Any, deploy: Deploy, make_queue: MakeQueue
) -> None:
    queue, sns = make_queue(), sandbox.clients("sns")
    topic = sns.create_topic(Name="orders-failed")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    request_id = send(lambda_client, deploy(REFUSE, dead_letter_arn=topic, maximum_retry_attempts=0))
    envelope = json.loads(receive(sandbox, queue)["Body"])
    assert envelope["Message"] == ORDER
    assert envelope["MessageAttributes"] == {
        "RequestID": {"Type": "String", "Value": request_id},
        "ErrorCode": {"Type": "Number", "Value": "200"},
        "ErrorMessage": {"Type": "String", "Value": "refused"},
    }


def test_a_failure_that_no_place_takes_is_lost_and_counted(
    sandbox: Sandbox, lambda_client: Any, deploy: Deploy, make_queue: MakeQueue
) -> None:
    lost, failures = sandbox.lambda_service.delivery.lost, make_queue()
    nowhere = f"arn:aws:sqs:{sandbox.region}:{sandbox.account}:nowhere"
    send(lambda_client, deploy(REFUSE, dead_letter_arn=nowhere, on_failure_arn=failures, maximum_retry_attempts=0))
    assert receive(sandbox, failures)
    assert sandbox.lambda_service.delivery.lost == lost + 1
