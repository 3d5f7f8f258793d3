"""A payload that is cut out of a stored message is the one that reading the whole message finds."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deadletter.event import ReceivedMessage
from deadletter.jsontext import decode
from deadletter.parse import parse_message, read_entry
from deadletter.parse.payload import payload_of
from tests.rows import FUNCTION_ARN, make_body

EVENTS = Path(__file__).parents[1] / "events"
CONTEXT = {"requestId": "r-1", "functionArn": f"{FUNCTION_ARN}:$LATEST", "condition": "RetriesExhausted"}


def agree(body: str, system: dict[str, str] | None = None, sent: dict[str, dict[str, str]] | None = None) -> None:
    """Hold the short way against the long one."""
    event = parse_message(ReceivedMessage("m-1", body, system or {}, sent or {}))
    found = payload_of(event.producer, body, json.dumps(system or {}), json.dumps(sent or {}))
    assert (found and found.text) == event.payload_text
    assert found is None or (found.is_json, found.value) == decode(found.text)


@pytest.mark.parametrize("path", sorted(EVENTS.glob("*.json")), ids=lambda path: path.name)
def test_every_recorded_failure_has_the_payload_that_its_parser_finds(path: Path) -> None:
    message = read_entry(path.read_text())
    sent = {name: dict(value) for name, value in message.message_attributes.items()}
    agree(message.body, dict(message.attributes), sent)


PAYLOADS = st.sampled_from(
    [
        '{"a": 1}',
        "[1, 2]",
        '{"a": "\\u0041"}',
        '{"n": NaN}',
        "{" * 3,
        "[1e400]",
        '"text"',
        "1",
        "null",
        "[" * 250 + "]" * 250,
    ]
)
MEMBERS = st.sampled_from(
    [
        '"version": "1.0"',
        '"timestamp":"2026-11-23T02:00:00.000Z"',
        f'"requestContext": {json.dumps(CONTEXT)}',
        '"responsePayload": {"errorMessage": "a \\"quoted\\" word", "errorType": "E"}',
        '"request\\u0050ayload": {"b": 2}',
        '"Type": "Notification", "TopicArn": "arn:aws:sns:eu-west-1:123456789012:t", "Message": "{}"',
        '"detail-type": "Lambda Function Invocation Result - Failure", "source": "lambda", "detail": {}',
        '"x": {"requestPayload": {"c": 3}}',
        '"y": "requestPayload"',
    ]
)


@settings(max_examples=300)
@given(
    before=st.lists(MEMBERS, max_size=4), after=st.lists(MEMBERS, max_size=3), payloads=st.lists(PAYLOADS, max_size=2)
)
def test_cutting_a_record_and_reading_it_agree(before: list[str], after: list[str], payloads: list[str]) -> None:
    cut = [f'"requestPayload": {payload}' for payload in payloads]
    agree("{" + ", ".join([*before, *cut, *after]) + "}")


def test_a_usual_record_is_cut_without_being_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("deadletter.parse.payload.parse_message")
    found = payload_of("lambda-destination", make_body({"order": "ord-1"}), "", "")
    assert found
    assert (found.text, found.is_json, found.value) == ('{"order": "ord-1"}', True, {"order": "ord-1"})
    whole = payload_of("sqs-redrive", '{"order": 1}', "", "")
    assert whole
    assert whole.value == {"order": 1}
