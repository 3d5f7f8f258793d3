"""When AWS drops what only AWS still holds."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from deadletter.event import ReceivedMessage
from deadletter.expiry import batch_expires_at, message_expires_at
from deadletter.parse import parse_message, read_entry
from tests.sandbox_fixture import EVENTS

DAY = 86_400


def message(**attributes: str) -> ReceivedMessage:
    return ReceivedMessage(message_id="m", body="{}", attributes=attributes)


def test_a_moved_message_of_a_standard_queue_expires_counted_from_its_first_send() -> None:
    entry = read_entry((EVENTS / "sqs-redrive-dlq-standard.json").read_text())
    sent = datetime.fromtimestamp(int(entry.attributes["SentTimestamp"]) / 1000, tz=UTC)
    assert "DeadLetterQueueSourceArn" in entry.attributes
    assert message_expires_at(entry, 4 * DAY) == sent + timedelta(days=4)


def test_a_moved_message_of_a_fifo_queue_expires_counted_from_its_move() -> None:
    """SQS starts the age of a message anew when it moves it to a FIFO DLQ."""
    moved_at = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
    moved = message(
        SentTimestamp=str(round(moved_at.timestamp() * 1000)),
        ApproximateFirstReceiveTimestamp=str(round((moved_at - timedelta(days=3)).timestamp() * 1000)),
        MessageGroupId="customer-7",
        DeadLetterQueueSourceArn="arn:aws:sqs:eu-west-1:123456789012:orders.fifo",
    )
    assert message_expires_at(moved, 4 * DAY) == moved_at + timedelta(days=4)


@pytest.mark.parametrize(
    ("given", "retention_s"),
    [({}, DAY), ({"SentTimestamp": "soon"}, DAY), ({"SentTimestamp": "9" * 15}, DAY), ({"SentTimestamp": "1"}, None)],
)
def test_what_message_or_queue_do_not_say_is_not_guessed(given: dict[str, str], retention_s: int | None) -> None:
    assert message_expires_at(message(**given), retention_s) is None


@pytest.mark.parametrize(
    ("sample", "block"),
    [
        ("kinesis-esm-sqs.json", "KinesisBatchInfo"),
        ("ddb-esm-sqs.json", "DDBStreamBatchInfo"),
        ("pipes-dlq-kinesis.json", "KinesisBatchInfo"),
    ],
)
def test_a_batch_that_is_only_pointed_at_expires_a_day_after_its_first_record(sample: str, block: str) -> None:
    entry = read_entry((EVENTS / sample).read_text())
    first = datetime.fromisoformat(json.loads(entry.body)[block]["approximateArrivalOfFirstRecord"])
    assert batch_expires_at(parse_message(entry)) == first + timedelta(days=1)


@pytest.mark.parametrize("sample", ["kinesis-esm-s3.object.json", "kafka-esm-sqs.json", "async-destination-sqs.json"])
def test_what_is_held_whole_or_kept_for_nobody_knows_how_long_has_no_such_moment(sample: str) -> None:
    entry = read_entry((EVENTS / sample).read_text())
    assert batch_expires_at(parse_message(entry)) is None
