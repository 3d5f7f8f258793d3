"""An EventBridge rule that could not deliver to its target: the event untransformed, and the reason in attributes."""

from __future__ import annotations

from deadletter.event import FailedEvent, Producer, Redrivable
from deadletter.parse.record import Record, lambda_target, split_function, sqs_target

TRANSFORMED = "The body is the event before the rule's own input transformation, if it has one."
OTHER_TARGET = "The rule's target is neither a function nor a queue: send the event there by hand."


def parse(record: Record) -> FailedEvent | None:
    """Read a message with the attributes `RULE_ARN` and `TARGET_ARN`."""
    target_arn = record.attribute("TARGET_ARN")
    if target_arn is None or record.attribute("RULE_ARN") is None:
        return None
    function_arn, qualifier = split_function(target_arn)
    target = lambda_target(function_arn, qualifier) or sqs_target(target_arn)
    return FailedEvent(
        producer=Producer.EVENTBRIDGE_RULE,
        function_arn=function_arn,
        qualifier=qualifier,
        condition=record.attribute("EXHAUSTED_RETRY_CONDITION"),
        error_type=record.attribute("ERROR_CODE"),
        error_message=record.attribute("ERROR_MESSAGE"),
        occurred_at=record.arrived_at,
        payload_text=record.text,
        target=target,
        redrivable=Redrivable.YES if target else Redrivable.NO,
        reason=TRANSFORMED if target else OTHER_TARGET,
    )
