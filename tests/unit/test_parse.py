"""What decides who wrote a record, what is kept of it, and that no message is an error."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deadletter.errors import ParseError
from deadletter.event import FailedEvent, Producer, ReceivedMessage, Redrivable, TargetKind, TargetRef
from deadletter.parse import describe, label_of, parse_message, payload_digest, read_entry

EVENTS = Path(__file__).parents[1] / "events"
FUNCTION = "arn:aws:lambda:eu-west-1:210987654321:function:orders-ingest"
QUEUE = "arn:aws:sqs:eu-west-1:210987654321:orders"
DLQ_ATTRIBUTES = {
    "RequestID": {"DataType": "String", "StringValue": "5d0a6c1e-8f3b-4a77-9c1d-2e64b7f0a913"},
    "ErrorCode": {"DataType": "Number", "StringValue": "200"},
    "ErrorMessage": {"DataType": "String", "StringValue": "boom"},
}
RECORD = (EVENTS / "async-destination-lambda.event.json").read_text()
HOSTILE = {
    "1 MiB": '{"a":"' + "x" * 2**20 + '"}',
    "100,000 deep": '{"a":' * 100_000 + "1" + "}" * 100_000,
    "100,000 deep and open": "[" * 100_000,
    "lone surrogate": '{"a":"\ud800","b":"\\ud800"}',
    "NUL": '{"a":"\x00"}',
    "NaN": '{"a":NaN}',
    "5,000 digits": '{"a":' + "9" * 5000 + "}",
    "beyond a float": '{"a":1e400}',
    "empty": "",
    "not JSON": "<html>",
    "a bare string": '"Notification"',
    "half a record": RECORD[: len(RECORD) // 2],
}


def body_only(body: str, **attributes: str) -> FailedEvent:
    return parse_message(ReceivedMessage(message_id="m-1", body=body, attributes=attributes))


def destination(payload: str, **changes: object) -> str:
    """Make an on-failure record around a payload's exact text."""
    context = {"requestId": "r-1", "functionArn": f"{FUNCTION}:live", "condition": "RetriesExhausted"} | changes
    return f'{{"version":"1.0","requestContext":{json.dumps(context)},"requestPayload":{payload}}}'


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_body_is_unrecognised_and_kept(body: str) -> None:
    event = body_only(body, SentTimestamp="1789370133218")
    assert event.producer is Producer.UNRECOGNISED
    assert event.target is None
    assert event.payload_text == body
    json.dumps(describe(event), allow_nan=False)


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_body_in_a_dlq_is_its_event_as_it_stood(body: str) -> None:
    event = parse_message(ReceivedMessage(message_id="m-1", body=body, message_attributes=DLQ_ATTRIBUTES))
    assert event.producer is Producer.LAMBDA_ASYNC_DLQ
    assert event.payload_text == body
    assert payload_digest(body)
    assert label_of(body) is None


@pytest.mark.parametrize(
    "payload",
    ["1e400", "18.40", "9" * 5000, '{"b": 1, "a": 2, "a":3}', "[" * 100_000 + "]" * 100_000, "null", '"text \\u0041"'],
    ids=lambda payload: payload[:12],
)
def test_a_destination_records_event_is_cut_out_and_not_remade(payload: str) -> None:
    event = body_only(destination(f" {payload} "))
    assert event.producer is Producer.LAMBDA_DESTINATION
    assert event.payload_text == payload


def test_the_cut_is_the_same_through_two_envelopes() -> None:
    record = destination('{"total": 18.40}')
    on_the_bus = json.dumps(
        {"source": "lambda", "detail-type": "Lambda Function Invocation Result - Failure", "detail": 0}
    )
    from_the_topic = {"Type": "Notification", "TopicArn": "arn:aws:sns:eu-west-1:1:t", "Message": ""}
    event = body_only(
        json.dumps(from_the_topic | {"Message": on_the_bus.replace('"detail": 0', f'"detail": {record}')})
    )
    assert event.producer is Producer.LAMBDA_DESTINATION
    assert event.payload_text == '{"total": 18.40}'


