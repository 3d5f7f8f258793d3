"""Every shape in which AWS hands over a failure, by name: who wrote it, where it goes, whether it can be sent."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deadletter.event import FailedEvent, Producer, ReceivedMessage, Redrivable, StreamRange
from deadletter.parse import describe, parse_message, read_entry
from deadletter.parse import stream_range as streams

EVENTS = Path(__file__).parents[1] / "events"
ACCOUNT = "210987654321"
INGEST = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:orders-ingest"
CLICKS = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:clicks-aggregate"
ORDERS = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:orders"
TOPIC = f"arn:aws:sns:eu-west-1:{ACCOUNT}:failures"
STREAM = f"arn:aws:kinesis:eu-west-1:{ACCOUNT}:stream/clicks"
MACHINE = f"arn:aws:states:eu-west-1:{ACCOUNT}:stateMachine:settle"
BUS = f"arn:aws:events:eu-west-1:{ACCOUNT}:event-bus/shop"
API_DESTINATION = f"arn:aws:events:eu-west-1:{ACCOUNT}:api-destination/partner/1f2e3d4c"
RULE = f"arn:aws:events:eu-west-1:{ACCOUNT}:rule/shop/orders-to-lambda"
SCHEDULE = f"arn:aws:scheduler:eu-west-1:{ACCOUNT}:schedule/default/nightly-report"

Entry = dict[str, Any]


def entry(name: str) -> Entry:
    loaded: Entry = json.loads((EVENTS / name).read_text())
    return loaded


def record(name: str) -> str:
    """The record itself: an object's or an event's text, or the body of a message."""
    text = (EVENTS / name).read_text()
    return str(json.loads(text).get("Body", text))


def queue(body: str, **attributes: str) -> Entry:
    sent = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
    return {
        "MessageId": "m-1",
        "Body": body,
        "Attributes": {"SentTimestamp": "1789370133218"},
        "MessageAttributes": sent,
    }


def topic(message: str, **attributes: str) -> Entry:
    """What a queue gets from a topic without raw delivery."""
    envelope = {
        "Type": "Notification",
        "MessageId": "c2d8b1e7-5a90-5b3f-9c46-d07f81e2a3b4",
        "TopicArn": TOPIC,
        "Message": message,
        "Timestamp": "2026-09-14T07:15:33.180Z",
        "UnsubscribeURL": f"https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe&SubscriptionArn={TOPIC}:1f2e-3d4c",
        "MessageAttributes": {name: {"Type": "String", "Value": value} for name, value in attributes.items()},
    }
    return queue(json.dumps(envelope))


def changed(name: str, **changes: Any) -> str:
    """A record with members of it changed; None takes one out."""
    given = json.loads(record(name)) | changes
    return json.dumps({key: value for key, value in given.items() if value is not None})


def scheduled(body: str, target_arn: str, **attributes: str) -> Entry:
    return queue(body, SCHEDULE_ARN=SCHEDULE, TARGET_ARN=target_arn, ERROR_CODE="X", **attributes)


def moved(entry: Entry, **attributes: str) -> Entry:
    return entry | {"Attributes": entry["Attributes"] | {"DeadLetterQueueSourceArn": ORDERS, **attributes}}


DLQ = {"RequestID": "5d0a6c1e-8f3b-4a77-9c1d-2e64b7f0a913", "ErrorCode": "200", "ErrorMessage": "boom"}
EVENT = '{"orderId": "ord-7741"}'
DEST, KIN, DDB, KAF = "async-destination-sqs.json", "kinesis-esm-sqs.json", "ddb-esm-sqs.json", "kafka-esm-sqs.json"
EXHAUSTED = "RetryAttemptsExhausted"
NIGHTLY = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:nightly-report"
PIPE = f"arn:aws:pipes:eu-west-1:{ACCOUNT}:pipe/p"
NEVER_RAN = {"responseContext": None, "responsePayload": None}
SHARD_EVENT = json.loads(json.loads(record("kinesis-esm-s3.object.json"))["payload"])
PUT_EVENTS = json.dumps({"Entries": [{"Source": "shop", "DetailType": "Night", "Detail": '{"n": 1}'}]})
UNIVERSAL = "arn:aws:scheduler:::aws-sdk:"
YES, REFETCH, NO = Redrivable.YES, Redrivable.REFETCH, Redrivable.NO
P = Producer

Shape = tuple[Callable[[], Entry | str], Producer, Redrivable, str | None]

SHAPES: dict[str, Shape] = {
    "Lambda DLQ, by SQS": (lambda: entry("async-dlq-sqs.json"), P.LAMBDA_ASYNC_DLQ, YES, None),
    "Lambda DLQ, by SQS, timeout": (lambda: entry("async-dlq-sqs-timeout.json"), P.LAMBDA_ASYNC_DLQ, YES, None),
    "Lambda DLQ, by SNS": (lambda: topic(EVENT, **DLQ), P.LAMBDA_ASYNC_DLQ, YES, None),
    "Lambda DLQ, by SNS raw": (lambda: queue(EVENT, **DLQ), P.LAMBDA_ASYNC_DLQ, YES, None),
    "Lambda DLQ, event not JSON": (lambda: queue("{", **DLQ), P.LAMBDA_ASYNC_DLQ, YES, None),
    "Lambda DLQ, throttled": (
        lambda: queue(EVENT, RequestID="r-1", ErrorCode="429", ErrorMessage="Rate Exceeded."),
        P.LAMBDA_ASYNC_DLQ, YES, None,
    ),
    "destination, by SQS": (lambda: entry(DEST), P.LAMBDA_DESTINATION, YES, INGEST),
    "destination, by SQS, too old": (
        lambda: entry("async-destination-sqs-event-age.json"), P.LAMBDA_DESTINATION, YES, INGEST,
    ),
    "destination, never ran": (
        lambda: queue(changed(DEST, **NEVER_RAN)), P.LAMBDA_DESTINATION, YES, INGEST,
    ),
    "destination, event dropped": (
        lambda: queue(changed(DEST, requestPayload=None)), P.LAMBDA_DESTINATION, NO, INGEST,
    ),
    "destination, by SNS": (lambda: topic(record(DEST)), P.LAMBDA_DESTINATION, YES, INGEST),
    "destination, by SNS raw": (lambda: queue(record(DEST)), P.LAMBDA_DESTINATION, YES, INGEST),
    "destination, by EventBridge": (
        lambda: record("async-destination-eventbridge.json"), P.LAMBDA_DESTINATION, YES, INGEST,
    ),
    "destination, by EventBridge to SQS": (
        lambda: entry("async-destination-eventbridge-to-sqs.json"), P.LAMBDA_DESTINATION, YES, INGEST,
    ),
    "destination, by EventBridge to SNS": (
        lambda: topic(record("async-destination-eventbridge.json")), P.LAMBDA_DESTINATION, YES, INGEST,
    ),
    "destination, by S3": (lambda: record("async-destination-s3.object.json"), P.LAMBDA_DESTINATION, YES, INGEST),
    "destination, by Lambda": (
        lambda: record("async-destination-lambda.event.json"), P.LAMBDA_DESTINATION, YES, INGEST,
    ),
    "Kinesis, by SQS": (lambda: entry(KIN), P.KINESIS_ESM, REFETCH, CLICKS),
    "Kinesis, by SQS, batchItemFailures": (
        lambda: entry("kinesis-esm-sqs-partial-batch.json"), P.KINESIS_ESM, REFETCH, CLICKS,
    ),
    "Kinesis, by SQS, too old": (
        lambda: queue(changed(KIN, responseContext=None)), P.KINESIS_ESM, REFETCH, CLICKS,
    ),
    "Kinesis, by SNS": (lambda: topic(record(KIN)), P.KINESIS_ESM, REFETCH, CLICKS),
    "Kinesis, by S3, payload as text": (lambda: record("kinesis-esm-s3.object.json"), P.KINESIS_ESM, YES, CLICKS),
    "Kinesis, by S3, payload as object": (
        lambda: changed("kinesis-esm-s3.object.json", payload=SHARD_EVENT), P.KINESIS_ESM, YES, CLICKS,
    ),
    "Kinesis, half a record": (
        lambda: queue(changed(KIN, KinesisBatchInfo={"batchSize": 2})), P.KINESIS_ESM, NO, CLICKS,
    ),
    "DynamoDB, by SQS": (lambda: entry(DDB), P.DYNAMODB_ESM, REFETCH, "*"),
    "DynamoDB, by SNS": (lambda: topic(record(DDB)), P.DYNAMODB_ESM, REFETCH, "*"),
    "DynamoDB, by S3": (lambda: record("ddb-esm-s3.object.json"), P.DYNAMODB_ESM, YES, "*"),
    "Kafka, by SQS": (lambda: entry(KAF), P.KAFKA_ESM, REFETCH, "*"),
    "Kafka, by SQS, too large": (
        lambda: queue(changed(KAF, responseContext=None).replace(EXHAUSTED, "MaximumPayloadSizeExceeded")),
        P.KAFKA_ESM, REFETCH, "*",
    ),
    "Kafka, by SNS": (lambda: topic(record(KAF)), P.KAFKA_ESM, REFETCH, "*"),
    "Kafka, by S3": (lambda: record("kafka-esm-s3.object.json"), P.KAFKA_ESM, YES, "*"),
    "Kafka, by topic": (
        lambda: changed(KAF, payload={"records": {}}).replace(EXHAUSTED, "RetriesExhausted"),
        P.KAFKA_ESM, YES, "*",
    ),
    "SQS redrive": (lambda: entry("sqs-redrive-dlq-standard.json"), P.SQS_REDRIVE, YES, ORDERS),
    "SQS redrive, FIFO": (
        lambda: moved(queue(EVENT), DeadLetterQueueSourceArn=f"{ORDERS}.fifo", MessageGroupId="c-19"),
        P.SQS_REDRIVE, YES, f"{ORDERS}.fifo",
    ),
    "SNS subscription": (lambda: entry("sns-subscription-dlq.json"), P.SNS_SUBSCRIPTION, YES, None),
    "SNS subscription, raw": (lambda: entry("sns-subscription-dlq-raw.json"), P.UNRECOGNISED, YES, None),
    "EventBridge rule to a function": (lambda: entry("eventbridge-target-dlq.json"), P.EVENTBRIDGE_RULE, YES, INGEST),
    "EventBridge rule, no retry": (lambda: entry("eventbridge-target-dlq-no-retry.json"), P.EVENTBRIDGE_RULE, YES, "*"),
    "EventBridge rule to a queue": (
        lambda: queue(EVENT, RULE_ARN=RULE, TARGET_ARN=ORDERS), P.EVENTBRIDGE_RULE, YES, ORDERS,
    ),
    "EventBridge rule to a topic": (
        lambda: queue(EVENT, RULE_ARN=RULE, TARGET_ARN=TOPIC), P.EVENTBRIDGE_RULE, YES, TOPIC,
    ),
    "EventBridge rule to a data stream": (
        lambda: queue(EVENT, RULE_ARN=RULE, TARGET_ARN=STREAM), P.EVENTBRIDGE_RULE, YES, STREAM,
    ),
    "EventBridge rule to a state machine": (
        lambda: queue(EVENT, RULE_ARN=RULE, TARGET_ARN=MACHINE), P.EVENTBRIDGE_RULE, YES, MACHINE,
    ),
    "EventBridge rule to an API destination": (
        lambda: queue(EVENT, RULE_ARN=RULE, TARGET_ARN=API_DESTINATION), P.EVENTBRIDGE_RULE, YES, None,
    ),
    "EventBridge rule to a bus": (
        lambda: queue(EVENT, RULE_ARN=RULE, TARGET_ARN=BUS), P.EVENTBRIDGE_RULE, YES, None,
    ),
    "EventBridge rule to something else": (
        lambda: queue(EVENT, RULE_ARN=RULE, TARGET_ARN=f"arn:aws:ecs:eu-west-1:{ACCOUNT}:cluster/x"),
        P.EVENTBRIDGE_RULE, YES, None,
    ),
    "Scheduler, universal, Lambda": (
        lambda: entry("scheduler-dlq-universal.json"), P.SCHEDULER, YES, NIGHTLY,
    ),
    "Scheduler, universal, SQS": (
        lambda: scheduled(
            json.dumps({"MessageBody": EVENT, "QueueUrl": f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT}/orders"}),
            f"{UNIVERSAL}sqs:sendMessage",
        ),
        P.SCHEDULER, YES, ORDERS,
    ),
    "Scheduler, universal, SNS": (
        lambda: scheduled(json.dumps({"Message": EVENT, "TopicArn": TOPIC}), f"{UNIVERSAL}sns:publish"),
        P.SCHEDULER, YES, TOPIC,
    ),
    "Scheduler, universal, Lambda by name": (
        lambda: scheduled('{"FunctionName": "nightly-report", "Payload": "{}"}', f"{UNIVERSAL}lambda:invoke"),
        P.SCHEDULER, YES, NIGHTLY,
    ),
    "Scheduler, universal, Step Functions": (
        lambda: scheduled(json.dumps({"StateMachineArn": MACHINE, "Input": EVENT}), f"{UNIVERSAL}sfn:startExecution"),
        P.SCHEDULER, YES, MACHINE,
    ),
    "Scheduler, universal, EventBridge": (
        lambda: scheduled(PUT_EVENTS, f"{UNIVERSAL}eventbridge:putEvents"), P.SCHEDULER, YES, None,
    ),
    "Scheduler, universal, something else": (
        lambda: scheduled("{}", f"{UNIVERSAL}ec2:stopInstances"), P.SCHEDULER, YES, None,
    ),
    "Scheduler, templated": (lambda: scheduled(EVENT, INGEST), P.SCHEDULER, YES, INGEST),
    "Scheduler, templated, Kinesis": (lambda: scheduled(EVENT, STREAM), P.SCHEDULER, YES, STREAM),
    "Scheduler, without a target": (lambda: scheduled(EVENT, ""), P.SCHEDULER, REFETCH, None),
    "Scheduler, truncated": (
        lambda: scheduled('{"orderId": "o', INGEST, IS_PAYLOAD_TRUNCATED="true"), P.SCHEDULER, REFETCH, INGEST,
    ),
    "Pipes, Kinesis": (lambda: entry("pipes-dlq-kinesis.json"), P.PIPES, REFETCH, None),
    "Pipes, DynamoDB": (
        lambda: queue(json.dumps({
            "context": {"partnerResourceArn": PIPE, "condition": "RecordAgeExceeded"},
            "DDBStreamBatchInfo": json.loads(record(DDB))["DDBStreamBatchInfo"],
        })),
        P.PIPES, REFETCH, None,
    ),
    "nobody's": (lambda: queue("<order/>"), P.UNRECOGNISED, YES, None),
}  # fmt: skip


def parsed(made: Entry | str) -> FailedEvent:
    return parse_message(read_entry(made if isinstance(made, str) else json.dumps(made)))


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_is_told_apart(name: str) -> None:
    make, producer, redrivable, target = SHAPES[name]
    event = parsed(make())
    assert (event.producer, event.redrivable) == (producer, redrivable), event.reason
    if target == "*":
        assert event.target is not None
        assert ":function:" in event.target.arn
    else:
        assert (event.target and event.target.arn) == target
    assert event.target or event.reason
    assert event.payload_text is not None or redrivable is not Redrivable.YES


def test_every_producer_has_a_shape() -> None:
    assert {producer for _, producer, _, _ in SHAPES.values()} == set(Producer)


def test_a_stream_record_says_where_its_batch_lies() -> None:
    assert parsed(entry(KIN)).stream == StreamRange(
        stream_arn=f"arn:aws:kinesis:eu-west-1:{ACCOUNT}:stream/clicks",
        shard_id="shardId-000000000002",
        first="49668712034512098765432109876543210987654321098765432194",
        last="49668712034512098765432109876543219988776655443322110018",
        size=2,
        first_arrived_at=datetime(2026, 9, 14, 8, 1, 55, 310_000, tzinfo=UTC),
        last_arrived_at=datetime(2026, 9, 14, 8, 1, 58, 42_000, tzinfo=UTC),
    )
    told = describe(parsed(entry(DDB)))["stream"]
    assert told["stream_arn"].startswith("arn:aws:dynamodb:")
    assert told["first_arrived_at"].endswith("Z")


@pytest.mark.parametrize(
    "changes",
    [
        {"startSequenceNumber": "49x"},
        {"endSequenceNumber": "1"},
        {"endSequenceNumber": None},
        {"startSequenceNumber": "9" * 129},
        {"streamArn": "arn:aws:kinesis:evil.example/:210987654321:stream/clicks"},
        {"shardId": ""},
    ],
    ids=repr,
)
def test_half_a_range_is_no_range_and_nothing_is_guessed(changes: dict[str, Any]) -> None:
    block = json.loads(record(KIN))["KinesisBatchInfo"] | changes
    event = parsed(queue(changed(KIN, KinesisBatchInfo=block)))
    assert (event.stream, event.redrivable, event.reason) == (None, Redrivable.NO, streams.HALF)


def test_a_kafka_record_says_which_offsets_failed() -> None:
    reason = parsed(entry(KAF)).reason
    assert reason is not None
    assert "payments-0 88120 to 88121; payments-3 51004 to 51004" in reason


def test_a_notification_names_the_subscription_that_failed() -> None:
    event = parsed(entry("sns-subscription-dlq.json"))
    assert event.origin_arn == f"arn:aws:sns:eu-west-1:{ACCOUNT}:order-events:1f2e3d4c-5b6a-4978-8695-a4b3c2d1e0f9"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://[",
        "https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe",
        f"https://x/?SubscriptionArn=arn:aws:sns:eu-west-1:{ACCOUNT}:another-topic:1f2e",
    ],
)
def test_a_subscription_that_is_not_the_topics_is_not_believed(url: str) -> None:
    sample = entry("sns-subscription-dlq.json")
    event = parsed(sample | {"Body": json.dumps(json.loads(sample["Body"]) | {"UnsubscribeURL": url})})
    assert (event.producer, event.origin_arn) == (Producer.SNS_SUBSCRIPTION, None)
    assert event.reason is not None
    assert "nobody knows which subscriber failed" in event.reason


@pytest.mark.parametrize(
    "imitated", [DEST, KIN, "pipes-dlq-kinesis.json", "async-destination-eventbridge.json", KAF], ids=str
)
def test_where_body_and_attributes_contradict_each_other_the_attributes_win_and_it_is_said(imitated: str) -> None:
    body = record(imitated)
    as_dlq, as_moved = parsed(queue(body, **DLQ)), parsed(moved(queue(body)))
    assert (as_dlq.producer, as_moved.producer) == (Producer.LAMBDA_ASYNC_DLQ, Producer.SQS_REDRIVE)
    for event in (as_dlq, as_moved):
        assert event.payload_text == body
        assert "The attributes are believed" in event.notes[0]
        assert parsed(body).producer in event.notes[0]


def test_attributes_of_two_producers_are_said() -> None:
    event = parsed(moved(queue(EVENT, **DLQ)))
    assert event.producer is Producer.LAMBDA_ASYNC_DLQ
    assert event.notes[0].startswith("Its attributes say that it is of lambda-async-dlq, and further attributes")
    assert "sqs-redrive" in event.notes[0]


def test_what_does_not_contradict_itself_has_no_doubts() -> None:
    for name in ("async-dlq-sqs.json", DEST, "sqs-redrive-dlq-standard.json", "eventbridge-target-dlq.json"):
        assert parsed(entry(name)).notes == ()


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (queue(EVENT, RULE_ARN=RULE, TARGET_ARN=API_DESTINATION), "only EventBridge itself can call"),
        (queue(EVENT, RULE_ARN=RULE, TARGET_ARN=BUS), "only where a person chooses the bus"),
        (queue(EVENT, RULE_ARN=RULE, TARGET_ARN=f"arn:aws:ecs:eu-west-1:{ACCOUNT}:cluster/x"), "Name one of these"),
        (scheduled("{}", f"{UNIVERSAL}ec2:stopInstances"), "is the API call ec2:stopInstances, which"),
        (scheduled(PUT_EVENTS, f"{UNIVERSAL}eventbridge:putEvents"), "is the API call eventbridge:putEvents, which"),
        (scheduled(EVENT, BUS), "only where a person chooses the bus"),
        (scheduled(EVENT, ""), "it is read from the schedule"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_what_is_not_sent_to_says_why_and_what_to_do(made: Entry, said: str) -> None:
    event = parsed(made)
    assert event.target is None
    assert said in (event.reason or "")


def test_the_event_that_a_schedule_puts_on_a_bus_is_one_that_a_bus_takes() -> None:
    payload = parsed(scheduled(PUT_EVENTS, f"{UNIVERSAL}eventbridge:putEvents")).payload_text
    assert json.loads(payload or "") == {"source": "shop", "detail-type": "Night", "detail": {"n": 1}}


def test_a_queue_url_of_elsewhere_is_no_target() -> None:
    for url in ("https://sqs.evil.example/x", "https://[", "", "https://evil.example/210987654321/or ders", "7"):
        body = json.dumps({"MessageBody": EVENT, "QueueUrl": url})
        assert parsed(scheduled(body, f"{UNIVERSAL}sqs:sendMessage")).target is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
SAMPLES = [made if isinstance(made, str) else json.dumps(made) for made in (make() for make, *_ in SHAPES.values())]


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where everything in a JSON value lies; also inside of texts that are JSON themselves."""
    if isinstance(value, str) and value.startswith("{"):
        try:
            return [at, *(place for place in paths(json.loads(value), (*at, "json")))]
        except ValueError:
            return [at]
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(place for key, part in pairs for place in paths(part, (*at, key)))]


