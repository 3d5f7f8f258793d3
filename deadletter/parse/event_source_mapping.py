"""The on-failure destination of a stream's event source mapping: where the batch lies; in S3 also what it held."""

from __future__ import annotations

from deadletter.event import FailedEvent, Producer, Redrivable
from deadletter.parse.record import Fields, Record, lambda_target, split_function

_BLOCKS = {
    "KinesisBatchInfo": Producer.KINESIS_ESM,
    "DDBStreamBatchInfo": Producer.DYNAMODB_ESM,
    "KafkaBatchInfo": Producer.KAFKA_ESM,
}
POINTER = "The record only points at its batch: it must be fetched again while the stream still keeps it."


def parse(record: Record) -> FailedEvent | None:
    """Read a record with one of the batch blocks; `functionArn` is as the mapping has it, often without a qualifier."""
    body = record.body
    context = body.fields("requestContext")
    block = next((name for name in _BLOCKS if name in body), None)
    function_arn, qualifier = split_function(context.text("functionArn"))
    if block is None or function_arn is None:
        return None
    payload = _payload(body)
    return FailedEvent(
        producer=_BLOCKS[block],
        request_id=context.text("requestId"),
        function_arn=function_arn,
        qualifier=qualifier,
        condition=context.text("condition"),
        invoke_count=context.number("approximateInvokeCount"),
        status_code=body.fields("responseContext").number("statusCode"),
        occurred_at=body.time("timestamp") or record.arrived_at,
        payload_text=payload,
        target=lambda_target(function_arn, qualifier),
        redrivable=Redrivable.REFETCH if payload is None else Redrivable.YES,
        reason=POINTER if payload is None else None,
    )


def _payload(body: Fields) -> str | None:
    """Return the batch as Lambda's event: documented as JSON in a string, and an object in a Kafka topic."""
    return body.exact("payload") or body.raw("payload")
