"""A pipe that gave up on a stream's batch: where the batch lies, and the pipe; no function, no data."""

from __future__ import annotations

from deadletter.event import ORIGIN_ARN, FailedEvent, Producer, Redrivable
from deadletter.parse.record import Record
from deadletter.parse.stream_range import HALF, LATER, stream_range

POINTER = (
    "The record only points at its batch in the stream, and names the pipe but not its target: both are looked up, "
    "the batch while the stream still keeps it."
)


def parse(record: Record) -> FailedEvent | None:
    """Read a record whose `context` names the pipe as `partnerResourceArn`."""
    context = record.body.fields("context")
    pipe_arn = context.text("partnerResourceArn")
    if pipe_arn is None or ":pipe/" not in pipe_arn or not ORIGIN_ARN.fullmatch(pipe_arn):
        return None
    where = stream_range(record.body)
    return FailedEvent(
        producer=Producer.PIPES,
        condition=context.text("condition"),
        occurred_at=record.body.time("timestamp") or record.arrived_at,
        redrivable=Redrivable.REFETCH if where else Redrivable.NO,
        reason=POINTER if where else HALF,
        origin_arn=pipe_arn,
        stream=where,
        notes=(LATER,),
    )
