from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deadletter.discovery import listings
from deadletter.discovery.account import Function, InvokeConfig, Queue, RuleTarget

FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:orders"
DLQ = "arn:aws:sqs:eu-west-1:123456789012:orders-dlq"

READERS: list[Callable[[Any], Any]] = [
    lambda raw: listings.read_function(raw, [raw]),
    listings.read_mapping,
    listings.read_queue,
    lambda raw: listings.read_subscription(raw, raw),
    lambda raw: listings.read_rule_target(raw, raw),
    listings.read_schedule,
    listings.read_pipe,
]
NAMES = [
    "FunctionArn", "DeadLetterConfig", "TargetArn", "DestinationConfig", "OnFailure", "Destination", "RedrivePolicy",
    "MessageRetentionPeriod", "SubscriptionArn", "Arn", "QueueArn", "Target", "SourceParameters",
    "KinesisStreamParameters", "deadLetterTargetArn", "State", "UUID",
]  # fmt: skip
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.sampled_from(["arn:x", "[]", "{", DLQ]),
    lambda part: st.lists(part, max_size=2) | st.dictionaries(st.sampled_from(NAMES), part, max_size=6),
    max_leaves=12,
)


@given(anything, st.sampled_from(READERS))
def test_any_answer_can_be_read(raw: Any, read: Callable[[Any], Any]) -> None:
    found = read(raw)

    assert found is None or all(
        isinstance(getattr(found, name), str) for name in ("arn", "uuid") if hasattr(found, name)
    )


def test_a_function_is_read_with_its_destinations_by_version_and_alias() -> None:
    configs = [
        {"FunctionArn": f"{FUNCTION}:$LATEST", "DestinationConfig": {"OnSuccess": {}, "OnFailure": {}}},
        {"FunctionArn": f"{FUNCTION}:live", "DestinationConfig": {"OnFailure": {"Destination": DLQ}}},
    ]
    raw = {"FunctionArn": FUNCTION, "Role": "arn:aws:iam::1:role/r", "DeadLetterConfig": {"TargetArn": DLQ}}

    assert listings.read_function(raw, configs) == Function(
        arn=FUNCTION,
        role_arn="arn:aws:iam::1:role/r",
        dead_letter_arn=DLQ,
        invoke_configs=(InvokeConfig("$LATEST"), InvokeConfig("live", DLQ)),
    )


def test_configs_that_could_not_be_read_are_not_the_same_as_none_at_all() -> None:
    unread, none = (
        listings.read_function({"FunctionArn": FUNCTION}, None),
        listings.read_function({"FunctionArn": FUNCTION}, []),
    )

    assert unread is not None
    assert none is not None
    assert (unread.invoke_configs, none.invoke_configs) == (None, ())


def test_a_queues_policy_is_json_within_json() -> None:
    attributes = {
        "QueueArn": FUNCTION,
        "RedrivePolicy": f'{{"deadLetterTargetArn":"{DLQ}"}}',
        "MessageRetentionPeriod": "345600",
    }

    assert listings.read_queue(attributes) == Queue(arn=FUNCTION, dead_letter_arn=DLQ, retention_s=345_600)
    assert listings.read_queue({}) is None


@pytest.mark.parametrize(("state", "enabled"), [("ENABLED", True), ("DISABLED", False), (None, True)])
def test_a_rule_that_is_switched_off_is_known_as_such(state: str | None, enabled: bool) -> None:  # noqa: FBT001 - a parameter of the table
    found = listings.read_rule_target({"Arn": "arn:rule", "State": state}, {"Arn": DLQ})

    assert found == RuleTarget(rule_arn="arn:rule", arn=DLQ, enabled=enabled)


def test_a_subscription_that_nobody_confirmed_is_left_out() -> None:
    assert listings.read_subscription({"SubscriptionArn": "PendingConfirmation"}, {}) is None
