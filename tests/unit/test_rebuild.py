import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deadletter.errors import TargetRefused
from deadletter.event import ReceivedMessage, TargetKind, TargetRef
from deadletter.parse import parse_message, read_entry
from deadletter.ports import Outgoing
from deadletter.rebuild import payload_is_json, rebuild
from deadletter.route import Route, Supplement

EVENTS = Path(__file__).parents[1] / "events"
FUNCTION = TargetRef(TargetKind.LAMBDA, "arn:aws:lambda:eu-west-1:123456789012:function:orders-capture")
QUEUE = TargetRef(TargetKind.SQS, "arn:aws:sqs:eu-west-1:123456789012:orders-fulfil")
STREAM = TargetRef(TargetKind.KINESIS, "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks")
DLQ_ATTRIBUTES = {
    "RequestID": {"DataType": "String", "StringValue": "9f1c3a70-7d0a-4d0e-8d3e-2f1d6c1f0a11"},
    "ErrorCode": {"DataType": "Number", "StringValue": "200"},
    "ErrorMessage": {"DataType": "String", "StringValue": "card was declined"},
}


def out(message: ReceivedMessage, target: TargetRef) -> Outgoing:
    return rebuild(message, parse_message(message), target, key=7, deduplication_id="redrive-1-7-5a")


def rule_message() -> ReceivedMessage:
    """A message of a rule's dead-letter queue, with an event that has an id."""
    given = read_entry((EVENTS / "eventbridge-target-dlq.json").read_text())
    event = {"id": "b7f7f1f0-4444-4000-8000-000000000004", "source": "shop", "detail": {"orderId": "ord-7741"}}
    return replace(given, body=json.dumps(event))


def moved(body: str = "{}", **attributes: str) -> ReceivedMessage:
    """A message that a redrive policy moved to its DLQ."""
    source = "arn:aws:sqs:eu-west-1:123456789012:orders-fulfil"
    return ReceivedMessage(
        "b7f7f1f0-0000-4000-8000-000000000001",
        body,
        {"DeadLetterQueueSourceArn": source, "SentTimestamp": "1795402800000", **attributes},
        {
            "tenant": {"DataType": "String", "StringValue": "blue"},
            "blob": {"DataType": "Binary", "BinaryValue": "AAEC"},
        },
    )


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_a_function_gets_the_exact_text_that_it_failed_on(text: str) -> None:
    payload = f'{{ "order" :  {json.dumps(text, ensure_ascii=False)}, "n": 1.0 }}'

    assert out(ReceivedMessage("m", payload, {}, DLQ_ATTRIBUTES), FUNCTION).payload == payload


def test_what_a_lambda_dlq_says_about_the_failure_does_not_go_to_a_queue() -> None:
    outgoing = out(ReceivedMessage("m", '{"order_id": "ord-1"}', {}, DLQ_ATTRIBUTES), QUEUE)

    assert outgoing.payload == '{"order_id": "ord-1"}'
    assert outgoing.message_attributes == {}


def test_a_destination_record_sends_what_the_function_was_invoked_with() -> None:
    message = read_entry((EVENTS / "async-destination-sqs.json").read_text())

    assert json.loads(out(message, FUNCTION).payload) == json.loads(message.body)["requestPayload"]


def test_a_queue_gets_a_moved_message_as_its_sender_wrote_it() -> None:
    message = moved("not { json", MessageGroupId="customer-3", AWSTraceHeader="Root=1-5")
    outgoing = out(message, QUEUE)

    assert outgoing.payload == "not { json"
    assert outgoing.message_attributes == message.message_attributes
    assert outgoing.group_id == "customer-3"
    assert outgoing.deduplication_id == "redrive-1-7-5a"


def test_a_function_gets_a_moved_message_as_its_event_source_mapping_would_have_handed_it_over() -> None:
    recorded: dict[str, Any] = json.loads((EVENTS / "lambda-event-sqs.json").read_text())["Records"][0]
    made = json.loads(out(moved('{"order_id": "ord-1"}'), FUNCTION).payload)["Records"][0]

    assert set(made) | {"md5OfMessageAttributes"} >= set(recorded)
    assert {name: type(value) for name, value in made.items()} == {
        name: type(value) for name, value in recorded.items() if name in made
    }
    assert made["body"] == '{"order_id": "ord-1"}'
    assert made["eventSourceARN"] == "arn:aws:sqs:eu-west-1:123456789012:orders-fulfil"
    assert made["awsRegion"] == "eu-west-1"
    assert made["messageAttributes"]["tenant"]["stringValue"] == "blue"
    assert made["messageAttributes"]["blob"]["binaryValue"] == "AAEC"


