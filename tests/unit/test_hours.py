"""Hours to stay in, and the moment to start at."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deadletter.errors import BadInput
from deadletter.hours import Window, read_moment

NIGHT = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
clocks = st.times().map(lambda at: at.replace(second=0, microsecond=0))
moments = st.integers(0, 365 * 24 * 60).map(
    lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)
zones = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"])


@given(clocks, clocks, zones)
def test_a_window_is_read_as_it_is_written(opens: time, closes: time, zone: str) -> None:
    if opens != closes:
        window = Window(opens, closes, zone)
        assert Window.parse(str(window)) == window


@given(clocks, clocks, zones, moments)
def test_a_closed_window_opens_within_a_day_or_so_and_is_open_then(
    opens: time, closes: time, zone: str, now: datetime
) -> None:
    if opens == closes:
        return
    window = Window(opens, closes, zone)
    opening = window.next_opening(now)

    if opening is not None:
        assert now < opening <= now + timedelta(hours=49)  # a day, and what a change of clocks may add or skip


def test_a_window_over_midnight_is_open_on_both_sides_of_it() -> None:
    window = Window.parse("22:00-06:00")

    assert window.next_opening(NIGHT) is None
    assert window.next_opening(NIGHT.replace(hour=12)) == NIGHT.replace(hour=22)
    assert window.next_opening(NIGHT.replace(hour=23)) is None


def test_a_zone_moves_the_window() -> None:
    window = Window.parse("02:00 - 05:00 America/New_York")  # 07:00 to 10:00 UTC in November

    assert str(window) == "02:00-05:00 America/New_York"
    assert window.next_opening(NIGHT) == NIGHT.replace(hour=7)


@pytest.mark.parametrize("text", ["", "22-06", "22:00-22:00", "25:00-06:00", "22:00-06:61", "nightly"])
def test_what_is_no_window_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(BadInput, match="22:00-06:00 Europe/Berlin"):
        Window.parse(text)


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../etc", "Europe"])
def test_a_zone_that_nobody_knows_is_refused(zone: str) -> None:
    with pytest.raises(BadInput, match="Europe/Berlin"):
        Window.parse(f"22:00-06:00 {zone}")


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("04:00", NIGHT.replace(hour=4)),
        ("02:00", NIGHT.replace(day=24, hour=2)),
        ("2026-11-23T05:00", NIGHT.replace(hour=5)),
        ("2026-11-23T05:00+01:00", NIGHT.replace(hour=4)),
    ],
)
def test_a_moment_is_iso_or_the_next_time_of_day(text: str, at: datetime) -> None:
    assert read_moment(text, now=NIGHT) == at


def test_a_moment_that_is_past_or_none_is_refused() -> None:
    with pytest.raises(BadInput, match="is past"):
        read_moment("2026-11-22T05:00", now=NIGHT)
    with pytest.raises(BadInput, match="is not a time"):
        read_moment("tonight", now=NIGHT)