@pytest.mark.parametrize("name", sorted(path.name for path in EVENTS.glob("*.json")))
def test_in_a_dlq_even_an_event_that_is_a_record_stays_the_dlqs_event(name: str) -> None:
    body = (EVENTS / name).read_text()
    event = parse_message(ReceivedMessage(message_id="m-1", body=body, message_attributes=DLQ_ATTRIBUTES))
    assert event.producer is Producer.LAMBDA_ASYNC_DLQ
    assert event.payload_text == body
    assert event.function_arn is None
    assert event.target is None


def test_a_moved_message_that_is_a_record_stays_a_moved_message() -> None:
    event = body_only(RECORD, DeadLetterQueueSourceArn=QUEUE)
    assert event.producer is Producer.SQS_REDRIVE
    assert event.target == TargetRef(TargetKind.SQS, QUEUE)


def test_a_source_that_is_no_queue_is_no_target() -> None:
    event = body_only("{}", DeadLetterQueueSourceArn="arn:aws:sqs:eu-west-1:1:orders")
    assert event.target is None
    assert event.reason is not None
    assert "name a target" in event.reason


def test_a_dlq_topics_message_is_read_from_its_notification() -> None:
    attributes = {
        name: {"Type": value["DataType"], "Value": value["StringValue"]} for name, value in DLQ_ATTRIBUTES.items()
    }
    notification = {
        "Type": "Notification",
        "TopicArn": "arn:aws:sns:eu-west-1:1:failures",
        "Message": RECORD,
        "Timestamp": "2026-09-14T07:15:33.180Z",
        "MessageAttributes": attributes,
    }
    event = body_only(json.dumps(notification))
    assert event.producer is Producer.LAMBDA_ASYNC_DLQ
    assert event.error_message == "boom"
    assert event.payload_text == RECORD
    assert event.occurred_at == datetime(2026, 9, 14, 7, 15, 33, 180_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("qualifier", "target"), [("$LATEST", FUNCTION), ("live", f"{FUNCTION}:live"), ("7", f"{FUNCTION}:7")]
)
def test_a_target_keeps_an_alias_or_a_version_and_drops_latest(qualifier: str, target: str) -> None:
    event = body_only(destination("{}", functionArn=f"{FUNCTION}:{qualifier}"))
    assert (event.function_arn, event.qualifier) == (FUNCTION, qualifier)
    assert event.target == TargetRef(TargetKind.LAMBDA, target)


@pytest.mark.parametrize("region", ["eu_west_1", "-", "evil.example/", "a" * 64])
def test_an_arn_whose_region_no_host_can_have_is_no_target(region: str) -> None:
    event = body_only(destination("{}", functionArn=FUNCTION.replace("eu-west-1", region)))
    assert (event.producer, event.target) == (Producer.UNRECOGNISED, None)


@pytest.mark.parametrize("region", ["us-gov-west-1", "ap-southeast-2", "us-isob-east-1", "eusc-de-east-1"])
def test_a_function_of_any_region_is_a_target(region: str) -> None:
    arn = FUNCTION.replace("eu-west-1", region)
    assert body_only(destination("{}", functionArn=arn)).target == TargetRef(TargetKind.LAMBDA, arn)


def test_a_function_that_never_ran_has_no_error() -> None:
    event = body_only(destination("{}", condition="ZeroReservedConcurrency", approximateInvokeCount=0))
    assert event.invoke_count == 0
    assert (event.error_type, event.error_message, event.stack_trace, event.status_code) == (None,) * 4
    assert event.redrivable is Redrivable.YES


@pytest.mark.parametrize(
    ("member", "stack", "lines"),
    [
        ("stackTrace", ["  File one", "  File two"], ("  File one", "  File two")),
        ("trace", ["Error: no", "    at f (/var/task/i.js:1:2)"], ("Error: no", "    at f (/var/task/i.js:1:2)")),
        ("stackTrace", [{"path": "main.go", "line": 7, "label": "main"}], ("path=main.go line=7 label=main",)),
        ("stackTrace", [["/var/task/app.py", 3, "handler", "f()"]], ("/var/task/app.py 3 handler f()",)),
        ("stackTrace", "  File one", ("  File one",)),
        ("stackTrace", [], ()),
        ("stackTrace", None, None),
        ("stackTrace", {"a": 1}, None),
    ],
    ids=["Python", "Node.js", "Go", "old Python", "text", "empty", "null", "object"],
)
def test_a_stack_is_read_as_each_runtime_writes_it(member: str, stack: object, lines: tuple[str, ...] | None) -> None:
    record = json.loads(RECORD)
    record["responsePayload"] = {"errorType": "Error", "errorMessage": "no", member: stack}
    event = body_only(json.dumps(record))
    assert event.error_type == "Error"
    assert event.stack_trace == lines


