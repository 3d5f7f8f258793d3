"""A message that SQS moved to a dead-letter queue because it was received too often and never deleted."""

from __future__ import annotations

from deadletter.event import FailedEvent, Producer
from deadletter.parse.record import Record, sqs_target

REASON = "The message does not say which queue it came from in a form that can be sent to: name a target."


def parse(record: Record) -> FailedEvent | None:
    """Read a message with `DeadLetterQueueSourceArn`, which SQS adds when a redrive policy moves it, and only then.

    Nothing in it says which consumer failed, or why. Body, attributes and `SentTimestamp` are as first sent.
    """
    source_arn = record.system.get("DeadLetterQueueSourceArn")
    if source_arn is None:
        return None
    target = sqs_target(source_arn)
    return FailedEvent(
        producer=Producer.SQS_REDRIVE,
        occurred_at=record.arrived_at,
        payload_text=record.text,
        target=target,
        reason=None if target else REASON,
    )
