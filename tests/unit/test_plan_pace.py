import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deadletter.store.redrives.pace import LONGEST_PAUSE_S, MADE_UP_S, pause_s, take_turns

START = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


def simulate(rate: float, rests_s: Iterable[float], *, most: int = 1_000) -> list[tuple[float, int]]:
    """Claim after each rest; return when, in seconds from the start, how many went."""
    now_s, next_send_at, gone, sent = 0.0, None, None, []
    for rest_s in rests_s:
        now_s += rest_s
        now = START + timedelta(seconds=now_s)
        turns = take_turns(next_send_at, now, rate=rate, most=most, gone=gone)
        if turns.n:
            next_send_at, gone = turns.after(turns.n), turns.gone_after(turns.n)
            sent.append((now_s, turns.n))
    return sent


def busiest_second(sent: list[tuple[float, int]]) -> int:
    return max(sum(n for at, n in sent if start <= at < start + 1) for start, _ in sent)


def busy_machine(seed: int, seconds: float) -> list[float]:
    """Return rests as of a worker that mostly comes every 20 ms, and now and then a third of a second late."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    rests: list[float] = []
    while sum(rests) < seconds:
        rests.append(0.02 + (chance.uniform(0, 0.3) if chance.random() < 0.1 else chance.uniform(0, 0.01)))
    return rests


rates = st.sampled_from([10.0, 20.0, 50.0, 200.0, 500.0])
seeds = st.integers(0, 1_000_000)


@given(rates, seeds, st.floats(0.01, 0.5))
def test_no_second_sees_more_than_a_tenth_above_the_rate_whenever_workers_come(
    rate: float, seed: int, longest_s: float
) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret
    sent = simulate(rate, [chance.uniform(0, longest_s) for _ in range(120)])

    assert busiest_second(sent) <= rate * 1.1 + 1e-6


@pytest.mark.parametrize("rate", [20.0, 50.0, 200.0, 500.0])
@pytest.mark.parametrize("seed", range(3))
def test_the_mean_rate_is_the_one_asked_for_when_workers_come_late(rate: float, seed: int) -> None:
    rests_s = busy_machine(seed, 30.0)
    sent = simulate(rate, rests_s)

    assert sum(n for _, n in sent) / (sum(rests_s) * rate) == pytest.approx(1.0, abs=0.02)
    assert busiest_second(sent) <= rate * 1.1


def test_a_stall_of_two_seconds_is_made_up_for_without_a_burst() -> None:
    sent = simulate(200.0, [0.02] * 100 + [2.0] + [0.02] * 2_500)

    assert sum(n for _, n in sent) == pytest.approx(200.0 * 54, rel=0.005)
    assert busiest_second(sent) <= 220
    assert max(n for _, n in sent) <= 200 * 0.55


@given(seeds)
def test_slow_rates_go_at_their_times(seed: int) -> None:
    sent = simulate(0.5, busy_machine(seed, 20.0))

    assert sum(n for _, n in sent) in {10, 11}


def test_a_clock_that_was_set_back_holds_nothing_up_that_went_after_it() -> None:
    ahead = int((START + timedelta(hours=1)).timestamp() * 1_000)

    assert take_turns(START, START, rate=50.0, most=100, gone=[[ahead, 53]]).n == 1
    assert take_turns(START + timedelta(hours=1), START, rate=50.0, most=100, gone=None).n == 1


def test_a_worker_whose_clock_is_a_little_ahead_does_not_make_others_faster() -> None:
    assert take_turns(START + timedelta(seconds=20), START, rate=50.0, most=100, gone=None).n == 0
    assert take_turns(START + timedelta(seconds=90), START, rate=0.02, most=100, gone=None).n == 0


def test_the_first_event_goes_at_once() -> None:
    assert take_turns(None, START, rate=0.5, most=100, gone=None).n == 1


def test_before_its_time_nothing_goes() -> None:
    assert take_turns(START + timedelta(seconds=1), START, rate=0.5, most=100, gone=None).n == 0


def test_of_a_long_silence_only_its_end_is_made_up_for() -> None:
    turns = take_turns(START, START + timedelta(hours=1), rate=50.0, most=10_000, gone=None)

    assert turns.n <= 27
    assert turns.since == START + timedelta(hours=1, seconds=-MADE_UP_S)


def test_turns_that_were_not_used_stay() -> None:
    turns = take_turns(START, START + timedelta(seconds=0.05), rate=100.0, most=1_000, gone=None)

    assert turns.n == 6
    assert turns.after(2) == turns.since + timedelta(seconds=0.02)


@given(st.integers(1, 60), st.floats(0, 1))
def test_pauses_double_up_to_a_minute_and_half_of_each_is_at_random(times: int, jitter: float) -> None:
    longest = min(LONGEST_PAUSE_S, 0.5 * 2.0**times)

    assert longest / 2 <= pause_s(times, None, jitter) <= longest


def test_a_pause_is_never_shorter_than_the_target_asked_for() -> None:
    assert pause_s(1, 90.0, 0.0) == 90.0
