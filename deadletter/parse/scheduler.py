"""An EventBridge schedule that could not call its target: the request, and in attributes the reason."""

from __future__ import annotations

from urllib.parse import urlsplit

from deadletter.event import ORIGIN_ARN, FailedEvent, Producer, Redrivable, TargetRef, region_of
from deadletter.parse.record import Fields, Record, any_target, split_function, sqs_target, whole_number

CUT = "The schedule's input was too large for the message and is cut: it is read again from the schedule."
OTHER_TARGET = (
    "The schedule's target is no function, queue or topic that the message names: name one, or send the event by hand."
)
_HOSTS = (".amazonaws.com", ".amazonaws.com.cn")


def parse(record: Record) -> FailedEvent | None:
    """Read a message with the attribute `SCHEDULE_ARN`.

    A universal target's body is the request of an API (`FunctionName` and `Payload`, `QueueUrl` and `MessageBody`); a
    templated target's `TARGET_ARN` is the target itself, and the body the input.
    """
    schedule_arn = record.attribute("SCHEDULE_ARN")
    if schedule_arn is None:
        return None
    target, payload = call_of(record.attribute("TARGET_ARN") or "", record.text, schedule_arn)
    truncated = record.attribute("IS_PAYLOAD_TRUNCATED") == "true"
    function_arn, qualifier = split_function(target.arn if target else None)
    retries = whole_number(record.attribute("RETRY_ATTEMPTS"))
    return FailedEvent(
        producer=Producer.SCHEDULER,
        function_arn=function_arn,
        qualifier=qualifier,
        condition=record.attribute("EXHAUSTED_RETRY_CONDITION"),
        invoke_count=None if retries is None else retries + 1,
        error_type=record.attribute("ERROR_CODE"),
        error_message=record.attribute("ERROR_MESSAGE"),
        occurred_at=record.arrived_at,
        payload_text=payload,
        target=target,
        redrivable=Redrivable.REFETCH if truncated else Redrivable.YES,
        reason=CUT if truncated else None if target else OTHER_TARGET,
        truncated=truncated,
        origin_arn=schedule_arn if ORIGIN_ARN.fullmatch(schedule_arn) else None,
    )


def call_of(target_arn: str, text: str, schedule_arn: str) -> tuple[TargetRef | None, str]:
    """Return what a schedule would call, and with what; *text* is a universal target's request, else the input."""
    body = Fields(text)
    _, _, action = target_arn.rpartition(":aws-sdk:")
    match action:
        case "lambda:invoke":
            return any_target(body.text("FunctionName") or ""), _or(body.exact("Payload"), text)
        case "sqs:sendMessage":
            return _queue(body.text("QueueUrl"), schedule_arn), _or(body.exact("MessageBody"), text)
        case "sns:publish":
            return any_target(body.text("TopicArn") or ""), _or(body.exact("Message"), text)
        case _:
            return any_target(target_arn), text


def _or(held: str | None, text: str) -> str:
    return text if held is None else held


def _queue(url: str | None, schedule_arn: str) -> TargetRef | None:
    """Return the queue with that URL: its account and name are the URL's, its Region the host's or the schedule's."""
    try:
        parts = urlsplit(url or "")
        host, path = parts.hostname or "", parts.path.strip("/").split("/")
    except ValueError:
        return None
    if len(path) != 2:  # noqa: PLR2004 - account and name
        return None
    region = host.split(".")[1] if host.startswith("sqs.") and host.endswith(_HOSTS) else region_of(schedule_arn)
    partition = schedule_arn.split(":")[1] if schedule_arn.startswith("arn:") else "aws"
    return sqs_target(f"arn:{partition}:sqs:{region}:{path[0]}:{path[1]}")
