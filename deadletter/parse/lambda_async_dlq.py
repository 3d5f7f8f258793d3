"""A function's own dead-letter queue (or topic): the event byte for byte as the body, and three attributes."""

from __future__ import annotations

from deadletter.event import FailedEvent, Producer
from deadletter.parse.record import Record, whole_number

REASON = "A dead-letter queue's message does not name its function: the source must say which function it stands for."


def parse(record: Record) -> FailedEvent | None:
    """Read a message that Lambda wrote to a `DeadLetterConfig` target.

    Lambda sets `RequestID`, `ErrorCode` (an HTTP status; 200 for a function's own error) and `ErrorMessage` (its first
    KB, without type and stack). What they hold after a throttle is documented nowhere, so one of the last two will do.
    """
    request_id = record.attribute("RequestID")
    code, message = record.attribute("ErrorCode"), record.attribute("ErrorMessage")
    if request_id is None or (code is None and message is None):
        return None
    return FailedEvent(
        producer=Producer.LAMBDA_ASYNC_DLQ,
        request_id=request_id,
        error_message=message,
        status_code=whole_number(code),
        occurred_at=record.arrived_at,
        payload_text=record.text,
        reason=REASON,
    )
