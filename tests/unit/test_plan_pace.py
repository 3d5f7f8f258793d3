from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from deadletter.store.redrives.pace import LONGEST_PAUSE_S, pause_s, take_turns

START = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


def simulate(rate: float, rests_s: list[float], *, most: int = 1_000) -> list[tuple[float, int]]:
    """Claim after each rest; return when, in seconds from the start, how many went."""
    now_s, next_send_at, sent = 0.0, None, []
    for rest_s in rests_s:
        now_s += rest_s
        turns = take_turns(next_send_at, START + timedelta(seconds=now_s), rate=rate, most=most)
        if turns.n:
            next_send_at = turns.after(turns.n)
            sent.append((now_s, turns.n))
    return sent


def busiest_second(sent: list[tuple[float, int]]) -> int:
    return max(sum(n for at, n in sent if start <= at < start + 1) for start, _ in sent)


rests = st.lists(st.floats(0.0, 0.5), min_size=1, max_size=120)


@given(st.sampled_from([10.0, 20.0, 50.0, 200.0, 500.0]), rests)
def test_no_second_sees_more_than_a_tenth_above_the_rate_whenever_workers_come(
    rate: float, rests_s: list[float]
) -> None:
    assert busiest_second(simulate(rate, rests_s)) <= rate * 1.1 + 1e-6


@given(st.sampled_from([20.0, 50.0, 200.0, 500.0]), st.lists(st.floats(0.001, 0.04), min_size=400, max_size=400))
def test_the_mean_rate_is_the_one_asked_for_when_workers_come_a_little_late(rate: float, rests_s: list[float]) -> None:
    sent = simulate(rate, rests_s)

    expected = sum(rests_s) * rate
    assert abs(sum(n for _, n in sent) - expected) <= max(0.02 * expected, rate * 0.1 + 1)


def test_the_first_event_goes_at_once() -> None:
    assert take_turns(None, START, rate=0.5, most=100).n == 1


def test_before_its_time_nothing_goes() -> None:
    assert take_turns(START + timedelta(seconds=1), START, rate=0.5, most=100).n == 0


def test_a_long_silence_is_not_made_up_for() -> None:
    assert take_turns(START, START + timedelta(hours=1), rate=50.0, most=1_000).n <= 5


def test_turns_that_were_not_used_stay() -> None:
    turns = take_turns(START, START + timedelta(seconds=0.05), rate=100.0, most=1_000)

    assert turns.n == 6
    assert turns.after(2) == turns.since + timedelta(seconds=0.02)


@given(st.integers(1, 60), st.floats(0, 1))
def test_pauses_double_up_to_a_minute_and_half_of_each_is_at_random(times: int, jitter: float) -> None:
    longest = min(LONGEST_PAUSE_S, 0.5 * 2.0**times)

    assert longest / 2 <= pause_s(times, None, jitter) <= longest


def test_a_pause_is_never_shorter_than_the_target_asked_for() -> None:
    assert pause_s(1, 90.0, 0.0) == 90.0
