"""An EventBridge rule that could not deliver to its target: the event untransformed, and the reason in attributes."""

from __future__ import annotations

from deadletter.event import ORIGIN_ARN, FailedEvent, Producer, Redrivable
from deadletter.parse.elsewhere import why_elsewhere
from deadletter.parse.record import Record, any_target, split_function, whole_number

TRANSFORMED = "The body is the event before the rule's own input transformation, if it has one."


def parse(record: Record) -> FailedEvent | None:
    """Read a message with the attributes `RULE_ARN` and `TARGET_ARN`.

    `EXHAUSTED_RETRY_CONDITION` is absent for errors that are not worth a retry. `RETRY_ATTEMPTS` counts the tries after
    the first.
    """
    rule_arn, target_arn = record.attribute("RULE_ARN"), record.attribute("TARGET_ARN")
    if target_arn is None or rule_arn is None:
        return None
    function_arn, qualifier = split_function(target_arn)
    target = any_target(target_arn)
    retries = whole_number(record.attribute("RETRY_ATTEMPTS"))
    return FailedEvent(
        producer=Producer.EVENTBRIDGE_RULE,
        function_arn=function_arn,
        qualifier=qualifier,
        condition=record.attribute("EXHAUSTED_RETRY_CONDITION"),
        invoke_count=None if retries is None else retries + 1,
        error_type=record.attribute("ERROR_CODE"),
        error_message=record.attribute("ERROR_MESSAGE"),
        occurred_at=record.arrived_at,
        payload_text=record.text,
        target=target,
        redrivable=Redrivable.YES,
        reason=TRANSFORMED if target else why_elsewhere("The rule's target", target_arn),
        origin_arn=rule_arn if ORIGIN_ARN.fullmatch(rule_arn) else None,
    )
