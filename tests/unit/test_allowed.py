"""Which targets may be sent to: what fits, and all that only looks as if it did."""

import pytest

from deadletter.allowed import AllowList, read_patterns
from deadletter.discovery.account import (
    Account,
    Function,
    Pipe,
    Queue,
    RuleTarget,
    Schedule,
    SourceMapping,
    Subscription,
)
from deadletter.discovery.targets import targets_of
from deadletter.errors import BadInput
from deadletter.event import Producer

FUNCTION = "arn:aws:lambda:eu-west-1:111122223333:function:orders-capture"
QUEUE = "arn:aws:sqs:eu-west-1:111122223333:orders"

STRANGERS = {
    "another account": FUNCTION.replace("111122223333", "444455556666"),
    "another Region": FUNCTION.replace("eu-west-1", "us-east-1"),
    "another partition": FUNCTION.replace("arn:aws:", "arn:aws-cn:"),
    "another service": FUNCTION.replace(":lambda:", ":sqs:"),
    "a name that goes on": FUNCTION + "-2",
    "a name that begins earlier": FUNCTION.replace("orders", "my-orders"),
    "a name in other letters": FUNCTION.replace("orders", "Orders"),
    "a name with a letter that looks alike": FUNCTION.replace("orders", "оrders"),  # noqa: RUF001 - Cyrillic
    "a qualifier behind a qualifier": FUNCTION + ":live:live",
    "a line more": FUNCTION + "\n",
    "an address": "https://169.254.169.254/latest/meta-data/",
    "nothing": "",
}


@pytest.mark.parametrize("arn", STRANGERS.values(), ids=STRANGERS)
def test_what_only_looks_like_a_known_target_is_refused(arn: str) -> None:
    known = AllowList(frozenset({FUNCTION}), ("arn:aws:lambda:eu-west-1:111122223333:function:orders-capture",))
    assert known.allows(FUNCTION)
    assert not known.allows(arn)
    assert "REDRIVE_ALLOWED_TARGETS" in (known.why_not(arn) or "")


def test_a_function_is_known_with_its_versions_and_one_of_those_only_as_itself() -> None:
    assert AllowList(frozenset({FUNCTION})).allows(f"{FUNCTION}:live")
    assert AllowList(frozenset({f"{FUNCTION}:live"})).allows(f"{FUNCTION}:live")
    assert not AllowList(frozenset({f"{FUNCTION}:live"})).allows(f"{FUNCTION}:7")


def test_a_star_reaches_into_no_other_account_or_region() -> None:
    ours = AllowList(patterns=("arn:aws:lambda:*:111122223333:function:orders-*",))
    assert ours.allows(STRANGERS["another Region"])
    assert not ours.allows(STRANGERS["another account"])
    greedy = "arn:aws:lambda:eu-west-1:444455556666:function:x:111122223333:function:orders-capture"
    assert not ours.allows(greedy)
    assert AllowList(patterns=("*",)).allows(greedy)


def test_what_sqs_itself_names_needs_no_list_and_what_a_record_names_does() -> None:
    nothing = AllowList()
    assert nothing.why_not(QUEUE, Producer.SQS_REDRIVE) is None
    assert "Records can name anybody's function" in (nothing.why_not(FUNCTION, Producer.LAMBDA_DESTINATION) or "")
    assert nothing.why_not(QUEUE) is not None


@pytest.mark.parametrize("text", ["orders-*", "arn:aws:lambda", "arn:aws:lambda:*:*:f[ab]", "https://x.example", "**"])
def test_a_pattern_that_is_none_is_refused_when_the_settings_are_read(text: str) -> None:
    with pytest.raises(BadInput, match=r"REDRIVE_ALLOWED_TARGETS has .* which is no ARN"):
        read_patterns([text], "REDRIVE_ALLOWED_TARGETS")


def test_a_discovery_shows_what_the_account_has_and_delivers_to() -> None:
    def arn(service: str, name: str) -> str:
        return f"arn:aws:{service}:eu-west-1:111122223333:{name}"

    found = targets_of(
        Account(
            functions=(Function(arn=FUNCTION),),
            queues=(Queue(arn=QUEUE),),
            mappings=(SourceMapping(uuid="m", function_arn=f"{FUNCTION}:live"),),
            subscriptions=(Subscription(arn="s", topic_arn=arn("sns", "t"), protocol="email", endpoint="a@b.example"),),
            rule_targets=(
                RuleTarget(rule_arn="r", arn=arn("states", "stateMachine:x")),
                RuleTarget(rule_arn="r", arn=arn("ecs", "cluster/x")),
            ),
            schedules=(Schedule(arn="c", target_arn=arn("sqs", "due")),),
            pipes=(Pipe(arn="p", target_arn=None),),
        )
    )
    assert found == {
        FUNCTION,
        QUEUE,
        f"{FUNCTION}:live",
        arn("sns", "t"),
        arn("sqs", "due"),
        arn("states", "stateMachine:x"),
    }