@pytest.mark.parametrize("answer", [None, "boom", 7, [], {"errorType": 7, "errorMessage": ["x"]}])
def test_an_answer_of_another_shape_says_no_error(answer: object) -> None:
    event = body_only(json.dumps(json.loads(RECORD) | {"responsePayload": answer}))
    assert event.producer is Producer.LAMBDA_DESTINATION
    assert (event.error_type, event.error_message, event.stack_trace) == (None, None, None)


def test_a_record_whose_event_was_dropped_says_so() -> None:
    event = body_only(destination("{}").replace("requestPayload", "elsewhere"))
    assert (event.producer, event.redrivable, event.truncated) == (Producer.LAMBDA_DESTINATION, Redrivable.NO, True)
    assert event.payload_text is None


def test_a_success_is_nothing_to_send_again() -> None:
    event = body_only(destination("{}", condition="Success"))
    assert event.redrivable is Redrivable.NO
    assert event.reason is not None
    assert "success" in event.reason


def test_a_dlq_message_does_with_some_of_its_attributes() -> None:
    some = {name: DLQ_ATTRIBUTES[name] for name in ("RequestID", "ErrorMessage")}
    event = parse_message(ReceivedMessage(message_id="m", body="{}", message_attributes=some))
    assert event.producer is Producer.LAMBDA_ASYNC_DLQ
    assert event.status_code is None


@pytest.mark.parametrize("value", [7, None, [], {"StringValue": 7}, {"BinaryValue": "eA=="}])
def test_an_attribute_of_another_type_is_no_attribute(value: object) -> None:
    attributes = DLQ_ATTRIBUTES | {"RequestID": value}
    event = parse_message(ReceivedMessage(message_id="m", body="{}", message_attributes=attributes))  # type: ignore[arg-type]
    assert event.producer is Producer.UNRECOGNISED


@pytest.mark.parametrize("code", ["-1", "20.5", "9" * 30, "twohundred", "²"])
def test_a_status_that_is_no_status_is_not_guessed(code: str) -> None:
    attributes = DLQ_ATTRIBUTES | {"ErrorCode": {"DataType": "Number", "StringValue": code}}
    assert parse_message(ReceivedMessage(message_id="m", body="{}", message_attributes=attributes)).status_code is None


@pytest.mark.parametrize("stamp", ["", "soon", "-5", "9" * 40, "1.5"])
def test_a_time_that_is_no_time_is_not_guessed(stamp: str) -> None:
    assert body_only("{}", SentTimestamp=stamp).occurred_at is None
    assert body_only(destination("{}").replace('"1.0"', f'"1.0","timestamp":"{stamp}"')).occurred_at is None


def test_text_that_no_database_takes_is_replaced_in_facts_and_kept_in_the_event() -> None:
    event = body_only(destination('"a\\u0000"').replace("RetriesExhausted", "Retries\\u0000\\ud800"))
    assert event.condition == "Retries\ufffd\ufffd"
    assert event.payload_text == '"a\\u0000"'


def test_what_python_cannot_write_again_is_described_as_text() -> None:
    told = describe(body_only(destination('{"total":1e400}')))
    assert told["payload"] is None
    assert told["payload_text"] == '{"total":1e400}'


def test_a_digest_knows_equal_json_by_its_meaning() -> None:
    assert payload_digest('{"a": 1, "b": [2]}') == payload_digest('{"b":[2],"a":1}')
    assert payload_digest('{"a": 1}') != payload_digest('{"a": 2}')
    assert payload_digest("1e400") != payload_digest("1e401")
    assert payload_digest("not json") != payload_digest("not  json")


