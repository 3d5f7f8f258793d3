"""Who was to get an event, and in which form: asked of SNS, EventBridge, Scheduler and Pipes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from deadletter.aws.clients import Purpose, client_for
from deadletter.aws.trouble import ERRORS, lookup_error
from deadletter.errors import LookupRefused
from deadletter.event import FailedEvent, Producer, TargetRef
from deadletter.parse.elsewhere import why_elsewhere
from deadletter.parse.record import any_target
from deadletter.parse.scheduler import call_of, extras_of
from deadletter.route import Route


def find_route(event: FailedEvent) -> Route:
    """Return the one consumer that *event* was for; see `Lookups.route`."""
    origin = event.origin_arn or ""
    match event.producer:
        case Producer.SNS_SUBSCRIPTION:
            return _of_subscription(origin)
        case Producer.EVENTBRIDGE_RULE:
            return _of_rule(origin, event.target)
        case Producer.SCHEDULER:
            return _of_schedule(origin)
        case _:
            return _of_pipe(origin)


def _of_subscription(arn: str) -> Route:
    asked = {"SubscriptionArn": arn}
    attributes = _ask("sns", "get_subscription_attributes", "sns:GetSubscriptionAttributes", arn, asked)["Attributes"]
    endpoint = attributes.get("Endpoint", "")
    target = any_target(endpoint) if attributes.get("Protocol") in {"lambda", "sqs"} else None
    return Route(
        target=_known(target, "The subscription's endpoint", endpoint),
        raw=attributes.get("RawMessageDelivery") == "true",
    )


def _of_rule(rule_arn: str, target: TargetRef | None) -> Route:
    found = [each for each in _targets_of(rule_arn) if target and any_target(each.get("Arn", "")) == target]
    if not found:
        raise LookupRefused(
            f"The rule {rule_arn} has no target {target.arn if target else ''} any more, so nobody knows in which form "
            "it would get the event. Name the target by hand, and the event goes as it stands."
        )
    forms = {_form(each) for each in found}
    if len(forms) > 1:
        raise LookupRefused(
            f"The rule {rule_arn} has this target {len(found)} times, each with another input, and the record does not "
            "say which of them failed. Name the target by hand, and the event goes as it stands."
        )
    return _rule_route(found[0], target)


def _rule_route(entry: Mapping[str, Any], target: TargetRef | None) -> Route:
    transformer = entry.get("InputTransformer") or {}
    return Route(
        target=_known(target, "The rule's target", entry.get("Arn", "")),
        input=entry.get("Input"),
        input_path=entry.get("InputPath"),
        template=transformer.get("InputTemplate"),
        paths=transformer.get("InputPathsMap") or {},
        group_id=(entry.get("SqsParameters") or {}).get("MessageGroupId"),
        partition_key_path=(entry.get("KinesisParameters") or {}).get("PartitionKeyPath"),
    )


_FORMS = ("Input", "InputPath", "InputTransformer", "SqsParameters", "KinesisParameters")


def _form(entry: Mapping[str, Any]) -> str:
    return repr([entry.get(name) for name in _FORMS])


def _targets_of(rule_arn: str) -> Iterator[Mapping[str, Any]]:
    """Yield a rule's targets, page by page. (Its ARN ends in ``rule/name`` or ``rule/bus/name``.)"""
    bus, _, name = rule_arn.partition(":rule/")[2].rpartition("/")
    asked = {"Rule": name, **({"EventBusName": bus} if bus else {})}
    while True:
        answer = _ask("events", "list_targets_by_rule", "events:ListTargetsByRule", rule_arn, asked)
        yield from answer.get("Targets", [])
        if not answer.get("NextToken"):
            return
        asked["NextToken"] = answer["NextToken"]


def _of_schedule(arn: str) -> Route:
    group, _, name = arn.partition(":schedule/")[2].partition("/")
    answer = _ask("scheduler", "get_schedule", "scheduler:GetSchedule", arn, {"Name": name, "GroupName": group})
    said = answer.get("Target", {})
    target, payload = call_of(said.get("Arn", ""), said.get("Input") or "{}", arn)
    attributes, group_id = extras_of(said.get("Arn", ""), said.get("Input") or "{}")
    return Route(
        target=_known(target, "The schedule's target", said.get("Arn", "")),
        payload_text=payload,
        group_id=(said.get("SqsParameters") or {}).get("MessageGroupId") or group_id,
        partition_key=(said.get("KinesisParameters") or {}).get("PartitionKey"),
        attributes=attributes,
    )


def _of_pipe(arn: str) -> Route:
    answer = _ask("pipes", "describe_pipe", "pipes:DescribePipe", arn, {"Name": arn.rpartition("/")[2]})
    if answer.get("Enrichment"):
        raise LookupRefused(
            f"The pipe enriches its records by {answer['Enrichment']}, which this console does not call, so it cannot "
            "make again what the target would have got. Name a target by hand, and it gets the records as they are."
        )
    parameters = answer.get("TargetParameters") or {}
    return Route(
        target=_known(any_target(answer.get("Target", "")), "The pipe's target", answer.get("Target", "")),
        template=parameters.get("InputTemplate"),
        group_id=_constant((parameters.get("SqsQueueParameters") or {}).get("MessageGroupId")),
        partition_key=_constant((parameters.get("KinesisStreamParameters") or {}).get("PartitionKey")),
    )


def _constant(text: str | None) -> str | None:
    """Return a pipe's parameter that is the same for every record; one that is read from the record is refused."""
    if text and text.startswith("$"):
        raise LookupRefused(
            f"The pipe takes the group or the partition key from each record, by the path {text[:80]}, "
            "which this console does not follow. Name a target by hand, and it gets the records as they are."
        )
    return text


def _known(target: TargetRef | None, whose: str, arn: str) -> TargetRef:
    if target is None:
        raise LookupRefused(why_elsewhere(whose, arn))
    return target


def _ask(service: str, method: str, action: str, arn: str, given: Mapping[str, str]) -> Mapping[str, Any]:
    """Make one reading call; *action* is the permission that it takes."""
    try:
        answer: Mapping[str, Any] = getattr(client_for(arn, service, Purpose.READ), method)(**given)
    except ERRORS as error:
        raise lookup_error(error, action=action, arn=arn) from error
    return answer
