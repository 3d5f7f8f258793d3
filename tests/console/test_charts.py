from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from console import charts
from deadletter.outcome import Outcome, RedriveStatus
from tests.rows import make_redrive_row

NOW = datetime(2026, 11, 23, 3, 14, 7, tzinfo=UTC)
HOUR = int(NOW.timestamp() // 3600)


@given(st.lists(st.integers(0, 10**9), max_size=60))
def test_a_sparkline_stays_inside_its_box_and_shows_every_failure(numbers: list[int]) -> None:
    drawn = charts.spark(numbers)
    assert drawn.total == sum(numbers)
    for bar in drawn.bars:
        assert 0 <= bar.x <= charts.SPARK_WIDTH
        assert 0 <= bar.y <= charts.SPARK_HEIGHT
        assert (bar.height >= 1.5) == (bar.n > 0)


@given(st.integers(1, 24 * 400), st.lists(st.tuples(st.integers(-9000, 9000), st.integers(1, 999)), max_size=50))
def test_a_chart_counts_what_lies_in_its_range_and_nothing_else(hours: int, points: list[tuple[int, int]]) -> None:
    since = NOW - timedelta(hours=hours)
    chart = charts.hour_chart([(HOUR + at, n) for at, n in points], since=since, until=NOW)
    first = chart.bars[0].since
    assert first is not None
    first_hour = int(first.timestamp() // 3600)
    assert chart.total == sum(n for at, n in points if first_hour <= HOUR + at <= HOUR)
    assert len(chart.bars) <= 85
    assert all(bar.x + bar.width <= charts.CHART_WIDTH for bar in chart.bars)


def test_the_bars_of_a_chart_cover_its_range_without_gaps() -> None:
    chart = charts.hour_chart([], since=NOW - timedelta(days=14), until=NOW)
    assert chart.hours_per_bar > 1
    for one, next_one in zip(chart.bars, chart.bars[1:], strict=False):
        assert one.until == next_one.since
    assert chart.bars[-1].until is not None
    assert chart.bars[-1].until > NOW


def test_a_chart_names_the_hour_with_the_most_failures() -> None:
    chart = charts.hour_chart([(HOUR - 2, 5), (HOUR - 1, 310)], since=NOW - timedelta(hours=24), until=NOW)
    assert chart.peak is not None
    assert chart.peak.n == 310
    assert chart.peak.since == datetime(2026, 11, 23, 2, tzinfo=UTC)


def test_the_pieces_of_a_redrives_bar_lie_end_to_end() -> None:
    redrive = make_redrive_row(
        status=RedriveStatus.RUNNING, planned=100, waiting=30, sent=10, succeeded=40, failed_again=5, skipped=15
    )
    pieces = charts.progress(redrive)
    assert [piece.outcome for piece in pieces] == [
        Outcome.SUCCEEDED,
        Outcome.FAILED_AGAIN,
        Outcome.SENT,
        Outcome.SKIPPED,
    ]
    assert [piece.x for piece in pieces] == [0, 400, 450, 550]
    assert sum(piece.width for piece in pieces) == 700