@pytest.mark.parametrize(
    ("payload", "label"),
    [
        ('{"total": 3, "orderId": "ord-1", "id": "x"}', "ord-1"),
        ('{"order_id": 77}', "77"),
        ('{"paid": "yes", "id": true, "customerID": "c-1"}', "c-1"),
        ('{"sessionId": "s", "tokenId": "t", "cardId": "c"}', None),
        ('{"id": "4242 4242 4242 4242"}', None),
        ('{"id": "' + "x" * 41 + '"}', None),
        ('{"detail": {"id": "deep"}}', None),
        ('["id"]', None),
        ("{", None),
        (None, None),
    ],
)
def test_a_label_is_the_first_short_id(payload: str | None, label: str | None) -> None:
    assert label_of(payload) == label


def test_an_entry_is_read_from_the_clis_whole_answer() -> None:
    entry = json.loads((EVENTS / "async-dlq-sqs.json").read_text())
    message = read_entry(json.dumps({"Messages": [entry]}))
    assert message == read_entry(json.dumps(entry))
    assert message.message_id == entry["MessageId"]
    assert message.attributes["SentTimestamp"] == "1789370133218"


def test_a_bare_record_keeps_its_text() -> None:
    assert read_entry(RECORD) == ReceivedMessage(message_id="", body=RECORD)


def test_an_event_with_a_body_is_no_entry() -> None:
    assert read_entry('{"Body": "x"}').body == '{"Body": "x"}'


@pytest.mark.parametrize("text", ["", " \n", "\ufeff"])
def test_nothing_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ParseError, match="There is nothing to parse"):
        read_entry(text)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
documents = [json.loads(path.read_text()) for path in sorted(EVENTS.glob("*.json"))]


@st.composite
def mutated(draw: st.DrawFn) -> object:
    """Draw a sample with one part, at any depth, in the body too, replaced by anything."""
    document = json.loads(json.dumps(draw(st.sampled_from(documents))))
    part = document
    for _ in range(draw(st.integers(0, 5))):
        keys = list(part) if isinstance(part, dict) else list(range(len(part)))
        key = draw(st.sampled_from(keys)) if keys else None
        if key is None or not isinstance(part[key], dict | list) or not part[key] or draw(st.booleans()):
            break
        part = part[key]
    if isinstance(part, dict) and part:
        part[draw(st.sampled_from(list(part)))] = draw(values)
    return document


def check_total(text: str) -> None:
    message = read_entry(text)
    event = parse_message(message)
    json.dumps(describe(event), allow_nan=False)
    label_of(event.payload_text)
    if event.producer in {Producer.UNRECOGNISED, Producer.LAMBDA_ASYNC_DLQ, Producer.SQS_REDRIVE}:
        assert event.payload_text == message.body


@settings(max_examples=200, deadline=None)
@given(mutated())
def test_a_record_with_any_part_replaced_is_no_error(document: object) -> None:
    check_total(json.dumps(document))
    if isinstance(document, dict) and isinstance(document.get("Body"), str):
        check_total(json.dumps(document | {"Body": document["Body"][:-3]}))


@settings(max_examples=200, deadline=None)
@given(values)
def test_any_json_is_no_error(value: object) -> None:
    check_total(json.dumps(value))


@settings(max_examples=200, deadline=None)
@given(
    st.text(),
    st.dictionaries(st.sampled_from(["RequestID", "ErrorCode", "RULE_ARN", "TARGET_ARN", "SCHEDULE_ARN"]), values),
    st.dictionaries(st.sampled_from(["SentTimestamp", "DeadLetterQueueSourceArn"]), st.text() | st.integers()),
)
def test_any_text_with_any_attributes_is_no_error(body: str, sent: dict, system: dict) -> None:
    event = parse_message(ReceivedMessage(message_id="m", body=body, attributes=system, message_attributes=sent))
    assert json.loads(json.dumps(describe(event), allow_nan=False))["producer"] in set(Producer)


@settings(max_examples=100, deadline=None)
@given(st.binary())
def test_any_bytes_are_no_error(content: bytes) -> None:
    body = content.decode("utf-8", "replace")
    assert body_only(body).payload_text == body


@settings(max_examples=200, deadline=None)
@given(values)
def test_a_destination_records_event_is_always_the_exact_slice(value: object) -> None:
    payload = json.dumps(value, indent=1)
    assert body_only(destination(payload)).payload_text == payload
