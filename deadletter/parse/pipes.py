"""A pipe that gave up on a stream's batch: where the batch lies, and the pipe; no function, no data."""

from __future__ import annotations

from deadletter.event import FailedEvent, Producer, Redrivable
from deadletter.parse.record import Record

POINTER = (
    "The record only points at its batch in the stream, and names the pipe but not its target: fetch the batch again."
)


def parse(record: Record) -> FailedEvent | None:
    """Read a record whose `context` names the pipe as `partnerResourceArn`."""
    context = record.body.fields("context")
    pipe_arn = context.text("partnerResourceArn")
    if pipe_arn is None or ":pipe/" not in pipe_arn:
        return None
    return FailedEvent(
        producer=Producer.PIPES,
        condition=context.text("condition"),
        occurred_at=record.body.time("timestamp") or record.arrived_at,
        redrivable=Redrivable.REFETCH,
        reason=POINTER,
    )
