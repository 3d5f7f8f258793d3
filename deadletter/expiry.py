"""When AWS drops what only AWS still holds. Pure: reads no clock.

What a source in custody handed over is ours and has no such moment. A message that was left in its queue has one, and
so has a batch that the record only points at.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from deadletter.event import FailedEvent, ReceivedMessage, Redrivable

STREAM_RETENTION = timedelta(hours=24)
"""A DynamoDB stream's, always, and a Kinesis stream's unless it was raised (their API references)."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST_MS = 14


def sent_at(message: ReceivedMessage) -> datetime | None:
    """Return since when SQS has counted a message's age, as the message says it (`SentTimestamp`).

    In a standard queue that is when it was first sent, into whichever queue: a redrive policy that moves it to a DLQ
    does not start it again. In a FIFO queue it is when it was moved (SQS Developer Guide, "dead-letter queues"). That
    `SentTimestamp` follows the move there is an assumption; where it does not, we are early by that time, never late.
    """
    text = message.attributes.get("SentTimestamp", "")
    if not text.isascii() or not text.isdecimal() or len(text) > _LONGEST_MS:
        return None
    return _EPOCH + timedelta(milliseconds=int(text))


def message_expires_at(message: ReceivedMessage, retention_s: int | None) -> datetime | None:
    """Return when SQS drops a message that stays in its queue; None where it or the queue does not say.

    *retention_s* is the queue's that it lies in now, in seconds; not that of the queue that it came from.
    """
    sent = sent_at(message)
    return None if sent is None or not retention_s else sent + timedelta(seconds=retention_s)


def batch_expires_at(event: FailedEvent) -> datetime | None:
    """Return when a stream may drop the first record of a batch that the failure's record only points at.

    At the earliest: a Kinesis stream may keep records longer than a day. None where there is no batch to be fetched, or
    nothing is known of how long it is kept (Kafka).
    """
    where = event.stream
    if event.redrivable is not Redrivable.REFETCH or where is None or where.first_arrived_at is None:
        return None
    return where.first_arrived_at + STREAM_RETENTION
