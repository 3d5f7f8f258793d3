"""The on-failure destination of a stream's event source mapping: where the batch lies; in S3 also what it held."""

from __future__ import annotations

from deadletter.event import FailedEvent, Producer, Redrivable, StreamRange
from deadletter.parse.record import Fields, Record, lambda_target, split_function
from deadletter.parse.stream_range import DYNAMODB, HALF, KAFKA, KINESIS, LATER, POINTER, block_of, stream_range

_PRODUCERS = {
    KINESIS: Producer.KINESIS_ESM,
    DYNAMODB: Producer.DYNAMODB_ESM,
    KAFKA: Producer.KAFKA_ESM,
}


def parse(record: Record) -> FailedEvent | None:
    """Read a record with one of the batch blocks; `functionArn` is as the mapping has it, often without a qualifier.

    `responseContext` is absent or null where the function was not the cause (`RecordAgeExceeded`,
    `MaximumPayloadSizeExceeded`), and its `functionError` is null where the function reported `batchItemFailures`.
    """
    body = record.body
    context = body.fields("requestContext")
    block = block_of(body)
    function_arn, qualifier = split_function(context.text("functionArn"))
    if block is None or function_arn is None:
        return None
    payload, where = _payload(body), None if block == KAFKA else stream_range(body)
    redrivable, reason = _redrivable(body, block, payload, where)
    return FailedEvent(
        producer=_PRODUCERS[block],
        request_id=context.text("requestId"),
        function_arn=function_arn,
        qualifier=qualifier,
        condition=context.text("condition"),
        invoke_count=context.number("approximateInvokeCount"),
        status_code=body.fields("responseContext").number("statusCode"),
        occurred_at=body.time("timestamp") or record.arrived_at,
        payload_text=payload,
        target=lambda_target(function_arn, qualifier),
        redrivable=redrivable,
        reason=reason,
        stream=where,
        notes=(LATER,),
    )


def _redrivable(
    body: Fields, block: str, payload: str | None, where: StreamRange | None
) -> tuple[Redrivable, str | None]:
    if payload is not None:
        return Redrivable.YES, None
    if block == KAFKA:
        return Redrivable.REFETCH, _offsets(body.fields(KAFKA))
    return (Redrivable.REFETCH, POINTER) if where else (Redrivable.NO, HALF)


def _payload(body: Fields) -> str | None:
    """Return the batch as Lambda's event: documented as JSON in a string, and an object in a Kafka topic."""
    if body.exact("payload"):
        return body.exact("payload")
    raw = body.raw("payload")
    return raw if raw and raw.startswith("{") else None


def _offsets(block: Fields) -> str:
    """Say which offsets of which partitions the batch held, for whoever reads them again."""
    partitions = block.fields("recordsInfo")
    ranges = [f"{name} {_range(partitions.fields(name))}" for name in partitions]
    said = "; ".join(ranges) or "which it does not name"
    return (
        f"The record only points at its batch in Kafka ({said}), and this console does not read Kafka. Give the event "
        "source mapping an S3 destination, whose records hold their batches, or read these offsets again by hand."
    )


def _range(partition: Fields) -> str:
    return f"{partition.text('firstRecordOffset')} to {partition.text('lastRecordOffset')}"
