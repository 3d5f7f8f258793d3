"""Whom a plan reaches that sends to a bus or a topic: read when it is planned, and kept with it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine

from deadletter.errors import LookupRefused
from deadletter.event import TargetKind, TargetRef
from deadletter.ports import Rule
from deadletter.store import write
from tests.factories import make_parsed, store_some
from tests.store.redriving import plan

BUS = TargetRef(TargetKind.EVENTBRIDGE, "arn:aws:events:eu-west-1:123456789012:event-bus/shop")
TOPIC = TargetRef(TargetKind.SNS, "arn:aws:sns:eu-west-1:123456789012:orders")
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:audit"


@dataclass
class FakeListeners:
    """A bus and a topic with those who listen to them; what was asked is kept."""

    all_rules: Sequence[Rule] = ()
    error: Exception | None = None
    asked: list[str] = field(default_factory=list)

    def rules(self, bus_arn: str) -> Sequence[Rule]:
        self.asked.append(bus_arn)
        if self.error:
            raise self.error
        return self.all_rules

    def targets(self, bus_arn: str, rule: str) -> Sequence[str]:
        assert bus_arn == BUS.arn
        self.asked.append(rule)
        return [QUEUE]

    def subscribers(self, topic_arn: str) -> Sequence[str]:
        self.asked.append(topic_arn)
        return [QUEUE, "ada@shop.example"]


def rule(name: str, pattern: object, *, off: bool = False) -> Rule:
    return Rule(name, json.dumps(pattern), off=off)


RULES = [
    rule("all", {"source": ["shop"]}),
    rule("large", {"detail": {"total": [{"numeric": [">", 1]}]}}),
    rule("odd", {"source": [{"sounds-like": "shop"}]}),
    rule("off", {"source": ["shop"]}, off=True),
    rule("refunds", {"detail-type": ["Refund"]}),
    Rule("nightly", None),
]


def store_orders(engine: Engine, count: int) -> None:
    events = ({"source": "shop", "detail-type": "Order", "detail": {"total": n}} for n in range(count))
    with write(engine) as session:
        store_some(session, *(make_parsed(payload_text=json.dumps(event)) for event in events))


def reach(engine: Engine, target: TargetRef, listeners: FakeListeners, **given: Any) -> dict[str, Any]:
    (line,) = plan(engine, target=target, listeners=listeners, **given).targets
    return dict(line["reach"])


def test_a_plan_to_a_bus_says_which_rules_match_its_events_and_whom_they_hand_them_to(engine: Engine) -> None:
    store_orders(engine, 3)
    listeners = FakeListeners(RULES)
    found = reach(engine, BUS, listeners)

    told = {each["name"]: (each["matched"], each["unsure"], each["targets"]) for each in found["reached"]}
    assert told == {"all": (3, 0, [QUEUE]), "large": (1, 0, [QUEUE]), "odd": (0, 3, [QUEUE])}
    assert (found["looked"], found["others"], found["error"]) == (3, 2, None)
    assert listeners.asked == [BUS.arn, "all", "large", "odd"]


def test_what_may_not_be_read_is_said(engine: Engine) -> None:
    store_orders(engine, 1)
    found = reach(engine, BUS, FakeListeners(error=LookupRefused("The permission events:ListRules is missing.")))
    assert (found["reached"], found["error"]) == ([], "The permission events:ListRules is missing.")


def test_a_plan_to_a_topic_names_its_subscribers(engine: Engine) -> None:
    store_orders(engine, 1)
    found = reach(engine, TOPIC, FakeListeners())
    assert [each["targets"] for each in found["reached"]] == [[QUEUE], ["ada@shop.example"]]


def test_nobody_is_asked_for_a_plan_that_reaches_only_the_one_that_failed(engine: Engine) -> None:
    store_orders(engine, 1)
    listeners = FakeListeners()
    (line,) = plan(engine, listeners=listeners).targets
    assert "reach" not in line
    assert listeners.asked == []


def test_more_rules_than_are_read_are_said_and_none_is_named(engine: Engine) -> None:
    store_orders(engine, 1)
    listeners = FakeListeners([rule(f"r{n}", {"source": ["shop"]}) for n in range(51)])
    found = reach(engine, BUS, listeners)
    assert found["reached"] == []
    assert found["error"].startswith("51 of its rules match")
