import pytest

from deadletter import redrive
from deadletter.errors import BadInput
from deadletter.event import TargetKind, TargetRef
from tests.factories import FUNCTION


@pytest.mark.parametrize(
    "arn",
    [
        "",
        "orders",
        "arn:aws:sns:eu-west-1:123456789012:orders:1f2e3d4c",
        "arn:aws:events:eu-west-1:123456789012:rule/orders",
        "arn:aws:sqs:eu-west-1::orders",
        "arn:aws:lambda:eu-west-1:123456789012:layer:x",
        "arn:aws:sqs:eu-west-1:123456789012:or ders\n:x",
        "arn:aws:sqs:eu-west-1:123456789012:../111122223333/theirs",
        "arn:aws:sqs:evil.example/:123456789012:orders",
        "arn:aws:sqs:-:123456789012:orders",
        "arn:aws:sqs:eu-west-1:\u0661\u0662\u0663456789012:orders",
        f"arn:aws:lambda:eu-west-1:123456789012:function:{'x' * 65}",
    ],
)
def test_a_target_is_a_function_or_a_queue(arn: str) -> None:
    with pytest.raises(BadInput, match="is not the ARN of a function or a queue"):
        redrive.parse_target(arn)


def test_a_function_may_carry_its_alias() -> None:
    assert redrive.parse_target(f" {FUNCTION}:live ") == TargetRef(TargetKind.LAMBDA, f"{FUNCTION}:live")


@pytest.mark.parametrize(
    ("arn", "kind"),
    [
        ("arn:aws:sns:eu-west-1:123456789012:orders", TargetKind.SNS),
        ("arn:aws:sns:eu-west-1:123456789012:orders.fifo", TargetKind.SNS),
        ("arn:aws:events:eu-west-1:123456789012:event-bus/shop", TargetKind.EVENTBRIDGE),
    ],
)
def test_a_person_may_choose_what_sends_on(arn: str, kind: TargetKind) -> None:
    assert redrive.parse_target(arn) == TargetRef(kind, arn)
