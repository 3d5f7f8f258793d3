"""Geometry of the charts, in the units of their view boxes. Pure: numbers in, rectangles out; templates draw them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from deadletter.outcome import Outcome
from deadletter.store.rows import RedriveRow

HOUR = timedelta(hours=1)
SPARK_WIDTH, SPARK_HEIGHT = 136.0, 28.0
CHART_WIDTH, CHART_HEIGHT = 860.0, 120.0
PROGRESS_WIDTH = 1000.0
_LEFT, _FLOOR, _ROOF = 40.0, 100.0, 8.0
_MOST_BARS = 84
_TICKS = 4


@dataclass(frozen=True, slots=True)
class Bar:
    """One rectangle; `n` is what it stands for, `since` and `until` the time it covers (None in a sparkline)."""

    x: float
    y: float
    width: float
    height: float
    n: int
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Tick:
    """One label of the time axis: where it starts, and the time it names."""

    x: float
    at: datetime


@dataclass(frozen=True, slots=True)
class Spark:
    """A sparkline: bars from left (oldest) to right, and the highest number."""

    bars: Sequence[Bar]
    peak: int
    total: int


@dataclass(frozen=True, slots=True)
class HourChart:
    """Failures over time: bars of `hours_per_bar` hours each, the highest bar, and the labels of the axis."""

    bars: Sequence[Bar]
    peak: Bar | None
    total: int
    ticks: Sequence[Tick]
    hours_per_bar: int
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a redrive's bar: which outcome, how many, and where it lies."""

    outcome: Outcome
    n: int
    x: float
    width: float


def spark(numbers: Sequence[int]) -> Spark:
    """Return the sparkline of *numbers*, oldest first. A number above zero is always seen; zero is a hair line."""
    peak = max(numbers, default=0)
    step = SPARK_WIDTH / max(1, len(numbers))
    bars = [
        _bar(n, peak, x=i * step, width=step * 0.75, floor=SPARK_HEIGHT, room=SPARK_HEIGHT - 2, least=0.6)
        for i, n in enumerate(numbers)
    ]
    return Spark(bars=bars, peak=peak, total=sum(numbers))


def hour_chart(points: Iterable[tuple[int, int]], *, since: datetime, until: datetime) -> HourChart:
    """Return the chart of *points*: pairs of an hour's number since 1970, and how many failed in it.

    Hours are gathered (2, 4, ... to a bar) where there are too many of them to be seen. Points outside of the range
    from *since* to *until* are left out.
    """
    first, last = _hour(since), _hour(until)
    per_bar = _hours_per_bar(last - first + 1)
    first -= first % per_bar
    numbers = [0] * ((last - first) // per_bar + 1)
    for hour, n in points:
        if first <= hour <= last:
            numbers[(hour - first) // per_bar] += n
    bars = _chart_bars(numbers, first, per_bar)
    peak = max(bars, key=lambda bar: bar.n, default=None)
    return HourChart(bars, peak, sum(numbers), _ticks(bars), per_bar, since, until)


def progress(redrive: RedriveRow) -> list[Segment]:
    """Return the pieces of a redrive's bar, left to right: what is known first, what waits last (and undrawn)."""
    shown = (Outcome.SUCCEEDED, Outcome.FAILED_AGAIN, Outcome.UNKNOWN, Outcome.SENT, Outcome.SENDING, Outcome.SKIPPED)
    segments, x = [], 0.0
    for outcome in shown:
        n: int = getattr(redrive, outcome.value)
        width = PROGRESS_WIDTH * n / max(1, redrive.planned)
        if n:
            segments.append(Segment(outcome, n, round(x, 2), round(width, 2)))
        x += width
    return segments


def _chart_bars(numbers: Sequence[int], first_hour: int, per_bar: int) -> list[Bar]:
    peak, step = max(numbers, default=0), (CHART_WIDTH - _LEFT) / max(1, len(numbers))
    return [
        _bar(
            n,
            peak,
            x=_LEFT + i * step,
            width=step * 0.82,
            floor=_FLOOR,
            room=_FLOOR - _ROOF,
            least=0.0,
            since=_moment(first_hour + i * per_bar),
            until=_moment(first_hour + (i + 1) * per_bar),
        )
        for i, n in enumerate(numbers)
    ]


def _bar(  # noqa: PLR0913 - a rectangle is four numbers, and the scale two more
    n: int,
    peak: int,
    *,
    x: float,
    width: float,
    floor: float,
    room: float,
    least: float,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Bar:
    height = max(1.5, room * n / peak) if n > 0 else least
    return Bar(round(x, 2), round(floor - height, 2), round(width, 2), round(height, 2), n, since, until)


def _ticks(bars: Sequence[Bar]) -> list[Tick]:
    """Label about four bars, evenly spread, the first one always."""
    every = max(1, -(-len(bars) // _TICKS))
    return [Tick(bar.x, bar.since) for bar in bars[::every] if bar.since is not None]


def _hours_per_bar(hours: int) -> int:
    per_bar = 1
    while hours / per_bar > _MOST_BARS:
        per_bar *= 2
    return per_bar


def _hour(moment: datetime) -> int:
    return int(moment.timestamp() // 3600)


def _moment(hour: int) -> datetime:
    return datetime.fromtimestamp(hour * 3600, tz=UTC)
