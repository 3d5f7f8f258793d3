import json
from pathlib import Path

import pytest

from console.policy import (
    COLLECT,
    DELETE_OBJECTS,
    ELSEWHERE,
    FANNING_OUT,
    LIST_OBJECTS,
    OBSERVE,
    READ_OBJECTS,
    REDRIVE,
    policy_of,
)
from deadletter.event import TargetKind
from tests.console.test_empty import make_source

AWS = Path(__file__).parents[2] / "deadletter" / "aws"
CALLS = {
    "sqs_source.py": COLLECT,
    "sqs_target.py": REDRIVE["sqs"],
    "lambda_target.py": REDRIVE["lambda"],
}


@pytest.mark.parametrize("module", CALLS)
def test_the_policy_names_every_call_that_we_make(module: str) -> None:
    code = (AWS / module).read_text()
    for action in CALLS[module]:
        name = action.split(":")[1]
        call = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
        by_method, by_name = f".{call.removesuffix('_function')}" in code, f'"{name}' in code
        assert by_method or by_name, action


def test_every_kind_of_target_has_its_permissions() -> None:
    assert set(REDRIVE | ELSEWHERE | FANNING_OUT) == set(TargetKind)


def test_a_source_without_a_target_asks_for_reading_only() -> None:
    [statement] = json.loads(policy_of(make_source(arn="arn:queue")))["Statement"]
    assert (statement["Action"], statement["Resource"]) == (list(COLLECT), "arn:queue")


def test_a_source_with_a_target_asks_for_sending_there_and_nowhere_else() -> None:
    source = make_source(target_kind="lambda", target_arn="arn:function")
    statements = json.loads(policy_of(source))["Statement"]
    assert [statement["Resource"] for statement in statements] == ["arn", "arn:function"]
    assert "*" not in policy_of(source)


@pytest.mark.parametrize(
    ("given", "allowed"),
    [
        ({"mode": "observe"}, {"arn": OBSERVE}),
        ({"kind": "push"}, {}),
        (
            {"kind": "s3", "mode": "observe", "arn": "arn:aws:s3:::b/aws/lambda/"},
            {"arn:aws:s3:::b": LIST_OBJECTS, "arn:aws:s3:::b/aws/lambda/*": READ_OBJECTS + DELETE_OBJECTS},
        ),
        (
            {"kind": "s3", "mode": "collect", "arn": "arn:aws:s3:::b"},
            {"arn:aws:s3:::b": LIST_OBJECTS, "arn:aws:s3:::b/*": READ_OBJECTS + DELETE_OBJECTS},
        ),
    ],
)
def test_each_kind_and_mode_of_source_asks_for_what_it_needs(
    given: dict[str, str], allowed: dict[str, tuple[str, ...]]
) -> None:
    statements = json.loads(policy_of(make_source(**given)))["Statement"]
    assert {each["Resource"]: tuple(each["Action"]) for each in statements} == allowed
