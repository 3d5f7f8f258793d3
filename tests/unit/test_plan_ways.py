"""What a plan says of the way out: who else gets an event, which account it is in, in which order it arrives."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deadletter.event import Producer, Redrivable, TargetKind, TargetRef
from deadletter.plan import FANS_OUT, Candidate, Place, invocation_of
from tests.unit.test_plan import CAPTURE, NIGHT, QUEUE, make_candidate, plan

FIFO = TargetRef(TargetKind.SQS, "arn:aws:sqs:eu-west-1:123456789012:orders.fifo")
TOPIC = TargetRef(TargetKind.SNS, "arn:aws:sns:eu-west-1:123456789012:orders")
BUS = TargetRef(TargetKind.EVENTBRIDGE, "arn:aws:events:eu-west-1:123456789012:event-bus/shop")


@pytest.mark.parametrize(("target", "word"), [(TOPIC, "every subscriber"), (BUS, "every rule of the bus")])
def test_who_chooses_what_sends_on_is_told_whom_it_reaches(target: TargetRef, word: str) -> None:
    (line,) = plan(make_candidate(), override=target).targets
    assert line.why == "chosen by the operator" + FANS_OUT[target.kind]
    assert word in line.why
    assert line.invocation is None


@pytest.mark.parametrize(
    ("target", "word"),
    [
        (TargetRef(TargetKind.KINESIS, "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks"), "every reader"),
        (TargetRef(TargetKind.STEP_FUNCTIONS, "arn:aws:states:eu-west-1:123456789012:stateMachine:m"), "has begun"),
    ],
)
def test_what_else_is_to_be_known_of_a_stream_and_a_state_machine_is_said(target: TargetRef, word: str) -> None:
    (line,) = plan(make_candidate(producer=Producer.EVENTBRIDGE_RULE, target=target)).targets
    assert line.why.startswith("the rule's target that the record names (TARGET_ARN); ")
    assert word in line.why


@pytest.mark.parametrize(
    ("producer", "invocation"),
    [
        (Producer.KINESIS_ESM, "RequestResponse"),
        (Producer.DYNAMODB_ESM, "RequestResponse"),
        (Producer.KAFKA_ESM, "RequestResponse"),
        (Producer.SQS_REDRIVE, "RequestResponse"),
        (Producer.PIPES, "RequestResponse"),
        (Producer.LAMBDA_ASYNC_DLQ, "Event"),
        (Producer.SNS_SUBSCRIPTION, "Event"),
        (Producer.EVENTBRIDGE_RULE, "Event"),
    ],
)
def test_a_batchs_function_is_always_asked_for_its_answer(producer: Producer, invocation: str) -> None:
    assert invocation_of(producer, "Event") == invocation
    (line,) = plan(make_candidate(producer=producer), invocation="Event").targets
    assert line.invocation == invocation


def skip_of(candidate: Candidate, **given: object) -> str | None:
    return plan(candidate, **given).items[0].skip


def test_a_target_in_another_account_is_refused_unless_that_is_allowed() -> None:
    foreign = make_candidate(account="999999999999")
    assert skip_of(foreign) is None  # nobody asked
    said = skip_of(foreign, accounts=frozenset())
    assert said is not None
    assert said.startswith("Its target is in account 123456789012, and its source is not.")
    assert "REDRIVE_ALLOWED_ACCOUNTS" in said
    assert skip_of(foreign, accounts=frozenset({"123456789012"})) is None
    assert skip_of(replace(foreign, account="123456789012"), accounts=frozenset()) is None
    assert skip_of(replace(foreign, account=""), accounts=frozenset()) is not None
    assert skip_of(foreign, override=QUEUE, accounts=frozenset()) is not None


@pytest.mark.parametrize("producer", Producer)
def test_only_what_holds_its_event_can_be_sent_before_it_is_looked_up(producer: Producer) -> None:
    waiting = make_candidate(producer=producer, redrivable=Redrivable.REFETCH, reason="Being looked up.")
    holds = producer in {Producer.SNS_SUBSCRIPTION, Producer.EVENTBRIDGE_RULE, Producer.SCHEDULER}
    assert skip_of(waiting) == "Being looked up."
    assert skip_of(waiting, override=CAPTURE) == (None if holds else "Being looked up.")
    assert skip_of(replace(waiting, truncated=True), override=CAPTURE) == skip_of(
        waiting, override=None if producer is Producer.SCHEDULER else CAPTURE
    )


places = st.builds(Place, st.sampled_from("ab"), st.integers(0, 2**128 - 1).map(str))


@given(st.lists(st.tuples(places, st.integers(0, 2)), max_size=12))
def test_a_groups_events_are_sent_in_the_order_that_their_keys_say(given_places: list[tuple[Place, int]]) -> None:
    chosen = [
        make_candidate(n, place=place, occurred_at=NIGHT + timedelta(milliseconds=late), target=FIFO)
        for n, (place, late) in enumerate(given_places, 1)
    ]
    items = plan(*chosen).items
    for group in {item.message_group for item in items}:
        orders = [item.message_order or "" for item in items if item.message_group == group]
        assert orders == sorted(orders)
        assert len(set(orders)) == len(orders)
    numbered = [(late, int(place.number)) for place, late in given_places]
    assert [(numbered[item.event_id - 1]) for item in items] == sorted(numbered)


def test_order_is_free_where_no_queue_keeps_it() -> None:
    place = Place("a", "7")
    assert plan(make_candidate(place=place)).items[0].message_group is None
    assert plan(make_candidate(), override=FIFO).items[0].message_group is None
    assert plan(make_candidate(place=place), override=FIFO).items[0].message_group == f"{FIFO.arn} a"
