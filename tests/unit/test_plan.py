from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deadletter.event import Producer, Redrivable, TargetKind, TargetRef
from deadletter.outcome import EventStatus
from deadletter.plan import Candidate, RedrivePlan, plan_redrive

NIGHT = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
CAPTURE = TargetRef(TargetKind.LAMBDA, "arn:aws:lambda:eu-west-1:123456789012:function:orders-capture")
QUEUE = TargetRef(TargetKind.SQS, "arn:aws:sqs:eu-west-1:123456789012:orders-fulfil")


def make_candidate(event_id: int = 1, **given: Any) -> Candidate:
    facts = {"event_id": event_id, "status": EventStatus.UNRESOLVED, "occurred_at": NIGHT, "target": CAPTURE}
    return Candidate(**facts | given)


def plan(*candidates: Candidate, **given: Any) -> RedrivePlan:
    return plan_redrive(candidates, **{"override": None, "rate": 20.0, "invocation": "RequestResponse"} | given)


candidates = st.lists(
    st.builds(
        Candidate,
        event_id=st.integers(1, 10_000),
        status=st.sampled_from(EventStatus),
        occurred_at=st.integers(0, 5).map(lambda hours: NIGHT - timedelta(hours=hours)),
        producer=st.sampled_from(Producer),
        redrive_id=st.none() | st.integers(1, 3),
        redrivable=st.sampled_from(Redrivable),
        reason=st.none() | st.just("It says no."),
        target=st.none() | st.sampled_from([CAPTURE, QUEUE]),
        by_id=st.booleans(),
        payload_is_json=st.booleans(),
    ),
    max_size=12,
    unique_by=lambda candidate: candidate.event_id,
)


@given(candidates, st.randoms(), st.sampled_from([None, CAPTURE, QUEUE]))
def test_a_plan_does_not_depend_on_the_order_of_what_was_chosen(
    chosen: list[Candidate], random: Any, override: TargetRef | None
) -> None:
    shuffled = list(chosen)
    random.shuffle(shuffled)

    assert plan(*shuffled, override=override) == plan(*chosen, override=override)


@given(candidates, st.sampled_from([None, CAPTURE, QUEUE]))
def test_every_chosen_event_is_in_the_plan_once_and_is_either_sent_somewhere_or_skipped_for_a_reason(
    chosen: list[Candidate], override: TargetRef | None
) -> None:
    made = plan(*chosen, override=override)

    assert sorted(item.event_id for item in made.items) == sorted(candidate.event_id for candidate in chosen)
    assert all(item.skip or item.target for item in made.items)
    assert all(item.skip is None or item.skip.endswith(".") for item in made.items)
    assert made.count == sum(item.skip is None for item in made.items)


@given(candidates)
def test_only_events_that_nothing_else_claims_are_sent(chosen: list[Candidate]) -> None:
    by_id = {candidate.event_id: candidate for candidate in chosen}

    for item in plan(*chosen).items:
        candidate = by_id[item.event_id]
        if item.skip is None:
            assert candidate.redrive_id is None
            assert candidate.status is EventStatus.UNRESOLVED or (
                candidate.status is EventStatus.ARCHIVED and candidate.by_id
            )
            assert candidate.redrivable is Redrivable.YES


def test_the_oldest_failure_goes_first() -> None:
    made = plan(make_candidate(1), make_candidate(3, occurred_at=NIGHT - timedelta(hours=2)), make_candidate(2))

    assert [item.event_id for item in made.items] == [3, 1, 2]
    assert made.oldest_at == NIGHT - timedelta(hours=2)


def test_the_oldest_of_a_plan_is_the_oldest_that_is_sent() -> None:
    old = make_candidate(2, occurred_at=NIGHT - timedelta(days=9), status=EventStatus.RESOLVED)

    assert plan(make_candidate(1), old).oldest_at == NIGHT
    assert plan(old).oldest_at is None


@pytest.mark.parametrize(
    ("given_facts", "says"),
    [
        ({"status": EventStatus.REDRIVING, "redrive_id": 41}, "Already in redrive 41."),
        ({"status": EventStatus.RESOLVED}, "Already resolved."),
        ({"status": EventStatus.ARCHIVED}, "Archived."),
        ({"redrivable": Redrivable.NO, "reason": "The record lost its payload."}, "The record lost its payload."),
        ({"redrivable": Redrivable.REFETCH}, "fetched from its stream"),
        ({"target": None}, "Say where"),
        ({"payload_is_json": False}, "not JSON"),
    ],
)
def test_an_event_that_cannot_be_sent_is_skipped_with_the_reason(given_facts: dict[str, Any], says: str) -> None:
    made = plan(make_candidate(**given_facts))

    assert says in (made.items[0].skip or "")
    assert made.count == 0


def test_an_archived_event_is_sent_when_a_person_named_it() -> None:
    assert plan(make_candidate(status=EventStatus.ARCHIVED, by_id=True)).count == 1


def test_a_queue_takes_a_payload_that_is_not_json() -> None:
    assert plan(make_candidate(target=QUEUE, payload_is_json=False)).count == 1


def test_the_summary_says_how_many_go_where_and_why_most_first() -> None:
    made = plan(
        make_candidate(1, target=QUEUE, producer=Producer.SQS_REDRIVE),
        make_candidate(2, producer=Producer.LAMBDA_ASYNC_DLQ),
        make_candidate(3, producer=Producer.LAMBDA_ASYNC_DLQ),
        make_candidate(4, producer=Producer.LAMBDA_DESTINATION),
        make_candidate(5, target=None),
        invocation="Event",
    )

    assert [(line.target, line.count, line.why, line.invocation) for line in made.targets] == [
        (CAPTURE, 2, "the target given for the source", "Event"),
        (CAPTURE, 1, "the function that the record names", "Event"),
        (QUEUE, 1, "the source queue named by each message (DeadLetterQueueSourceArn)", None),
    ]


def test_a_target_that_the_operator_chose_goes_before_all_others() -> None:
    made = plan(make_candidate(1), make_candidate(2, target=None), override=QUEUE)

    assert [(line.target, line.count, line.why) for line in made.targets] == [(QUEUE, 2, "chosen by the operator")]


def test_the_digest_stands_for_what_is_sent_and_how_and_not_for_how_fast() -> None:
    made = plan(make_candidate(1), make_candidate(2))

    assert plan(make_candidate(1), make_candidate(2), rate=500.0).digest == made.digest
    assert plan(make_candidate(1)).digest != made.digest
    assert plan(make_candidate(1), make_candidate(2, target=QUEUE)).digest != made.digest
    assert plan(make_candidate(1), make_candidate(2, status=EventStatus.RESOLVED)).digest != made.digest
    assert plan(make_candidate(1), make_candidate(2), invocation="Event").digest != made.digest


def test_sending_takes_as_long_as_the_rate_makes_it() -> None:
    made = plan(*(make_candidate(n) for n in range(100)), make_candidate(200, target=None), rate=20.0)

    assert made.seconds == 5.0
