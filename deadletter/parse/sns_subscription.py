"""A notification that SNS could not deliver to one subscriber: the message in its envelope, and no word on why."""

from __future__ import annotations

from deadletter.event import FailedEvent, Producer, Redrivable
from deadletter.parse.envelope import is_notification
from deadletter.parse.record import Record

REASON = "The notification names its topic and subscription, not the function or queue behind them: look that up."


def parse(record: Record) -> FailedEvent | None:
    """Read a notification that holds no record of another producer (those are tried before)."""
    body = record.body
    message = body.exact("Message")
    if message is None or not is_notification(body):
        return None
    return FailedEvent(
        producer=Producer.SNS_SUBSCRIPTION,
        occurred_at=body.time("Timestamp") or record.arrived_at,
        payload_text=message,
        redrivable=Redrivable.NO,
        reason=REASON,
    )
