"""The input transformations of rules, with the examples of AWS's guide."""

import json

import pytest

from deadletter.errors import TargetRefused
from deadletter.event import TargetKind, TargetRef
from deadletter.route import Route
from deadletter.transform import transform

FUNCTION = TargetRef(TargetKind.LAMBDA, "arn:aws:lambda:eu-west-1:123456789012:function:notify")
RULE = "arn:aws:events:eu-west-1:123456789012:rule/shop/changes"
EVENT = """{"version": "0", "id": "7bf73129", "detail-type": "EC2 Instance State-change Notification",
 "source": "aws.ec2", "time": "2015-11-11T21:29:54Z", "resources": ["arn:aws:ec2:us-east-1:1:instance/i-abcd1111"],
 "detail": {"instance-id": "i-0123456789", "state": "RUNNING", "n": 3, "tags": {"a b": "\\"x\\""}}}"""


def made(**route: object) -> str:
    return transform(EVENT, Route(target=FUNCTION, **route), rule_arn=RULE, ingested_at="2015-11-11T21:29:54Z")  # type: ignore[arg-type]


def test_without_a_transformation_the_text_is_not_touched() -> None:
    assert made() == EVENT
    assert made(input_path="$") == EVENT


def test_a_constant_takes_the_events_place() -> None:
    assert made(input='{"a": 1.0}') == '{"a": 1.0}'


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$.detail.state", "RUNNING"),
        ("$.detail", {"instance-id": "i-0123456789", "state": "RUNNING", "n": 3, "tags": {"a b": '"x"'}}),
        ("$.resources[0]", "arn:aws:ec2:us-east-1:1:instance/i-abcd1111"),
        ("$['detail-type']", "EC2 Instance State-change Notification"),
        ("$.detail.tags['a b']", '"x"'),
        ("$.detail.missing", None),
        ("$.resources[7]", None),
    ],
)
def test_a_path_takes_a_part(path: str, found: object) -> None:
    assert json.loads(made(input_path=path)) == found


@pytest.mark.parametrize("path", ["$..state", "$.resources[*]", "detail", "$.detail[?(@.n)]"])
def test_a_path_that_we_cannot_follow_is_refused_and_not_guessed(path: str) -> None:
    with pytest.raises(TargetRefused, match="cannot follow"):
        made(input_path=path)


PATHS = {"instance": "$.detail.instance-id", "state": "$.detail.state", "n": "$.detail.n", "none": "$.detail.x"}


@pytest.mark.parametrize(
    ("template", "gives"),
    [
        ('"<instance> is in state <state>"', "i-0123456789 is in state RUNNING"),
        ('{"instance": <instance>, "state": <state>}', {"instance": "i-0123456789", "state": "RUNNING"}),
        ('{"instance": "<instance>", "n": <n>}', {"instance": "i-0123456789", "n": 3}),
        ('{"text": "n is <n>, none is <none>"}', {"text": "n is 3, none is "}),
        ("<state>", "RUNNING"),
        ("The instance <instance> is <state>", "The instance i-0123456789 is RUNNING"),
        ('{"rule": <aws.events.rule-arn>, "name": "<aws.events.rule-name>"}', {"rule": RULE, "name": "changes"}),
        ('{"at": <aws.events.event.ingestion-time>}', {"at": "2015-11-11T21:29:54Z"}),
        ('{"all": <aws.events.event.json>}', {"all": json.loads(EVENT)}),
    ],
)
def test_a_template_is_filled_as_aws_fills_it(template: str, gives: object) -> None:
    assert json.loads(made(template=template, paths=PATHS)) == gives


def test_a_value_cannot_break_out_of_its_place() -> None:
    paths = {"tag": "$.detail.tags['a b']"}
    assert json.loads(made(template='{"t": "<tag>", "u": <tag>}', paths=paths)) == {"t": '"x"', "u": '"x"'}


def test_what_is_no_json_object_cannot_be_transformed() -> None:
    with pytest.raises(TargetRefused, match="no JSON object"):
        transform("[1]", Route(target=FUNCTION, input_path="$.a"), rule_arn=RULE, ingested_at="")
