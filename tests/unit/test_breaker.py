"""The breaker: never more than a step without outcomes, and never on after what must stop it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deadletter.breaker import SAME_CAUSE, WINDOW, Seen, Stage, Standing, Step, Trip, decide, first_step, remember

letters = st.text(st.sampled_from([seen.value for seen in Seen]), max_size=WINDOW)


def standing(recent: str = "", **given_facts: Any) -> Standing:
    facts = {"stage": Stage.CANARY, "step": 5, "max_failures": 0.2, "rate": 50.0, "waiting": 1_995}
    return Standing(recent=recent, **facts | given_facts)


def simulate(fate: str, *, canary: int, rate: float, max_failures: float = 0.2) -> tuple[int, Trip | None]:
    """Send events that end as *fate* says, step by step; return how many were sent, and the trip."""
    step, recent, sent = first_step(canary, len(fate)), "", 0
    while sent < len(fate):
        size = step.size or max(1, int(rate))
        recent = remember(recent, fate[sent : sent + size])
        sent = min(len(fate), sent + size)
        decision = decide(
            Standing(
                stage=step.stage,
                step=step.size,
                recent=recent,
                max_failures=max_failures,
                rate=rate,
                waiting=len(fate) - sent,
                at_rest=True,
            )
        )
        if isinstance(decision, Trip):
            return sent, decision
        step = decision or step
    return sent, None


@given(st.integers(1, 50), st.floats(1, 2_000))
def test_a_wrong_fix_is_found_by_the_canary_alone(canary: int, rate: float) -> None:
    sent, trip = simulate("F" * 2_000, canary=canary, rate=rate)

    assert trip is not None
    assert sent == canary


@given(st.integers(1, 50), st.floats(1, 2_000))
def test_a_fix_that_helps_only_the_canary_is_found_by_the_first_step_of_the_ramp(canary: int, rate: float) -> None:
    sent, trip = simulate("s" * canary + "F" * 2_000, canary=canary, rate=rate)

    assert trip is not None
    assert sent <= canary + 2 * canary


@given(letters, st.sampled_from(Stage), st.booleans())
def test_what_all_succeeded_never_trips(recent: str, stage: Stage, at_rest: bool) -> None:  # noqa: FBT001 - Hypothesis'
    assert not isinstance(decide(standing("s" * len(recent), stage=stage, at_rest=at_rest)), Trip)


@given(letters, st.sampled_from(Stage), st.booleans(), st.floats(0.01, 1.0))
def test_it_goes_on_only_with_every_outcome_known_and_few_enough_failures(
    recent: str,
    stage: Stage,
    at_rest: bool,  # noqa: FBT001 - Hypothesis'
    max_failures: float,
) -> None:
    decision = decide(standing(recent, stage=stage, at_rest=at_rest, max_failures=max_failures))

    if isinstance(decision, Step):
        assert at_rest
        assert stage is not Stage.FULL
        assert max_failures == 1 or (len(recent) - recent.count("s")) <= max_failures * len(recent)
        assert max_failures == 1 or recent.count("F") < SAME_CAUSE


@given(st.integers(1, 100), st.floats(0.01, 10_000))
def test_the_ramp_doubles_until_a_step_is_a_second_at_the_full_rate(canary: int, rate: float) -> None:
    sizes, step = [], Step(Stage.CANARY, canary)
    while step.stage is not Stage.FULL:
        sizes.append(step.size)
        after = decide(standing("s" * 5, stage=step.stage, step=step.size, rate=rate, at_rest=True))
        assert isinstance(after, Step)
        step = after

    assert sizes[1:] == [canary * 2**n for n in range(1, len(sizes))]
    assert len(sizes) >= 2
    assert all(size < rate for size in sizes[2:])


@pytest.mark.parametrize(
    ("recent", "facts", "says"),
    [
        ("ssFFF", {}, "Of the last 5 outcomes, 3 did not succeed (60%, and at most 20% may): 3 failed with the same"),
        ("s" * 40 + "FFF", {"stage": Stage.FULL}, "The same cause came back: of the last 43 outcomes, 3 failed"),
        ("f", {"at_rest": True, "step": 1}, "Of the last 1 outcome, 1 did not succeed"),
        ("ssurf", {}, "1 failed with another cause, 1 unknown, 1 refused by the target."),
        ("", {"throttled_s": 301.0}, "took nothing for 5 minutes"),
    ],
)
def test_a_trip_says_what_was_seen(recent: str, facts: dict[str, Any], says: str) -> None:
    decision = decide(standing(recent, **facts))

    assert isinstance(decision, Trip)
    assert says in decision.reason


def test_a_failure_or_two_of_many_do_not_trip_it() -> None:
    assert decide(standing("ssssf", at_rest=True)) == Step(Stage.RAMP, 10)
    assert decide(standing("s" * 45 + "FfffF", stage=Stage.FULL)) is None


def test_with_everything_sent_there_is_nothing_to_stop() -> None:
    assert decide(standing("FFFFF", waiting=0, at_rest=True)) is None


def test_switched_off_it_never_trips_by_outcomes() -> None:
    assert decide(standing("FFFFF", max_failures=1.0)) is None


def test_without_a_canary_it_begins_at_the_full_rate() -> None:
    assert first_step(0, 100) == Step(Stage.FULL, 0)
    assert first_step(5, 3) == Step(Stage.CANARY, 3)