def test_what_the_source_queue_never_showed_its_consumer_is_left_out() -> None:
    made = json.loads(out(moved(AWSTraceHeader="Root=1-5"), FUNCTION).payload)["Records"][0]

    assert made["attributes"] == {"SentTimestamp": "1795402800000"}


def test_a_lone_surrogate_in_a_moved_message_survives_inside_the_event() -> None:
    payload = out(moved("half \ud83d"), FUNCTION).payload

    assert payload.isascii()
    assert json.loads(payload)["Records"][0]["body"] == "half \ud83d"


def test_a_function_is_not_invoked_with_what_is_not_json() -> None:
    message = ReceivedMessage("m", "order 7 please", {}, DLQ_ATTRIBUTES)

    with pytest.raises(TargetRefused, match="not JSON"):
        out(message, FUNCTION)
    assert not payload_is_json(parse_message(message))


def test_a_record_that_lost_its_payload_has_nothing_to_send() -> None:
    record = json.loads(read_entry((EVENTS / "async-destination-sqs.json").read_text()).body)
    del record["requestPayload"]

    with pytest.raises(TargetRefused):
        out(ReceivedMessage("m", json.dumps(record)), FUNCTION)


def sample(name: str) -> ReceivedMessage:
    return read_entry((EVENTS / name).read_text())


def out_with(message: ReceivedMessage, target: TargetRef, supplement: Supplement) -> Outgoing:
    return rebuild(
        message, parse_message(message), target, key=7, deduplication_id="redrive-1-7-5a", supplement=supplement
    )


def test_a_subscribed_function_gets_the_event_in_the_exact_spelling_of_sns() -> None:
    made = json.loads(out(sample("sns-subscription-dlq.json"), FUNCTION).payload)
    assert made == json.loads((EVENTS / "lambda-event-sns.json").read_text())
    assert list(made["Records"][0]["Sns"]) == list(
        json.loads((EVENTS / "lambda-event-sns.json").read_text())["Records"][0]["Sns"]
    )


def test_a_subscribed_queue_gets_the_envelope_as_it_stood() -> None:
    message = sample("sns-subscription-dlq.json")
    outgoing = out_with(message, QUEUE, Supplement(route=Route(target=QUEUE)))
    assert (outgoing.payload, outgoing.message_attributes) == (message.body, {})


def test_a_queue_with_raw_delivery_gets_the_bare_message_and_its_attributes() -> None:
    message = sample("sns-subscription-dlq.json")
    outgoing = out_with(message, QUEUE, Supplement(route=Route(target=QUEUE, raw=True)))
    assert outgoing.payload == json.loads(message.body)["Message"]
    assert outgoing.message_attributes == {
        "kind": {"DataType": "String", "StringValue": "created"},
        "prio": {"DataType": "Number", "StringValue": "3"},
    }


def test_a_rules_target_gets_what_the_rule_makes_of_the_event() -> None:
    route = Route(target=QUEUE, template='{"order": <id>}', paths={"id": "$.detail.orderId"}, group_id="orders")
    outgoing = out_with(sample("eventbridge-target-dlq.json"), QUEUE, Supplement(route=route))
    assert json.loads(outgoing.payload) == {"order": "ord-7741"}
    assert (outgoing.message_attributes, outgoing.group_id) == ({}, "orders")


def test_a_target_that_a_person_named_gets_the_event_as_it_stands() -> None:
    message = sample("eventbridge-target-dlq.json")
    route = Route(target=QUEUE, template='{"order": <id>}', paths={"id": "$.detail.orderId"})
    assert out_with(message, FUNCTION, Supplement(route=route)).payload == message.body


def test_a_cut_schedule_is_sent_with_the_whole_input_of_the_schedule() -> None:
    given = sample("scheduler-dlq-universal.json")
    cut = {**given.message_attributes, "IS_PAYLOAD_TRUNCATED": {"DataType": "String", "StringValue": "true"}}
    message = replace(given, message_attributes=cut)
    whole = Supplement(route=Route(target=FUNCTION, payload_text='{"at": "<aws.scheduler.scheduled-time>", "all": 1}'))
    assert json.loads(out_with(message, FUNCTION, whole).payload) == {"at": "2026-09-14T01:00:00Z", "all": 1}
    # Also where a person named another target: a part of an input is no input.
    assert json.loads(out_with(message, QUEUE, whole).payload) == {"at": "2026-09-14T01:00:00Z", "all": 1}
    with pytest.raises(TargetRefused, match="is cut"):
        out(message, QUEUE)


