"""What holds for every target: the fake that other tests trust, an SQS queue, a function."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from deadletter import aws
from deadletter.aws import clients
from deadletter.aws.lambda_target import is_illegible
from deadletter.aws.sqs_target import MAX_BYTES
from deadletter.errors import AnswerLost, TargetBusy, TargetRefused
from deadletter.event import TargetKind
from deadletter.ports import Answer, Outgoing, Target
from tests.contract.broken import answering, http
from tests.fakes import FakeTarget

QUEUE = "arn:aws:sqs:eu-west-1:000000000000:orders"
FUNCTION = "arn:aws:lambda:eu-west-1:000000000000:function:orders-capture"
ECHO = "def handler(event, context): return event"


pytestmark = pytest.mark.usefixtures("aws_env")


@pytest.fixture(autouse=True)
def no_clients() -> Iterator[None]:
    clients.forget()
    yield
    clients.forget()


def out(key: int = 1, payload: str = '{"order_id": "ord-1"}', **given: Any) -> Outgoing:
    return Outgoing(key=key, payload=payload, **given)


def send_one(target: Target, outgoing: Outgoing | None = None) -> Answer | Exception:
    (answer,) = target.send([outgoing or out()])
    return answer


@pytest.fixture
def fake() -> Target:
    return FakeTarget()


@pytest.fixture
def queue(make_queue: Any) -> Target:
    return aws.open_target(TargetKind.SQS, make_queue(), "RequestResponse")


@pytest.fixture
def queued_function(deploy: Any) -> Target:
    return aws.open_target(TargetKind.LAMBDA, deploy(ECHO).arn, "Event")


@pytest.fixture
def function(deploy: Any) -> Target:
    return aws.open_target(TargetKind.LAMBDA, deploy(ECHO).arn, "RequestResponse")


@pytest.fixture(params=["fake", "queue", "queued_function", "function"])
def target(request: pytest.FixtureRequest) -> Target:
    found: Target = request.getfixturevalue(request.param)
    return found


def test_every_event_gets_an_answer_in_order_with_an_id_of_its_own(target: Target) -> None:
    batch = [out(key) for key in range(target.batch_size)]
    answers = [answer for answer in target.send(batch) if isinstance(answer, Answer)]

    assert [answer.key for answer in answers] == [outgoing.key for outgoing in batch]
    assert len({answer.sent_id for answer in answers}) == len(batch)
    assert not any(answer.failed for answer in answers)


def test_an_answer_is_the_outcome_only_where_the_target_did_the_work(
    fake: Target, queue: Target, queued_function: Target, function: Target
) -> None:
    answers = [send_one(target) for target in (fake, queue, queued_function, function)]

    assert [isinstance(answer, Answer) and answer.finished for answer in answers] == [False, False, False, True]


def receive(sandbox: Any, arn: str) -> Sequence[dict[str, Any]]:
    found = sandbox.clients("sqs").receive_message(
        QueueUrl=sandbox.clients.queue_url(arn),
        MaxNumberOfMessages=10,
        WaitTimeSeconds=1,
        MessageSystemAttributeNames=["All"],
        MessageAttributeNames=["All"],
    )
    return list(found.get("Messages", []))


def test_a_queue_gets_body_attributes_and_nothing_else(sandbox: Any, make_queue: Any) -> None:
    arn = make_queue()
    attributes = {
        "tenant": {"DataType": "String", "StringValue": "blue"},
        "count": {"DataType": "Number.int", "StringValue": "3"},
        "blob": {"DataType": "Binary", "BinaryValue": base64.b64encode(b"\x00\x01\xff").decode()},
    }
    send_one(aws.open_target(TargetKind.SQS, arn, ""), out(payload="not { json", message_attributes=attributes))

    (message,) = receive(sandbox, arn)
    assert message["Body"] == "not { json"
    assert message["MessageAttributes"] == {
        "tenant": {"DataType": "String", "StringValue": "blue"},
        "count": {"DataType": "Number.int", "StringValue": "3"},
        "blob": {"DataType": "Binary", "BinaryValue": b"\x00\x01\xff"},
    }


def test_a_fifo_queue_gets_the_group_and_does_not_drop_what_it_saw_before(sandbox: Any) -> None:
    url = sandbox.clients("sqs").create_queue(QueueName="orders.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    arn = sandbox.clients("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    target = aws.open_target(TargetKind.SQS, arn["Attributes"]["QueueArn"], "")
    for redrive_id in (1, 2):
        send_one(target, out(group_id="customer-3", deduplication_id=f"redrive-{redrive_id}-0-5a"))
    send_one(target, out(9, deduplication_id="redrive-2-1-5a"))

    found = receive(sandbox, arn["Attributes"]["QueueArn"])
    assert [message["Attributes"]["MessageGroupId"] for message in found] == ["customer-3", "customer-3", "event-9"]


def test_what_sqs_would_never_take_does_not_keep_the_others_out(queue: Target) -> None:
    batch = [out(1), out(2, "a\x00b"), out(3, "half \ud83d"), out(4, "x" * (MAX_BYTES + 1)), out(5, "\ufffe"), out(6)]
    answers = queue.send(batch)

    assert [type(answer) for answer in answers] == [Answer, *[TargetRefused] * 4, Answer]
    assert "U+0000, and its body has one at character 1" in str(answers[1])
    assert "1,048,577 bytes" in str(answers[3])


def test_a_batch_that_is_too_large_together_goes_in_parts(queue: Target) -> None:
    answers = queue.send([out(key, "x" * 400_000) for key in range(5)])

    assert all(isinstance(answer, Answer) for answer in answers)


def test_a_batch_that_one_entry_spoils_is_sent_one_by_one(queue: Target) -> None:
    bad = {"tenant": {"DataType": "Nonsense", "StringValue": "blue"}}
    answers = queue.send([out(1), out(2, message_attributes=bad), out(3)])

    assert isinstance(answers[0], Answer)
    assert isinstance(answers[2], Answer)


@pytest.mark.parametrize(
    ("kind", "arn"), [(TargetKind.SQS, QUEUE.replace("orders", "gone")), (TargetKind.LAMBDA, FUNCTION + "-gone")]
)
def test_a_target_that_does_not_exist_refuses_for_good(kind: TargetKind, arn: str) -> None:
    answer = send_one(aws.open_target(kind, arn, "RequestResponse"))

    assert isinstance(answer, TargetRefused)
    assert f"does not exist in eu-west-1. Check the ARN {arn}" in str(answer)


def test_a_function_gets_the_exact_bytes(deploy: Any) -> None:
    target = aws.open_target(TargetKind.LAMBDA, deploy("def handler(e, c): raise ValueError(repr(e))").arn, "Event")
    answer = aws.open_target(
        TargetKind.LAMBDA, deploy("def handler(e, c): raise ValueError(e['text'])").arn, "RequestResponse"
    ).send([out(payload='{"text":  "ü 😀 \\u0000"}')])[0]

    assert isinstance(answer, Answer)
    assert answer.error_message == "ü 😀 \ufffd"
    assert isinstance(send_one(target, out(payload='"half \ud83d"')), TargetRefused)


def test_a_function_that_raises_says_how_it_failed(deploy: Any) -> None:
    function = deploy("def handler(event, context): raise ValueError('refused')")
    answer = send_one(aws.open_target(TargetKind.LAMBDA, function.arn, "RequestResponse"))

    assert isinstance(answer, Answer)
    assert (answer.finished, answer.failed) == (True, True)
    assert (answer.error_type, answer.error_message) == ("ValueError", "refused")
    assert "in handler" in (answer.stack_trace or ("",))[0]


@pytest.mark.parametrize(
    ("failures", "failed"), [('[{"itemIdentifier": "m-1"}]', True), ("[]", False), ("null", False), ('"all"', True)]
)
def test_a_function_that_reports_batch_item_failures_failed(deploy: Any, failures: str, *, failed: bool) -> None:
    function = deploy(f"import json\ndef handler(e, c): return {{'batchItemFailures': json.loads('{failures}')}}")
    answer = send_one(aws.open_target(TargetKind.LAMBDA, function.arn, "RequestResponse"))

    assert isinstance(answer, Answer)
    assert (answer.failed, answer.error_message) == (failed, None)


def test_a_throttled_function_is_busy_and_says_why(deploy: Any) -> None:
    answer = send_one(aws.open_target(TargetKind.LAMBDA, deploy(ECHO, reserved_concurrency=0).arn, "RequestResponse"))

    assert isinstance(answer, TargetBusy)
    assert "ReservedFunctionConcurrentInvocationLimitExceeded" in str(answer)


def test_a_function_says_how_long_it_takes_to_give_an_event_up(deploy: Any) -> None:
    function = deploy(ECHO, timeout_s=5.0, maximum_retry_attempts=1, reserved_concurrency=7)
    facts = aws.open_target(TargetKind.LAMBDA, function.arn, "Event").facts()

    assert (facts.settle_s, facts.timeout_s, facts.reserved_concurrency) == (5 * 2 + 60 + 30, 5, 7)


def test_a_queue_says_how_long_it_takes_to_give_a_message_up(make_queue: Any) -> None:
    policy = json.dumps({"deadLetterTargetArn": make_queue(), "maxReceiveCount": 3})
    arn = make_queue(VisibilityTimeout="20", RedrivePolicy=policy)

    assert aws.open_target(TargetKind.SQS, arn, "").facts().settle_s == 3 * 20 + 30


def test_a_target_that_may_not_be_asked_has_no_facts() -> None:
    assert aws.open_target(TargetKind.SQS, QUEUE.replace("orders", "gone"), "").facts().settle_s is None
    assert aws.open_target(TargetKind.LAMBDA, FUNCTION + "-gone", "").facts().settle_s is None


NOTHING, TRUNCATED = b"", http("200 OK", b'{"Successful": [{"Id": "0", "Mess', length=400)
TOOK = http("200 OK", b'{"Successful": [{"Id": "0", "MessageId": "m-1"}], "Failed": []}')
NO_ID = http("200 OK", b'{"Successful": [{"Id": "0"}], "Failed": []}')
NOT_JSON = http("200 OK", b"<html>")


class TestBrokenNetwork:
    """The answer is lost, or wrong: what may have been taken is never sent again, what was not taken is."""

    @pytest.fixture(params=[TargetKind.SQS, TargetKind.LAMBDA])
    def kind(self, request: pytest.FixtureRequest) -> TargetKind:
        kind: TargetKind = request.param
        return kind

    def answer(self, monkeypatch: pytest.MonkeyPatch, kind: TargetKind, raw: bytes) -> Answer | Exception:
        with answering(raw) as url:
            return self.answer_at(monkeypatch, kind, url)

    def answer_at(self, monkeypatch: pytest.MonkeyPatch, kind: TargetKind, url: str) -> Answer | Exception:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", url)
        arn = QUEUE if kind is TargetKind.SQS else FUNCTION
        return send_one(aws.open_target(kind, arn, "RequestResponse"))

    @pytest.mark.parametrize("raw", [NOTHING, TRUNCATED, http("504 Gateway Timeout", b"{}")])
    def test_an_answer_that_does_not_come_back_whole_leaves_it_unknown(
        self, monkeypatch: pytest.MonkeyPatch, kind: TargetKind, raw: bytes
    ) -> None:
        answer = self.answer(monkeypatch, kind, raw)

        assert isinstance(answer, AnswerLost)
        assert "may or may not have arrived" in str(answer)

    @pytest.mark.parametrize("raw", [NO_ID, NOT_JSON])
    def test_a_queue_that_answers_without_a_message_id_leaves_it_unknown(
        self, monkeypatch: pytest.MonkeyPatch, raw: bytes
    ) -> None:
        assert isinstance(self.answer(monkeypatch, TargetKind.SQS, raw), AnswerLost)

    @pytest.mark.parametrize(
        ("name", "raws", "expected"),
        [
            ("orders.fifo", (NOTHING, NOTHING, TOOK), Answer),
            ("orders.fifo", (NOTHING, NOTHING, NOTHING, TOOK), AnswerLost),
            ("orders", (NOTHING, TOOK), AnswerLost),
        ],
        ids=["FIFO, lost twice", "FIFO, lost three times", "standard"],
    )
    def test_what_a_fifo_queue_would_drop_as_known_is_sent_again_where_the_answer_was_lost(
        self, monkeypatch: pytest.MonkeyPatch, name: str, raws: tuple[bytes, ...], expected: type
    ) -> None:
        with answering(*raws) as url:
            monkeypatch.setenv("AWS_ENDPOINT_URL", url)
            target = aws.open_target(TargetKind.SQS, QUEUE.replace("orders", name), "")
            assert isinstance(send_one(target, out(deduplication_id="redrive-1-0-5a")), expected)

    @pytest.mark.parametrize("status", ["500 Internal", "502 Bad", "503 Unavailable", "429 Too Many"])
    def test_a_target_that_is_unwell_is_busy_and_nothing_counts_as_failed(
        self, monkeypatch: pytest.MonkeyPatch, kind: TargetKind, status: str
    ) -> None:
        answer = self.answer(monkeypatch, kind, http(status, b"{}", headers="Retry-After: 7\r\n"))

        assert isinstance(answer, TargetBusy)
        assert answer.retry_after_s == 7.0

    def test_a_target_that_cannot_be_reached_is_busy(self, monkeypatch: pytest.MonkeyPatch, kind: TargetKind) -> None:
        answer = self.answer_at(monkeypatch, kind, "http://127.0.0.1:9")

        assert isinstance(answer, TargetBusy)
        assert "could not be reached" in str(answer)

    def test_a_missing_permission_is_named(self, monkeypatch: pytest.MonkeyPatch, kind: TargetKind) -> None:
        said = b'{"__type": "AccessDeniedException", "message": "User: x is not authorized to perform: kms:Decrypt"}'
        answer = self.answer(
            monkeypatch, kind, http("403 Forbidden", said, headers="x-amzn-errortype: AccessDeniedException\r\n")
        )

        assert isinstance(answer, TargetRefused)
        assert "The permission kms:Decrypt on arn:aws:" in str(answer)


@pytest.mark.parametrize(
    ("answer", "sent", "illegible"),
    [
        (b'{"batchItemFail', {"Records": [{"eventSource": "aws:sqs", "messageId": "m"}]}, True),
        (b'{"batchItemFailures":[]}', {"Records": [{"eventSource": "aws:sqs", "messageId": "m"}]}, False),
        (b"", {"Records": [{"eventSource": "aws:kinesis"}]}, False),
        (b"<html>", {"Records": [{"eventSource": "aws:s3"}]}, False),
        (b"plain words", {"order_id": "ord-1"}, False),
        (b"nul", {"Records": "all of them"}, False),
    ],
)
def test_a_batchs_answer_that_nobody_can_read_says_nothing_about_its_records(
    answer: bytes, sent: Any, illegible: Any
) -> None:
    assert is_illegible(answer, sent=json.dumps(sent)) is illegible
