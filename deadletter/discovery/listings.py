"""What AWS answers to listing calls, as the types of `account`.

Nothing raises: an entry without the ARN that it stands under is left out, any other odd field is read as not set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deadletter.discovery.account import (
    LATEST,
    Function,
    InvokeConfig,
    Pipe,
    Queue,
    RuleTarget,
    Schedule,
    SourceMapping,
    Subscription,
    unqualified,
)
from deadletter.event import Json, decode_json

_LONGEST_NUMBER = 9
_STREAMS_OF_PIPES = ("KinesisStreamParameters", "DynamoDBStreamParameters")


def read_function(raw: Json, configs: Sequence[Json] | None) -> Function | None:
    """Read an entry of ListFunctions and its ListFunctionEventInvokeConfigs (None: they could not be read)."""
    arn = text(raw, "FunctionArn")
    if arn is None:
        return None
    return Function(
        arn=unqualified(arn),
        role_arn=text(raw, "Role"),
        dead_letter_arn=text(raw, "DeadLetterConfig", "TargetArn"),
        invoke_configs=None if configs is None else tuple(_invoke_config(config) for config in configs),
    )


def read_mapping(raw: Json) -> SourceMapping | None:
    """Read an entry of ListEventSourceMappings."""
    function_arn = text(raw, "FunctionArn")
    if function_arn is None:
        return None
    return SourceMapping(
        uuid=text(raw, "UUID") or "",
        function_arn=function_arn,
        source_arn=text(raw, "EventSourceArn"),
        on_failure_arn=text(raw, "DestinationConfig", "OnFailure", "Destination"),
        state=text(raw, "State"),
    )


def read_queue(attributes: Json) -> Queue | None:
    """Read what GetQueueAttributes answers under `Attributes`."""
    arn = text(attributes, "QueueArn")
    if arn is None:
        return None
    retention = text(attributes, "MessageRetentionPeriod")
    return Queue(arn=arn, dead_letter_arn=_redrive_policy(attributes), retention_s=_number(retention))


def read_subscription(raw: Json, attributes: Json) -> Subscription | None:
    """Read an entry of ListSubscriptions and what GetSubscriptionAttributes answers under `Attributes`."""
    arn = text(raw, "SubscriptionArn")
    if arn is None or not arn.startswith("arn:"):  # AWS writes PendingConfirmation there
        return None
    return Subscription(
        arn=arn,
        topic_arn=text(raw, "TopicArn"),
        protocol=text(raw, "Protocol"),
        endpoint=text(raw, "Endpoint"),
        dead_letter_arn=_redrive_policy(attributes),
    )


def read_rule_target(rule: Json, raw: Json) -> RuleTarget | None:
    """Read an entry of ListTargetsByRule, of a *rule* as ListRules has it."""
    rule_arn, arn = text(rule, "Arn"), text(raw, "Arn")
    if rule_arn is None or arn is None:
        return None
    return RuleTarget(
        rule_arn=rule_arn,
        arn=arn,
        enabled=text(rule, "State") != "DISABLED",
        dead_letter_arn=text(raw, "DeadLetterConfig", "Arn"),
    )


def read_schedule(raw: Json) -> Schedule | None:
    """Read GetSchedule's answer."""
    arn = text(raw, "Arn")
    if arn is None:
        return None
    dead_letter_arn = text(raw, "Target", "DeadLetterConfig", "Arn")
    return Schedule(arn=arn, target_arn=text(raw, "Target", "Arn"), dead_letter_arn=dead_letter_arn)


def read_pipe(raw: Json) -> Pipe | None:
    """Read DescribePipe's answer."""
    arn = text(raw, "Arn")
    if arn is None:
        return None
    named = (text(raw, "SourceParameters", stream, "DeadLetterConfig", "Arn") for stream in _STREAMS_OF_PIPES)
    dead_letter_arn = next(filter(None, named), None)
    source_arn, target_arn = text(raw, "Source"), text(raw, "Target")
    return Pipe(arn=arn, source_arn=source_arn, target_arn=target_arn, dead_letter_arn=dead_letter_arn)


def text(value: Json, *path: str) -> str | None:
    """Return the text that lies under *path* in nested objects; None where there is none, or an empty one."""
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, str) and value else None


def _invoke_config(raw: Json) -> InvokeConfig:
    arn = text(raw, "FunctionArn") or ""
    qualifier = arn.removeprefix(unqualified(arn)).lstrip(":") or LATEST
    return InvokeConfig(qualifier, text(raw, "DestinationConfig", "OnFailure", "Destination"))


def _redrive_policy(attributes: Json) -> str | None:
    return text(decode_json(text(attributes, "RedrivePolicy") or "{}")[1], "deadLetterTargetArn")


def _number(digits: str | None) -> int | None:
    return int(digits) if digits and digits.isdecimal() and len(digits) <= _LONGEST_NUMBER else None