def scheduled(request: dict[str, Any], call: str, **more: str) -> ReceivedMessage:
    """A message of a schedule with a universal target."""
    told = {"SCHEDULE_ARN": "arn:aws:scheduler:eu-west-1:123456789012:schedule/default/nightly", **more}
    told["TARGET_ARN"] = f"arn:aws:scheduler:::aws-sdk:{call}"
    attributes = {name: {"DataType": "String", "StringValue": text} for name, text in told.items()}
    return ReceivedMessage("m", json.dumps(request), {}, attributes)


def test_a_schedules_own_request_says_which_attributes_and_group_go_along() -> None:
    tenant = {"DataType": "String", "StringValue": "blue"}
    request = {
        "QueueUrl": "https://sqs.eu-west-1.amazonaws.com/123456789012/orders.fifo",
        "MessageBody": "not { json",
        "MessageGroupId": "customer-3",
        "MessageAttributes": {"tenant": tenant, "odd": {"DataType": "String"}, "none": 1},
    }
    outgoing = out(scheduled(request, "sqs:sendMessage"), TargetRef(TargetKind.SQS, f"{QUEUE.arn}.fifo"))
    assert (outgoing.payload, outgoing.group_id) == ("not { json", "customer-3")
    assert outgoing.message_attributes == {"tenant": tenant}


def test_a_cut_request_gets_the_attributes_that_its_schedule_has() -> None:
    message = scheduled({"QueueUrl": "x"}, "sqs:sendMessage", IS_PAYLOAD_TRUNCATED="true")
    tenant = {"tenant": {"DataType": "String", "StringValue": "blue"}}
    route = Route(target=QUEUE, payload_text="all of it", attributes=tenant)
    outgoing = out_with(message, QUEUE, Supplement(route=route))
    assert (outgoing.payload, outgoing.message_attributes) == ("all of it", tenant)


@pytest.mark.parametrize(
    ("route", "key"),
    [
        (Route(target=STREAM), "b7f7f1f0-4444-4000-8000-000000000004"),
        (Route(target=STREAM, partition_key_path="$.detail.orderId"), "ord-7741"),
        (Route(target=STREAM, partition_key="nightly"), "nightly"),
        (None, "b7f7f1f0-4444-4000-8000-000000000004"),
    ],
    ids=["the event's id, as EventBridge does", "by the rule's path", "the schedule's own", "named by a person"],
)
def test_a_record_of_a_stream_gets_the_partition_key_that_its_sender_gives_it(route: Route | None, key: str) -> None:
    message = rule_message()
    outgoing = out_with(message, STREAM, Supplement(route=route))
    assert (outgoing.partition_key, outgoing.payload) == (key, message.body)


def test_a_partition_key_that_is_not_in_the_event_is_refused_and_not_made_up() -> None:
    route = Route(target=STREAM, partition_key_path="$.detail.customer.id")
    with pytest.raises(TargetRefused, match="takes the partition key from"):
        out_with(rule_message(), STREAM, Supplement(route=route))


def test_a_state_machine_gets_what_the_rule_makes_of_the_event_and_nothing_but_json() -> None:
    machine = TargetRef(TargetKind.STEP_FUNCTIONS, "arn:aws:states:eu-west-1:123456789012:stateMachine:settle")
    route = Route(target=machine, template='{"order": <id>}', paths={"id": "$.detail.orderId"})
    assert out_with(rule_message(), machine, Supplement(route=route)).payload == '{"order": "ord-7741"}'
    with pytest.raises(TargetRefused, match="not JSON, and a state machine takes nothing else"):
        out(moved("not { json"), machine)


def test_a_fetched_batch_is_sent_and_an_unfetched_one_is_not() -> None:
    message = sample("kinesis-esm-sqs.json")
    batch = '{"Records": []}'
    assert out_with(message, FUNCTION, Supplement(payload_text=batch)).payload == batch
    with pytest.raises(TargetRefused, match="only points at its batch"):
        out(message, FUNCTION)


def test_what_nobody_recognises_goes_with_its_attributes_to_whom_a_person_names() -> None:
    message = sample("sns-subscription-dlq-raw.json")
    outgoing = out(message, QUEUE)
    assert (outgoing.payload, outgoing.message_attributes) == (message.body, message.message_attributes)
    assert out(message, FUNCTION).payload == message.body
