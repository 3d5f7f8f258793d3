"""The shop: it fails for believable reasons, always for the same orders, until a fix is deployed, and never twice."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.functions import FunctionName
from sandbox.local import Sandbox
from sandbox.shop import CAPTURE, FULFIL, NOTIFY, Shop
from sandbox.shop.customers import make_order

ORDERS = 24  # eight for each function: every kind of failure once at least


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox of this module's own, so that the shop's only customers are ours."""
    with Sandbox(tmp_path_factory.mktemp("shop")) as box:
        yield box


@pytest.fixture(scope="module")
def shop(sandbox: Sandbox) -> Shop:
    return Shop(sandbox)


@pytest.fixture(scope="module")
def failed(shop: Shop) -> list[str]:
    """Let the shop take orders, and wait until what fails has failed for good."""
    shop.orders(ORDERS)
    assert shop.settled(40)
    return shop.failed_orders()


def drain(sandbox: Sandbox, queue_arn: str) -> list[dict[str, Any]]:
    """Read everything in a queue, and leave it there."""
    sqs, url = sandbox.clients("sqs"), sandbox.clients.queue_url(queue_arn)
    read: list[dict[str, Any]] = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]).get(
        "Messages"
    ):
        read += messages
    for message in read:
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
    return read


def test_every_failed_order_lands_once_where_its_function_leaves_failures(
    sandbox: Sandbox, shop: Shop, failed: list[str]
) -> None:
    bodies = [json.loads(message["Body"]) for arn in shop.failure_arns for message in drain(sandbox, arn)]
    landed = Counter(body.get("requestPayload", body)["orderId"] for body in bodies)
    assert 0 < len(failed) < ORDERS
    assert landed == Counter(failed)


def test_captures_fail_for_declined_cards_and_for_time(sandbox: Sandbox, shop: Shop, failed: list[str]) -> None:
    messages = [m["MessageAttributes"]["ErrorMessage"]["StringValue"] for m in drain(sandbox, shop.capture_dlq_arn)]
    declined = [text for text in messages if text.startswith("card declined for order ord-")]
    timed_out = [text for text in messages if text.endswith("Task timed out after 2.00 seconds")]
    assert (len(declined), len(timed_out)) == (2, 1)
    assert len(declined) + len(timed_out) == len(messages)
    assert failed


def test_notifications_fail_for_missing_keys_unavailable_services_and_memory(
    sandbox: Sandbox, shop: Shop, failed: list[str]
) -> None:
    records = [json.loads(message["Body"]) for message in drain(sandbox, shop.notify_failures_arn)]
    errors = Counter(record["responsePayload"]["errorType"] for record in records)
    texts = "\n".join(record["responsePayload"]["errorMessage"] for record in records)
    assert errors == {"KeyError": 2, "ServiceUnavailable": 1, "Runtime.ExitError": 1}
    assert "503 Server Error: Service Unavailable for url: http://10.0.10.17:2525/" in texts
    assert "Runtime exited with error: signal: killed" in texts
    assert {record["requestContext"]["approximateInvokeCount"] for record in records} == {3}
    assert failed


def test_a_redrive_before_the_fix_fails_again_and_one_after_it_succeeds_and_charges_nobody_twice(
    sandbox: Sandbox, shop: Shop, failed: list[str]
) -> None:
    early = {order: redrive(sandbox, function_of(order), order) for order in failed}
    assert [order for order, result in early.items() if not result.failed] == []
    assert json.loads(early["ord-1011"].payload)["errorType"] == "PaymentError"
    assert json.loads(early["ord-1003"].payload)["errorType"] == "KeyError"
    assert json.loads(early["ord-1001"].payload)["errorType"] == "BatchProcessingError"
    assert shop.failed_orders() == failed
    assert shop.settled()
    shop.deploy_fix()
    late = [redrive(sandbox, function_of(order), order) for order in failed * 2]
    shop.roll_back()
    assert [result.payload for result in late if result.failed] == []
    assert shop.failed_orders() == []
    assert Counter(shop.side_effects().values()) == {1: ORDERS}


def function_of(order_id: str) -> str:
    return (CAPTURE, NOTIFY, FULFIL)[int(order_id.removeprefix("ord-")) % 3]


def redrive(sandbox: Sandbox, name: str, order_id: str) -> Any:
    """Send an order to its function again, and wait for the answer."""
    event: dict[str, Any] = make_order(int(order_id.removeprefix("ord-")))
    if name == FULFIL:
        record = {"messageId": "again", "body": json.dumps(event), "eventSource": "aws:sqs"}
        event = {"Records": [record]}
    _, result = sandbox.lambda_service.invoke(FunctionName(name), json.dumps(event))
    return result
