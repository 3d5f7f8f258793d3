"""Who writes failures where, and how we know: one function for each kind of producer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from deadletter.discovery.account import Account, Function, SourceMapping, service_of, short_name
from deadletter.event import FUNCTION_ARN, QUEUE_ARN, Producer, TargetKind, TargetRef, name_of

SILENT = frozenset({Producer.LAMBDA_ASYNC_DLQ, Producer.SNS_SUBSCRIPTION, Producer.PIPES})
"""Producers whose records do not name the consumer that failed."""

STREAMS = {"kinesis": Producer.KINESIS_ESM, "dynamodb": Producer.DYNAMODB_ESM}


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Somebody who leaves failures in a place.

    `arn` is what was set up so (a function, a queue, a subscription, a rule, ...), `how` the sentence that says by
    what. `target` is the consumer that failed, None where a redrive cannot send to it. `role_id` is that of the role
    that it writes with, where it is known.
    """

    producer: Producer
    arn: str
    how: str
    target: TargetRef | None
    role_id: str | None = None


Written = Iterator[tuple[str, Writer]]
"""Pairs of a place's ARN and one who writes there."""


def writers_of(account: Account) -> Written:
    """Yield every place with everyone who writes there; what a topic gets, its subscribed queues get too."""
    for place, writer in _direct(account):
        yield place, writer
        for subscription in account.subscriptions:
            if subscription.topic_arn == place and subscription.protocol == "sqs" and subscription.endpoint:
                how = f"{writer.how.rstrip('.')}, and the topic {name_of(place)} passes it on."
                yield subscription.endpoint, replace(writer, how=how, role_id=None)  # the topic is the sender


def target_of(arn: str | None) -> TargetRef | None:
    """Return what a redrive can send to under that ARN; None for anything but a function or a queue."""
    if arn and FUNCTION_ARN.fullmatch(arn):
        return TargetRef(TargetKind.LAMBDA, arn)
    return TargetRef(TargetKind.SQS, arn) if arn and QUEUE_ARN.fullmatch(arn) else None


def _direct(account: Account) -> Written:
    for function in account.functions:
        yield from _function(function)
    for mapping in account.mappings:
        yield from _mapping(mapping)
    yield from _queues(account)
    yield from _subscriptions(account)
    yield from _eventbridge(account)


def _function(function: Function) -> Written:
    name, target = name_of(function.arn), target_of(function.arn)
    if function.dead_letter_arn:
        how = f"It is the dead-letter target of the function {name}."
        producer, role_id = Producer.LAMBDA_ASYNC_DLQ, function.role_id
        writer = Writer(producer=producer, arn=function.arn, how=how, target=target, role_id=role_id)
        yield function.dead_letter_arn, writer
    for config in function.invoke_configs or ():
        if config.on_failure_arn:
            how = f"It is the on-failure destination of the function {name}:{config.qualifier}."
            arn = f"{function.arn}:{config.qualifier}"
            writer = Writer(producer=Producer.LAMBDA_DESTINATION, arn=arn, how=how, target=target)
            yield config.on_failure_arn, writer


def _mapping(mapping: SourceMapping) -> Written:
    if mapping.on_failure_arn:
        producer = STREAMS.get(service_of(mapping.source_arn), Producer.KAFKA_ESM)
        stream = mapping.source_arn or "a self-managed Kafka"
        how = f"It is the on-failure destination of the mapping {mapping.uuid}, which reads {stream}."
        target = target_of(mapping.function_arn)
        yield mapping.on_failure_arn, Writer(producer=producer, arn=mapping.function_arn, how=how, target=target)


def _queues(account: Account) -> Written:
    for queue in account.queues:
        if queue.dead_letter_arn:
            how = f"The redrive policy of the queue {name_of(queue.arn)} names it."
            target = target_of(queue.arn)
            yield queue.dead_letter_arn, Writer(producer=Producer.SQS_REDRIVE, arn=queue.arn, how=how, target=target)


def _subscriptions(account: Account) -> Written:
    for each in account.subscriptions:
        if each.dead_letter_arn:
            how = f"The redrive policy of a subscription to {name_of(each.topic_arn or '')} names it."
            target = target_of(each.endpoint) if each.protocol in {"lambda", "sqs"} else None
            yield each.dead_letter_arn, Writer(producer=Producer.SNS_SUBSCRIPTION, arn=each.arn, how=how, target=target)


def _eventbridge(account: Account) -> Written:
    """Yield who writes by EventBridge: rules, schedules and pipes."""
    rules, schedules, pipes = account.rule_targets, account.schedules, account.pipes
    named = (
        *((Producer.EVENTBRIDGE_RULE, "rule", each.rule_arn, each.arn, each.dead_letter_arn) for each in rules),
        *((Producer.SCHEDULER, "schedule", each.arn, each.target_arn, each.dead_letter_arn) for each in schedules),
        *((Producer.PIPES, "pipe", each.arn, each.target_arn, each.dead_letter_arn) for each in pipes),
    )
    for producer, kind, arn, target_arn, dead_letter_arn in named:
        if dead_letter_arn:
            goes_to = target_arn or "unknown"
            how = f"It is the dead-letter queue of the {kind} {short_name(arn)}, whose target is {goes_to}."
            yield dead_letter_arn, Writer(producer=producer, arn=arn, how=how, target=target_of(target_arn))
