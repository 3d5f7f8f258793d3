"""What holds for every source: the fake that other tests trust, and an SQS queue."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pytest

from deadletter import aws
from deadletter.aws import clients
from deadletter.errors import SourceError
from deadletter.event import ReceivedMessage
from deadletter.ports import ObservedSource, Source
from tests.factories import make_message
from tests.fakes import FakeSource

ATTRIBUTES = {
    "tenant": {"DataType": "String", "StringValue": "blue"},
    "blob": {"DataType": "Binary", "BinaryValue": base64.b64encode(b"\x00\x01\xff").decode()},
}


class Observable(Source, ObservedSource, Protocol):
    """A queue may be emptied or observed."""

    def receive(self, *, most: int, wait_s: float, hide_s: int | None = None) -> Sequence[ReceivedMessage]: ...


@dataclass
class Place:
    """A source, and what the world outside does to it."""

    source: Observable
    put: Callable[[ReceivedMessage], None]
    arn: str = ""


pytestmark = pytest.mark.usefixtures("aws_env")


@pytest.fixture(autouse=True)
def no_clients() -> Iterator[None]:
    """No client is left that knows another endpoint."""
    clients.forget()
    yield
    clients.forget()


@pytest.fixture
def fake() -> Place:
    source = FakeSource()
    return Place(source, source.put)


@pytest.fixture
def sqs(sandbox: Any, make_queue: Any) -> Place:
    arn = make_queue()

    def put(message: ReceivedMessage) -> None:
        attributes = {
            name: {key: base64.b64decode(text) if key == "BinaryValue" else text for key, text in value.items()}
            for name, value in message.message_attributes.items()
        }
        url = sandbox.clients.queue_url(arn)
        sandbox.clients("sqs").send_message(QueueUrl=url, MessageBody=message.body, MessageAttributes=attributes)

    return Place(aws.open_source(arn), put, arn)


@pytest.fixture(params=["fake", "sqs"])
def place(request: pytest.FixtureRequest) -> Place:
    found: Place = request.getfixturevalue(request.param)
    return found


def test_a_message_comes_whole(place: Place) -> None:
    body = '{"order_id": "ord-1", "note": "ü \\ud83d\u2028"}'
    place.put(make_message(body, message_attributes=ATTRIBUTES))

    (message,) = place.source.receive(most=10, wait_s=1)
    assert message.body == body
    assert message.message_attributes == ATTRIBUTES
    assert message.message_id
    assert message.receipt_handle


def test_an_empty_source_answers_empty(place: Place) -> None:
    assert place.source.receive(most=10, wait_s=0) == []


def test_no_more_come_than_were_asked_for(place: Place) -> None:
    for _ in range(4):
        place.put(make_message())

    assert len(place.source.receive(most=3, wait_s=1)) <= 3


def test_what_is_deleted_is_gone_and_what_is_not_stays_in_flight(place: Place) -> None:
    for _ in range(3):
        place.put(make_message())
    taken: list[ReceivedMessage] = []
    while len(taken) < 3:
        taken.extend(place.source.receive(most=10, wait_s=1))
    before = place.source.state()

    assert place.source.delete(taken[:2]) == []
    after = place.source.state()
    assert (before.depth, before.in_flight) == (0, 3)
    assert (after.depth, after.in_flight) == (0, 1)
    assert after.retention_s == 345_600


def test_a_deletion_that_did_not_happen_is_reported(place: Place) -> None:
    place.put(make_message())
    (message,) = place.source.receive(most=1, wait_s=1)
    if isinstance(place.source, FakeSource):
        place.source.keep = frozenset({message.message_id})
    else:
        message = ReceivedMessage(message.message_id, message.body, receipt_handle="not a handle")

    assert place.source.delete([message]) == [message.message_id]


def test_what_is_released_is_seen_again_at_once_and_what_is_hidden_is_not(place: Place) -> None:
    place.put(make_message('{"order": 1}'))
    source = place.source
    (first,) = source.receive(most=10, wait_s=1, hide_s=600)
    assert source.receive(most=10, wait_s=0) == []
    source.release([first])
    (again,) = source.receive(most=10, wait_s=1, hide_s=600)
    assert (again.message_id, again.body) == (first.message_id, first.body)
    source.release([again], after_s=600)
    assert source.receive(most=10, wait_s=0) == []
    assert source.delete([again]) == []
    source.release([again])  # it is gone, which is no error
    assert (source.state().depth, source.state().in_flight) == (0, 0)


def test_a_queue_says_where_its_own_redrive_policy_moves_messages_on_to(make_queue: Any) -> None:
    next_dlq = make_queue()
    source = aws.open_source(
        make_queue(RedrivePolicy=json.dumps({"deadLetterTargetArn": next_dlq, "maxReceiveCount": 4}))
    )
    assert (source.state().redrives_to, source.state().max_receives) == (next_dlq, 4)


def test_system_attributes_come_along(sqs: Place) -> None:
    sqs.put(make_message())

    (message,) = sqs.source.receive(most=1, wait_s=1)
    assert {"SentTimestamp", "ApproximateReceiveCount"} <= set(message.attributes)


def test_a_queue_that_does_not_exist_says_which_and_what_to_check() -> None:
    arn = "arn:aws:sqs:eu-west-1:000000000000:no-such-queue"
    source = aws.open_source(arn)

    for ask in (lambda: source.receive(most=1, wait_s=0), lambda: source.delete([make_message()]), source.state):
        with pytest.raises(SourceError, match=f"no-such-queue does not exist in eu-west-1. Check the ARN {arn}"):
            ask()


def test_an_endpoint_that_nobody_listens_at_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")

    with pytest.raises(SourceError, match="orders could not be reached"):
        aws.open_source("arn:aws:sqs:eu-west-1:000000000000:orders").receive(most=1, wait_s=0)
