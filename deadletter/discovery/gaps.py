"""Consumers with nowhere to fail to: what they give up on is lost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from deadletter.discovery.account import LATEST, Account, Function, service_of, short_name, unqualified
from deadletter.event import name_of

_STREAMS = frozenset({"kinesis", "dynamodb", "kafka"})
_STREAMS_OF_PIPES = frozenset({"kinesis", "dynamodb"})
_DAY_S, _HOUR_S, _MINUTE_S = 86_400, 3_600, 60
_LONGEST_S = 14 * _DAY_S


class GapKind(StrEnum):
    """What is missing."""

    FUNCTION = "function-without-dlq"
    QUEUE = "queue-without-redrive-policy"
    RULE = "rule-target-without-dlq"
    SCHEDULE = "schedule-without-dlq"
    STREAM = "stream-mapping-without-destination"
    PIPE = "pipe-without-dlq"
    RETENTION = "dlq-retention-too-short"


_ADVICE = {
    GapKind.FUNCTION: "Give it an on-failure destination: a queue, or a bucket if its events are large.",
    GapKind.QUEUE: "Give the queue a redrive policy that names a dead-letter queue, maxReceiveCount 5 or more.",
    GapKind.RULE: "Give the target a dead-letter queue; its policy must let events.amazonaws.com send.",
    GapKind.SCHEDULE: "Give the schedule's target a dead-letter queue.",
    GapKind.STREAM: "Give the mapping an on-failure destination: a bucket keeps the records too.",
    GapKind.PIPE: "Give the pipe's source a dead-letter queue.",
    GapKind.RETENTION: "Keep messages there for longer than in the queues that it is for: up to 14 days.",
}


@dataclass(frozen=True, slots=True, order=True)
class Gap:
    """Something whose failures are lost: which, and why in a sentence."""

    kind: GapKind
    arn: str
    sentence: str

    @property
    def advice(self) -> str:
        """What to do about it, in a sentence."""
        return _ADVICE[self.kind]


def list_gaps(account: Account) -> tuple[Gap, ...]:
    """Return every gap once, by kind and ARN. What could not be read is no gap."""
    found = (*_functions(account), *_queues(account), *_streams(account), *_eventbridge(account), *_retentions(account))
    return tuple(sorted(set(found)))


def _functions(account: Account) -> Iterator[Gap]:
    callers = _asynchronous_callers(account)
    polled = {unqualified(mapping.function_arn) for mapping in account.mappings}
    for function in account.functions:
        called_by = callers.get(function.arn)
        if called_by or function.arn not in polled:  # a mapping invokes synchronously: its failures go its own way
            yield from _function(function, called_by or set())


def _function(function: Function, called_by: set[str]) -> Iterator[Gap]:
    if function.dead_letter_arn or function.invoke_configs is None:
        return
    covered = {config.qualifier for config in function.invoke_configs if config.on_failure_arn}
    if LATEST in covered:
        return
    name, only = name_of(function.arn), f" but for {', '.join(sorted(covered))}" if covered else ""
    when = f"It is invoked by {', '.join(sorted(called_by))}" if called_by else "Where it is invoked asynchronously"
    yield Gap(
        GapKind.FUNCTION,
        function.arn,
        f"The function {name} has neither a dead-letter queue nor an on-failure destination{only}. {when}"
        f"{',' if not called_by else ', and'} what it gives up on is lost.",
    )


def _asynchronous_callers(account: Account) -> Mapping[str, set[str]]:
    callers: dict[str, set[str]] = defaultdict(set)
    for subscription in account.subscriptions:
        if subscription.protocol == "lambda" and subscription.endpoint:
            callers[unqualified(subscription.endpoint)].add(f"the topic {name_of(subscription.topic_arn or '')}")
    for target in account.rule_targets:
        if target.enabled:
            callers[unqualified(target.arn)].add(f"the rule {short_name(target.rule_arn)}")
    for schedule in account.schedules:
        if schedule.target_arn:
            callers[unqualified(schedule.target_arn)].add(f"the schedule {short_name(schedule.arn)}")
    return callers


def _queues(account: Account) -> Iterator[Gap]:
    without = {queue.arn for queue in account.queues if not queue.dead_letter_arn}
    for mapping in account.mappings:
        if mapping.source_arn in without and mapping.runs:
            queue, function = name_of(mapping.source_arn), name_of(mapping.function_arn)
            yield Gap(
                GapKind.QUEUE,
                mapping.source_arn,
                f"The queue {queue} has no redrive policy. A message that {function} cannot do comes back until its "
                "retention ends, and is lost then.",
            )


def _streams(account: Account) -> Iterator[Gap]:
    for mapping in account.mappings:
        stream = not mapping.source_arn or service_of(mapping.source_arn) in _STREAMS  # self-managed Kafka has no ARN
        if stream and mapping.runs and not mapping.on_failure_arn:
            source = mapping.source_arn or "a self-managed Kafka"
            yield Gap(
                GapKind.STREAM,
                mapping.function_arn,
                f"The mapping {mapping.uuid} from {source} to {name_of(mapping.function_arn)} has no on-failure "
                "destination. A batch that it gives up on leaves no trace.",
            )


def _eventbridge(account: Account) -> Iterator[Gap]:
    for target in account.rule_targets:
        if target.enabled and not target.dead_letter_arn:
            text = f"The rule {short_name(target.rule_arn)} has no dead-letter queue for its target {target.arn}."
            yield Gap(GapKind.RULE, target.rule_arn, f"{text} An event that cannot be delivered is lost.")
    for schedule in account.schedules:
        if not schedule.dead_letter_arn:
            text = f"The schedule {short_name(schedule.arn)} has no dead-letter queue."
            yield Gap(GapKind.SCHEDULE, schedule.arn, f"{text} A run that cannot be delivered is lost.")
    for pipe in account.pipes:
        if service_of(pipe.source_arn) in _STREAMS_OF_PIPES and not pipe.dead_letter_arn:
            text = f"The pipe {short_name(pipe.arn)} reads a stream and has no dead-letter queue."
            yield Gap(GapKind.PIPE, pipe.arn, f"{text} A batch that it gives up on leaves no trace.")


def _retentions(account: Account) -> Iterator[Gap]:
    """Yield dead-letter queues that may drop a message as it arrives.

    A standard queue counts a message's age from when it was first sent; a FIFO queue starts anew on the move (SQS
    guide, "Setting up dead-letter queue retention").
    """
    queues = {queue.arn: queue for queue in account.queues}
    for queue in account.queues:
        dead = queues.get(queue.dead_letter_arn or "")
        if dead is None or dead.fifo or dead.retention_s is None or queue.retention_s is None:
            continue
        if dead.retention_s <= queue.retention_s:
            yield Gap(
                GapKind.RETENTION,
                dead.arn,
                f"The dead-letter queue {name_of(dead.arn)} keeps messages for {_long(dead.retention_s)}, its source "
                f"queue {name_of(queue.arn)} for {_long(queue.retention_s)}, and age counts from the first send: one "
                f"that waited long is lost as it arrives. {_advice(dead.retention_s)}",
            )


def _advice(retention_s: int) -> str:
    return "Set it to 14 days." if retention_s < _LONGEST_S else "It cannot keep them longer: shorten its source's."


def _long(seconds: int) -> str:
    for name, unit_s in (("day", _DAY_S), ("hour", _HOUR_S), ("minute", _MINUTE_S)):
        if seconds and seconds % unit_s == 0:
            return f"{seconds // unit_s} {name}{'s' if seconds != unit_s else ''}"
    return f"{seconds} s"
