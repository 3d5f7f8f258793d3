"""An EventBridge schedule that could not call its target: the request, and in attributes the reason."""

from __future__ import annotations

from deadletter.event import FailedEvent, Producer, Redrivable, TargetRef
from deadletter.parse.record import Record, lambda_target, split_function

CUT = "The schedule's input was too large for the message and is cut: read it again from the schedule."
OTHER_TARGET = "The schedule's target is not a function that the message names: send the event there by hand."


def parse(record: Record) -> FailedEvent | None:
    """Read a message with the attribute `SCHEDULE_ARN`.

    A universal target's body is the request (`FunctionName`, `Payload`); a templated target's is the input itself.
    """
    if record.attribute("SCHEDULE_ARN") is None:
        return None
    function_arn, qualifier, payload = _call(record)
    truncated = record.attribute("IS_PAYLOAD_TRUNCATED") == "true"
    target = lambda_target(function_arn, qualifier)
    redrivable, reason = _redrivable(target, truncated=truncated)
    return FailedEvent(
        producer=Producer.SCHEDULER,
        function_arn=function_arn,
        qualifier=qualifier,
        condition=record.attribute("EXHAUSTED_RETRY_CONDITION"),
        error_type=record.attribute("ERROR_CODE"),
        error_message=record.attribute("ERROR_MESSAGE"),
        occurred_at=record.arrived_at,
        payload_text=payload,
        target=target,
        redrivable=redrivable,
        reason=reason,
        truncated=truncated,
    )


def _call(record: Record) -> tuple[str | None, str | None, str]:
    """Return which function, by which qualifier, would have been called with what."""
    target_arn = record.attribute("TARGET_ARN") or ""
    if not target_arn.endswith(":aws-sdk:lambda:invoke"):
        return *split_function(target_arn), record.text
    payload = record.body.exact("Payload")
    return *split_function(record.body.text("FunctionName")), record.text if payload is None else payload


def _redrivable(target: TargetRef | None, *, truncated: bool) -> tuple[Redrivable, str | None]:
    if truncated:
        return Redrivable.REFETCH, CUT
    return (Redrivable.YES, None) if target else (Redrivable.NO, OTHER_TARGET)
