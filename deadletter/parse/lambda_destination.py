"""The on-failure destination of an asynchronous invocation: the richest record, with event, error and stack."""

from __future__ import annotations

from deadletter.event import FailedEvent, Producer, Redrivable
from deadletter.parse.record import Record, lambda_target, split_function

DROPPED = (
    "The record does not hold the event: Lambda leaves it out where event and answer together are too large for the "
    "destination. Fetch the event from whoever sent it."
)
SUCCESS = "The record reports a success, not a failure: there is nothing to send again."


def parse(record: Record) -> FailedEvent | None:
    """Read a record whose `requestContext` names a qualified function and a condition.

    `responseContext` and `responsePayload` are absent where the function never ran (`ZeroReservedConcurrency`), and
    `requestPayload` where it was too large for the destination.
    """
    body = record.body
    context = body.fields("requestContext")
    function_arn, qualifier = split_function(context.text("functionArn"))
    condition = context.text("condition")
    if function_arn is None or condition is None or ("requestPayload" not in body and _is_batch(record)):
        return None
    answer = body.fields("responsePayload")
    redrivable, reason = _redrivable(condition, held="requestPayload" in body)
    return FailedEvent(
        producer=Producer.LAMBDA_DESTINATION,
        request_id=context.text("requestId"),
        function_arn=function_arn,
        qualifier=qualifier,
        condition=condition,
        invoke_count=context.number("approximateInvokeCount"),
        error_type=answer.text("errorType"),
        error_message=answer.text("errorMessage"),
        stack_trace=answer.lines("stackTrace" if "stackTrace" in answer else "trace"),
        status_code=body.fields("responseContext").number("statusCode"),
        occurred_at=body.time("timestamp") or record.arrived_at,
        payload_text=body.raw("requestPayload"),
        target=lambda_target(function_arn, qualifier),
        redrivable=redrivable,
        reason=reason,
        truncated="requestPayload" not in body,
    )


def _is_batch(record: Record) -> bool:
    return any(name.endswith("BatchInfo") for name in record.body)


def _redrivable(condition: str, *, held: bool) -> tuple[Redrivable, str | None]:
    if condition == "Success":
        return Redrivable.NO, SUCCESS
    return (Redrivable.YES, None) if held else (Redrivable.NO, DROPPED)
