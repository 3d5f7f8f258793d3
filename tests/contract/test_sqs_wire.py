"""What our own SQS calls make of a network that fails, and of what stands in boto3's settings."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Semaphore
from typing import ClassVar

import pytest
from botocore.credentials import Credentials
from botocore.exceptions import SSLError

from deadletter import aws
from deadletter.aws import clients
from deadletter.aws.sqs_wire import Wire, speaks_directly
from deadletter.aws.trouble import Trouble, kind_of
from deadletter.errors import AnswerLost, SourceError
from deadletter.event import TargetKind
from deadletter.ports import Answer, Outgoing
from tests.contract.broken import answering, http

ARN = "arn:aws:sqs:eu-west-1:111122223333:orders-dlq"
pytestmark = pytest.mark.usefixtures("aws_env")


@pytest.fixture(autouse=True)
def no_clients() -> Iterator[None]:
    clients.forget()
    yield
    clients.forget()


def receive_from(answer: bytes, monkeypatch: pytest.MonkeyPatch, times: int = 1) -> list[int]:
    """Receive from a server that gives *answer* and hangs up; return how many messages came each time."""
    with answering(answer) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        source = aws.open_source(ARN)
        return [len(source.receive(most=10, wait_s=0)) for _ in range(times)]


def error(code: str, message: str) -> bytes:
    return json.dumps({"__type": f"com.amazonaws.sqs#{code}", "message": message}).encode()


def test_a_connection_that_the_server_let_go_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = http("200 OK", json.dumps({"Messages": [{"MessageId": "m", "ReceiptHandle": "r", "Body": "b"}]}).encode())

    assert receive_from(answer, monkeypatch, times=3) == [1, 1, 1]


def test_a_missing_permission_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "User: arn:aws:iam::111122223333:role/w is not authorized to perform: sqs:receivemessage on resource: x"

    with pytest.raises(SourceError, match=r"The permission sqs:receivemessage on .*orders-dlq is missing"):
        receive_from(http("403 Forbidden", error("AccessDeniedException", said)), monkeypatch)


def test_the_code_in_the_header_comes_before_that_of_the_protocol(monkeypatch: pytest.MonkeyPatch) -> None:
    header = "x-amzn-query-error: AWS.SimpleQueueService.NonExistentQueue;Sender\r\n"

    with pytest.raises(SourceError, match="orders-dlq does not exist in eu-west-1"):
        receive_from(http("400 Bad Request", error("SomethingElse", "gone"), headers=header), monkeypatch)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (http("200 OK", b"<html>"), "went out and no whole answer came back"),
        (http("200 OK", b"{}", length=99), "went out and no whole answer came back"),
        (b"", "went out and no whole answer came back"),
        (http("503 Service Unavailable", b"busy"), "AWS could not take the call to orders-dlq now"),
        (http("400 Bad Request", error("ThrottlingException", "slow")), "orders-dlq asks us to slow down"),
        (http("403 Forbidden", error("ExpiredTokenException", "old")), "AWS does not know us"),
    ],
)
def test_whatever_comes_back_becomes_a_sentence(answer: bytes, sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SourceError, match=sentence):
        receive_from(answer, monkeypatch)


def test_without_credentials_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")

    with pytest.raises(SourceError, match="AWS does not know us"):
        receive_from(http("200 OK", b"{}"), monkeypatch)


def test_a_proxy_is_left_to_boto3(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:3128")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    assert not speaks_directly("https://sqs.eu-west-1.amazonaws.com")
    assert speaks_directly("http://127.0.0.1:4566")


def test_behind_a_proxy_messages_come_just_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    attribute = {"DataType": "Binary", "BinaryValue": "AAH/"}
    message = {"MessageId": "m", "ReceiptHandle": "r", "Body": "b", "MessageAttributes": {"blob": attribute}}
    answer = http("200 OK", json.dumps({"Messages": [message]}).encode())
    with answering(answer) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://sqs.example")
        monkeypatch.setenv("HTTP_PROXY", proxy)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        (received,) = aws.open_source(ARN).receive(most=1, wait_s=0)

    assert received.message_attributes["blob"] == attribute


def send_to(url: str, monkeypatch: pytest.MonkeyPatch, *payloads: str) -> list[Answer | Exception]:
    """Send messages one after the other; return the answers."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    target = aws.open_target(TargetKind.SQS, ARN, "")
    blob = {"blob": {"DataType": "Binary", "BinaryValue": "AAH/"}}
    outs = [Outgoing(key=n, payload=payload, message_attributes=blob) for n, payload in enumerate(payloads)]
    return [answer for out in outs for answer in target.send([out])]


TAKEN = http("200 OK", json.dumps({"Successful": [{"Id": "0", "MessageId": "m"}]}).encode())


def test_what_is_sent_on_a_connection_that_the_server_let_go_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    hung_up, answers = Semaphore(0), []
    with answering(TAKEN, hung_up=hung_up) as url:
        for payload in ("a", "b", "c"):
            answers += send_to(url, monkeypatch, payload)
            assert hung_up.acquire(timeout=60)  # before the next one goes: what crosses the end is lost in truth

    assert [answer.sent_id for answer in answers if isinstance(answer, Answer)] == ["m", "m", "m"]


class Patient(BaseHTTPRequestHandler):
    """Answers each request on the connection that it came on, and notes who asked."""

    protocol_version = "HTTP/1.1"
    asked_from: ClassVar[list[int]] = []

    def do_POST(self) -> None:
        self.asked_from.append(self.client_address[1])
        self.rfile.read(int(self.headers["Content-Length"]))
        self.wfile.write(http("200 OK", b"{}"))

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_what_is_sent_once_goes_on_no_connection_that_a_server_may_be_about_to_close() -> None:
    ticks = iter([0.0, 0.5, 0.6, 2.0, 2.1])  # answered; looked at, answered; looked at, answered
    Patient.asked_from.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Patient) as server:
        server.daemon_threads, server.block_on_close = True, False
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        url = f"http://127.0.0.1:{server.server_port}"
        wire = Wire(url, "eu-west-1", Credentials("id", "secret"), ticks=lambda: next(ticks))
        for _ in range(3):
            wire.call_once("SendMessageBatch", {})
        wire.close()
        server.shutdown()

    first, second, third = Patient.asked_from
    assert first == second != third


@pytest.mark.parametrize("answer", [b"", http("200 OK", b"{}", length=99), http("504 Gateway Timeout", b"{}")])
def test_what_is_sent_is_sent_once_although_its_answer_is_lost(answer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(answer, TAKEN) as url:  # who asked a second time would be told that it was taken
        (lost,) = send_to(url, monkeypatch, "a")

    assert isinstance(lost, AnswerLost)


def test_behind_a_proxy_messages_go_just_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(TAKEN) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        (answer,) = send_to("http://sqs.example", monkeypatch, "a")

    assert isinstance(answer, Answer)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: unable to get issuer", Trouble.UNREACHABLE),
        ("[SSL: WRONG_VERSION_NUMBER] wrong version number", Trouble.UNREACHABLE),
        ("[SSL: UNEXPECTED_EOF_WHILE_READING] EOF occurred in violation of protocol", Trouble.LOST),
        ("[SSL: DECRYPTION_FAILED_OR_BAD_RECORD_MAC] decryption failed or bad record mac", Trouble.LOST),
    ],
)
def test_tls_that_breaks_when_the_call_is_out_already_is_no_refusal(said: str, kind: Trouble) -> None:
    assert kind_of(SSLError(endpoint_url="https://sqs.eu-west-1.amazonaws.com", error=said)) is kind
