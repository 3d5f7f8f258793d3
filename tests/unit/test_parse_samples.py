"""Every recorded failure, and exactly what it says."""

import json
from pathlib import Path

import pytest

from deadletter.parse import describe, lambda_async_dlq, parse_message, read_entry

EVENTS = Path(__file__).parents[1] / "events"

ORDER = {"orderId": "ord-7741", "customer": "c-19", "lines": [{"sku": "TEA-03", "qty": 2}], "total": 18.4}
INGEST = "arn:aws:lambda:eu-west-1:210987654321:function:orders-ingest"
STACK = [
    '  File "/var/task/app.py", line 31, in lambda_handler\n    reserve(event)\n',
    '  File "/var/task/app.py", line 12, in reserve\n    raise ValueError("inventory service refused sku TEA-03")\n',
]
NOTHING = dict.fromkeys(
    [
        "request_id",
        "function_arn",
        "qualifier",
        "condition",
        "invoke_count",
        "error_type",
        "error_message",
        "stack_trace",
        "status_code",
        "payload_text",
        "target",
        "reason",
        "origin_arn",
        "stream",
    ]
) | {"notes": []}

DLQ = NOTHING | {
    "producer": "lambda-async-dlq",
    "request_id": "5d0a6c1e-8f3b-4a77-9c1d-2e64b7f0a913",
    "error_message": "inventory service refused sku TEA-03",
    "status_code": 200,
    "occurred_at": "2026-09-14T07:15:33.218Z",
    "payload": ORDER,
    "redrivable": "yes",
    "reason": lambda_async_dlq.REASON,
    "truncated": False,
}
DESTINATION = NOTHING | {
    "producer": "lambda-destination",
    "request_id": "5d0a6c1e-8f3b-4a77-9c1d-2e64b7f0a913",
    "function_arn": INGEST,
    "qualifier": "$LATEST",
    "condition": "RetriesExhausted",
    "invoke_count": 3,
    "error_type": "ValueError",
    "error_message": "inventory service refused sku TEA-03",
    "stack_trace": STACK,
    "status_code": 200,
    "occurred_at": "2026-09-14T07:15:33.187Z",
    "payload": ORDER,
    "target": {"kind": "lambda", "arn": INGEST},
    "redrivable": "yes",
    "truncated": False,
}
EXPECTED = {
    "async-dlq-sqs.json": DLQ,
    "async-dlq-sqs-timeout.json": DLQ
    | {
        "request_id": "a1f4d7c3-22b9-4f60-b8e5-7c0d9e3f5a68",
        "error_message": "RequestId: a1f4d7c3-22b9-4f60-b8e5-7c0d9e3f5a68 Error: Task timed out after 3.00 seconds",
        "occurred_at": "2026-09-14T07:16:40.011Z",
        "payload": ORDER | {"orderId": "ord-7742"},
    },
    "async-destination-sqs.json": DESTINATION,
    "async-destination-sqs-event-age.json": DESTINATION
    | {
        "request_id": "6b9e2f70-3d81-4c5a-a0f7-1d84c6e93b25",
        "condition": "EventAgeExceeded",
        "invoke_count": 1,
    },
    "async-destination-eventbridge.json": DESTINATION,
    "async-destination-eventbridge-to-sqs.json": DESTINATION,
    "async-destination-lambda.event.json": DESTINATION,
    "async-destination-s3.object.json": DESTINATION,
    "sqs-redrive-dlq-standard.json": NOTHING
    | {
        "producer": "sqs-redrive",
        "occurred_at": "2026-09-14T06:56:40.500Z",
        "payload": {"orderId": "ord-9001", "op": "capture"},
        "target": {"kind": "sqs", "arn": "arn:aws:sqs:eu-west-1:210987654321:orders"},
        "redrivable": "yes",
        "truncated": False,
    },
}
OTHERS = {
    "kinesis-esm-sqs.json": ("kinesis-esm", "refetch"),
    "kinesis-esm-sqs-partial-batch.json": ("kinesis-esm", "refetch"),
    "kinesis-esm-s3.object.json": ("kinesis-esm", "yes"),
    "ddb-esm-sqs.json": ("dynamodb-esm", "refetch"),
    "ddb-esm-s3.object.json": ("dynamodb-esm", "yes"),
    "kafka-esm-sqs.json": ("kafka-esm", "refetch"),
    "kafka-esm-s3.object.json": ("kafka-esm", "yes"),
    "eventbridge-target-dlq.json": ("eventbridge-rule", "yes"),
    "eventbridge-target-dlq-no-retry.json": ("eventbridge-rule", "yes"),
    "scheduler-dlq-universal.json": ("scheduler", "yes"),
    "pipes-dlq-kinesis.json": ("pipes", "refetch"),
    "sns-subscription-dlq.json": ("sns-subscription", "yes"),
    "sns-subscription-dlq-raw.json": ("unrecognised", "yes"),
}
NO_RECORDS = sorted(
    path.name for path in EVENTS.glob("*.json") if path.name not in EXPECTED and path.name not in OTHERS
)


