"""What an account's listings show that a redrive could send to. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from deadletter.discovery.account import Account
from deadletter.event import BUS_ARN, DATA_STREAM_ARN, FUNCTION_ARN, QUEUE_ARN, STATE_MACHINE_ARN, TOPIC_ARN

_KINDS = (FUNCTION_ARN, QUEUE_ARN, TOPIC_ARN, BUS_ARN, DATA_STREAM_ARN, STATE_MACHINE_ARN)


def targets_of(account: Account) -> frozenset[str]:
    """Return the ARNs of all that a redrive could send to and that the account has, or delivers to."""
    return frozenset(arn for arn in _arns(account) if arn and any(kind.fullmatch(arn) for kind in _KINDS))


def _arns(account: Account) -> Iterator[str | None]:
    yield from (function.arn for function in account.functions)
    yield from (queue.arn for queue in account.queues)
    yield from (target.arn for target in account.rule_targets)
    yield from (mapping.function_arn for mapping in account.mappings)
    for subscription in account.subscriptions:
        yield from (subscription.topic_arn, subscription.endpoint)
    yield from (schedule.target_arn for schedule in account.schedules)
    yield from (pipe.target_arn for pipe in account.pipes)
