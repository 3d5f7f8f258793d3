"""What is pushed at our function, as messages."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deadletter.arrivals import arrivals_of, is_test, objects_in
from deadletter.event import ObjectRef, Producer, ReceivedMessage
from deadletter.parse import parse_message
from tests.sandbox_fixture import sample

US = "arn:aws:lambda:eu-west-1:123456789012:function:redrive-collect"
KEY = "aws/lambda/async/orders-capture/2026/09/14/2026-09-14T07.15.33-0f1e"


def arrive(event: Any) -> list[Any]:
    return arrivals_of(event, pushed_to=US)


def s3_event(*keys: str, name: str = "ObjectCreated:Put") -> dict[str, Any]:
    told = [{"bucket": {"name": "b-1"}, "object": {"key": key, "size": 7}} for key in keys]
    return {"Records": [{"eventSource": "aws:s3", "eventName": name, "s3": each} for each in told]}


def text(body: object, **given: Any) -> ReceivedMessage:
    return ReceivedMessage(message_id="m", body=body if isinstance(body, str) else json.dumps(body), **given)


def test_an_event_source_mapping_of_sqs_hands_over_what_receiving_would() -> None:
    event = sample("lambda-event-sqs.json")
    record = event["Records"][0]
    (arrival,) = arrive(event)
    assert arrival.source_arn == record["eventSourceARN"]
    assert arrival.item == arrival.message.message_id == record["messageId"]
    assert arrival.message.body == record["body"]
    assert arrival.message.attributes == record["attributes"]
    assert arrival.message.message_attributes == {"tenant": {"DataType": "String", "StringValue": "blue"}}


def test_sns_hands_over_the_message_and_its_attributes_so_that_a_functions_dlq_is_known() -> None:
    event = sample("lambda-event-sns.json")
    sns = event["Records"][0]["Sns"]
    sns["Message"] = '{"order":1}'
    sns["MessageAttributes"] = {
        "RequestID": {"Type": "String", "Value": "6a5e"},
        "ErrorCode": {"Type": "Number", "Value": "200"},
        "ErrorMessage": {"Type": "String", "Value": "card declined"},
    }
    (arrival,) = arrive(event)
    assert (arrival.source_arn, arrival.item) == (sns["TopicArn"], None)
    assert arrival.message.message_id == sns["MessageId"]
    found = parse_message(arrival.message)
    assert (found.producer, found.request_id, found.payload_text) == (Producer.LAMBDA_ASYNC_DLQ, "6a5e", '{"order":1}')
    assert found.occurred_at is not None


@pytest.mark.parametrize("name", ["async-destination-eventbridge.json", "async-destination-lambda.event.json"])
def test_a_destinations_record_comes_by_bus_and_by_function_and_is_known_again(name: str) -> None:
    event = sample(name)
    (first,), (again,) = arrive(event), arrive(json.loads(json.dumps(event)))
    assert first == again
    pusher = ":event-bus/" if "eventbridge" in name else ":function:"
    assert pusher in first.source_arn
    assert first.source_arn != US
    assert not first.source_arn.endswith("$LATEST")
    found = parse_message(first.message)
    assert (found.producer, found.request_id is not None) == (Producer.LAMBDA_DESTINATION, True)
    (other,) = arrive({**event, "version": "2"})
    assert other.message.message_id != first.message.message_id


STRAYS: list[Any] = [None, [], "x", {}, {"Records": []}, {"Records": [1]}, {"order": 1}]


@pytest.mark.parametrize("event", STRAYS)
def test_what_nobody_recognises_is_kept_as_our_own(event: Any) -> None:
    (arrival,) = arrive(event)
    assert (arrival.source_arn, json.loads(arrival.message.body)) == (US, event)


def test_a_record_that_calls_itself_what_it_is_not_is_kept_as_our_own() -> None:
    (arrival,) = arrive({"Records": [{"eventSource": "aws:sqs"}]})
    assert (arrival.source_arn, json.loads(arrival.message.body)) == (US, {"eventSource": "aws:sqs"})


def test_s3_points_at_objects_by_itself_by_a_topic_and_by_a_bus() -> None:
    (arrival,) = arrive(s3_event(KEY))
    assert arrival.source_arn == "arn:aws:s3:::b-1"
    expected = [ObjectRef("b-1", KEY, 7)]
    assert objects_in(arrival.message) == expected
    assert objects_in(text({"Type": "Notification", "TopicArn": "t", "Message": json.dumps(s3_event(KEY))})) == expected
    bus = {"source": "aws.s3", "detail-type": "Object Created", "detail": {"bucket": {"name": "b-1"}}}
    bus["detail"]["object"] = {"key": KEY, "size": 7}  # type: ignore[index] # JSON
    assert objects_in(text(bus)) == expected


def test_a_key_is_decoded_as_s3_wrote_it_and_is_only_text() -> None:
    (ref,) = objects_in(text(s3_event("aws/lambda/../../etc/a+b%2Bc%0A")))
    assert ref.key == "aws/lambda/../../etc/a b+c\n"


@pytest.mark.parametrize(
    "message",
    [
        text(s3_event(KEY), attributes={"DeadLetterQueueSourceArn": "arn:aws:sqs:eu-west-1:123456789012:thumbnails"}),
        text(s3_event(KEY), message_attributes={"RULE_ARN": {"DataType": "String", "StringValue": "r"}}),
        text(s3_event(KEY, name="ObjectRemoved:Delete")),
        text({"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {"bucket": {}}}]}),
        text('"s3" is not JSON'),
        text({"order": "s3"}),
    ],
)
def test_a_failed_event_that_looks_like_a_notification_is_none(message: ReceivedMessage) -> None:
    assert objects_in(message) == []


def test_what_s3_sends_when_a_notification_is_set_up_is_no_failure() -> None:
    told = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b-1"}
    assert arrive(told) == []
    assert is_test(text(told))
    assert not is_test(text({"note": "s3:TestEvent"}))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["Records", "eventSource", "EventSource", "Sns", "s3", "requestContext", "resources", "detail"]
            )
            | st.text(max_size=6),
            inner | st.sampled_from(["aws:sqs", "aws:sns", "aws:s3"]),
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(JSON)
def test_no_event_at_all_raises(event: Any) -> None:
    for arrival in arrive(event):
        assert arrival.message.message_id
        assert isinstance(objects_in(arrival.message), list)