def put(value: Any, place: tuple[Any, ...], new: Any) -> Any:
    """Return *value* with *new* at *place*."""
    if not place:
        return new
    if isinstance(value, str):
        return json.dumps(put(json.loads(value), place[1:], new))
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[place[0]] = put(copy[place[0]], place[1:], new)
    return copy


@given(st.data())
def test_a_mutated_sample_is_an_event_or_unrecognised_and_never_an_error(data: st.DataObject) -> None:
    sample = json.loads(data.draw(st.sampled_from(SAMPLES)))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.sampled_from(paths(sample)))
        other = st.sampled_from(SAMPLES).map(lambda text: json.loads(text).get("Body", text))
        sample = put(sample, place, data.draw(json_values | other))
        if not isinstance(sample, dict):
            break
    event = parse_message(read_entry(json.dumps(sample)))
    told = describe(event)
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert event.producer in Producer
    assert (event.payload_text is not None) or event.redrivable is not Redrivable.YES
    assert event.stream is None or int(event.stream.first) <= int(event.stream.last)


@given(st.sampled_from(SAMPLES), st.data())
def test_a_cut_sample_is_an_event_or_unrecognised_and_never_an_error(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    event = parse_message(ReceivedMessage("m", text[:start] + text[start + data.draw(st.integers(0, 9)) :]))
    json.dumps(describe(event), allow_nan=False)
