"""An EventBridge schedule that could not call its target: the request, and in attributes the reason."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from deadletter.event import ORIGIN_ARN, FailedEvent, Producer, Redrivable, TargetRef, account_of, region_of
from deadletter.jsontext import decode
from deadletter.parse.elsewhere import why_elsewhere
from deadletter.parse.record import Fields, Record, any_target, split_function, sqs_target, whole_number

CUT = "The schedule's input was too large for the message and is cut: it is read again from the schedule."
UNNAMED = "The message does not name the schedule's target: it is read from the schedule."
_HOSTS = (".amazonaws.com", ".amazonaws.com.cn")
_UNIVERSAL = ":aws-sdk:"


def parse(record: Record) -> FailedEvent | None:
    """Read a message with the attribute `SCHEDULE_ARN`.

    A universal target's body is the request of an API (`FunctionName` and `Payload`, `QueueUrl` and `MessageBody`); a
    templated target's `TARGET_ARN` is the target itself, and the body the input.
    """
    schedule_arn = record.attribute("SCHEDULE_ARN")
    if schedule_arn is None:
        return None
    target_arn = record.attribute("TARGET_ARN") or ""
    target, payload = call_of(target_arn, record.text, schedule_arn)
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
        redrivable=Redrivable.REFETCH if truncated or not target_arn else Redrivable.YES,
        reason=_reason(target, target_arn, truncated=truncated),
        truncated=truncated,
        origin_arn=schedule_arn if ORIGIN_ARN.fullmatch(schedule_arn) else None,
    )


def _reason(target: TargetRef | None, target_arn: str, *, truncated: bool) -> str | None:
    if truncated or not target_arn:
        return CUT if truncated else UNNAMED
    return None if target else why_elsewhere("The schedule's target", target_arn)


def call_of(target_arn: str, text: str, schedule_arn: str) -> tuple[TargetRef | None, str]:
    """Return what a schedule would call, and with what; *text* is a universal target's request, else the input."""
    call = _CALLS.get(_call_name(target_arn))
    return call(Fields(text), text, schedule_arn) if call else (any_target(target_arn), text)


def is_call(target_arn: str) -> bool:
    """Return whether a schedule's target is a call of an API (a universal target), whose request is its input."""
    return _UNIVERSAL in target_arn


def extras_of(target_arn: str, text: str) -> tuple[Mapping[str, Mapping[str, str]], str | None]:
    """Return the message attributes and the message group that a universal target's request gives its message."""
    if _call_name(target_arn) not in {"sqs:sendMessage", "sns:publish"}:
        return {}, None
    body = Fields(text)
    given = body.fields("MessageAttributes")
    return {name: attribute for name in given if (attribute := _attribute(given.fields(name)))}, body.text(
        "MessageGroupId"
    )


def _call_name(target_arn: str) -> str:
    return target_arn.partition(_UNIVERSAL)[2]


def _attribute(part: Fields) -> Mapping[str, str] | None:
    """Return one attribute of a request as SQS's messages have it: `DataType`, and one kind of value."""
    given = {name: part.exact(name) for name in ("DataType", "StringValue", "BinaryValue")}
    known = {name: text for name, text in given.items() if text is not None}
    return known if len(known) > 1 and "DataType" in known else None


def _invoke(body: Fields, text: str, schedule_arn: str) -> tuple[TargetRef | None, str]:
    """Return the function that Invoke names: by its ARN, or by its name in the schedule's account and Region."""
    name, qualifier = body.text("FunctionName") or "", body.text("Qualifier")
    if ":" not in name:
        partition = schedule_arn.split(":")[1] if schedule_arn.startswith("arn:") else "aws"
        where = f"{region_of(schedule_arn)}:{account_of(schedule_arn)}"
        name = f"arn:{partition}:lambda:{where}:function:{name}"
    target = any_target(f"{name}:{qualifier}" if qualifier else name)
    return target, _or(body.exact("Payload"), text)


def _send(body: Fields, text: str, schedule_arn: str) -> tuple[TargetRef | None, str]:
    return _queue(body.text("QueueUrl"), schedule_arn), _or(body.exact("MessageBody"), text)


def _publish(body: Fields, text: str, _schedule_arn: str) -> tuple[TargetRef | None, str]:
    return any_target(body.text("TopicArn") or body.text("TargetArn") or ""), _or(body.exact("Message"), text)


def _start(body: Fields, _text: str, _schedule_arn: str) -> tuple[TargetRef | None, str]:
    """Return the state machine that StartExecution names, and its input: without one it gets an empty object."""
    return any_target(body.text("StateMachineArn") or ""), _or(body.exact("Input"), "{}")


def _put(body: Fields, text: str, _schedule_arn: str) -> tuple[TargetRef | None, str]:
    """Return the one event that PutEvents puts as an event has it; its bus fans out, so a person has to choose it."""
    entries = decode(body.raw("Entries") or "")[1]
    entry = entries[0] if isinstance(entries, list) and len(entries) == 1 else None
    if not isinstance(entry, dict) or not isinstance(entry.get("Detail"), str):
        return None, text
    names = {"source": entry.get("Source"), "detail-type": entry.get("DetailType")}
    resources = {"resources": entry["Resources"]} if "Resources" in entry else {}
    is_json, detail = decode(entry["Detail"])
    return None, json.dumps({**names, **resources, "detail": detail}) if is_json else text


_CALLS: Mapping[str, Callable[[Fields, str, str], tuple[TargetRef | None, str]]] = {
    "lambda:invoke": _invoke,
    "sqs:sendMessage": _send,
    "sns:publish": _publish,
    "sfn:startExecution": _start,
    "eventbridge:putEvents": _put,
}
"""The API calls of universal targets that a redrive can make itself: ``arn:aws:scheduler:::aws-sdk:service:action``."""


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