def described(name: str) -> dict:
    return describe(parse_message(read_entry((EVENTS / name).read_text())))


@pytest.mark.parametrize("name", EXPECTED)
def test_a_record_says_exactly_what_aws_wrote(name: str) -> None:
    assert described(name) == EXPECTED[name]


def test_the_keys_come_in_one_order() -> None:
    assert list(described("async-destination-sqs.json")) == (
        [
            "producer",
            "request_id",
            "function_arn",
            "qualifier",
            "condition",
            "invoke_count",
            "error_type",
            "error_message",
            "stack_trace",
            "status_code",
            "occurred_at",
            "payload",
            "payload_text",
            "target",
            "redrivable",
            "reason",
            "truncated",
            "origin_arn",
            "stream",
            "notes",
        ]
    )


@pytest.mark.parametrize("name", OTHERS)
def test_the_other_producers_are_named_and_say_whether_their_events_can_be_sent(name: str) -> None:
    told = described(name)
    assert (told["producer"], told["redrivable"]) == OTHERS[name]
    assert told["reason"] or told["redrivable"] == "yes"


@pytest.mark.parametrize("name", NO_RECORDS)
def test_what_is_no_record_is_unrecognised_and_kept(name: str) -> None:
    told = described(name)
    assert told["producer"] == "unrecognised"
    assert told["payload"] == json.loads((EVENTS / name).read_text())


def test_every_file_is_in_a_table() -> None:
    assert set(NO_RECORDS) == {
        "invoke-throttled.error-response.json",
        "lambda-event-dynamodb.json",
        "lambda-event-kafka.json",
        "lambda-event-kinesis.json",
        "lambda-event-sns.json",
        "lambda-event-sqs.json",
        "powertools-idempotency-items.json",
        "sqs-list-message-move-tasks.json",
    }
    assert EXPECTED.keys() | OTHERS.keys() <= {path.name for path in EVENTS.glob("*.json")}


def test_a_stream_batch_in_s3_holds_lambdas_event() -> None:
    told = described("kinesis-esm-s3.object.json")
    assert [record["eventSource"] for record in told["payload"]["Records"]] == ["aws:kinesis", "aws:kinesis"]
    assert told["target"] == {
        "kind": "lambda",
        "arn": "arn:aws:lambda:eu-west-1:210987654321:function:clicks-aggregate",
    }


def test_a_schedule_to_lambda_names_its_function_and_keeps_its_input() -> None:
    told = described("scheduler-dlq-universal.json")
    assert told["payload"] == {"report": "daily"}
    assert told["function_arn"] == "arn:aws:lambda:eu-west-1:210987654321:function:nightly-report"
    assert told["error_type"] == "AWS.Lambda.ResourceNotFoundException"
