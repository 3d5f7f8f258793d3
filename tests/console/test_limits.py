"""A plan against its targets' own limits, in sentences."""

from __future__ import annotations

import pytest

from console.limits import limit_sentences
from deadletter.store.redrives.lanes import TargetLimits
from tests.rows import make_redrive_row

FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:orders-capture"
FIFO = "arn:aws:sqs:eu-west-1:123456789012:orders.fifo"


def say(limits: TargetLimits, *, kind: str = "lambda") -> str:
    line = {"kind": kind, "arn": limits.arn, "count": 600, "why": "the record names it", "invocation": None}
    (sentence,) = limit_sentences(make_redrive_row(targets=[line], share=0.5), {limits.arn: limits})
    return sentence


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        (TargetLimits(FUNCTION, read=False), "not read yet"),
        (TargetLimits(FUNCTION, read=True), "could not be read (lambda:GetFunctionConfiguration"),
        (TargetLimits(FUNCTION, read=True, timeout_s=30.0), "shares the account's"),
        (TargetLimits(FUNCTION, read=True, timeout_s=30.0, reserved_concurrency=0), "switched off"),
        (TargetLimits(FUNCTION, read=True, timeout_s=30.0, reserved_concurrency=40), "at most 20 events of redrives"),
    ],
)
def test_a_function_says_what_its_limits_do_to_the_plan(limits: TargetLimits, says: str) -> None:
    assert says in say(limits)


def test_the_longest_that_it_can_take_follows_from_timeout_and_share() -> None:
    assert "takes 15 min if" in say(TargetLimits(FUNCTION, read=True, timeout_s=30.0, reserved_concurrency=40))


def test_a_fifo_queue_has_a_limit_that_everybody_knows() -> None:
    assert "300 calls of ten" in say(TargetLimits(FIFO, read=False), kind="sqs")
