"""How fast a redrive goes: its rate, and how long it pauses when its target is busy. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

LONGEST_PAUSE_S = 60.0
"""The longest that a redrive waits by itself before it tries a busy target again; the target may ask for more."""


@dataclass(frozen=True, slots=True)
class Turns:
    """How many events may go now, `n`, counted from the moment `since`."""

    n: int
    since: datetime
    rate: float

    def after(self, taken: int) -> datetime:
        """Return when the next event may go once *taken* of the turns were used."""
        return self.since + timedelta(seconds=taken / self.rate)


def take_turns(next_send_at: datetime | None, now: datetime, *, rate: float, most: int) -> Turns:
    """Return how many events may go at *now*, at most *most*, when the next one was due at *next_send_at*.

    One moment in the redrive's row, moved on by every claim, is the rate of all workers together.

    A claim that comes late may make up for the lateness, so that the mean rate is the one asked for; but only for a
    tenth of a second of it, so that no second sees more than 1.1 times the rate. `rate` is in events per second.
    """
    slack = max(0.05, 0.1 - 1 / rate)
    since = max(next_send_at, now - timedelta(seconds=slack)) if next_send_at else now
    if since > now:
        return Turns(0, since, rate)
    due = math.floor((now - since).total_seconds() * rate) + 1
    return Turns(min(due, most), since, rate)


def pause_s(times: int, retry_after_s: float | None, jitter: float) -> float:
    """Return how many seconds to leave a target alone that was busy *times* in a row.

    Exponential from half a second up, half of it at random (*jitter*, from 0 to 1); never less than the target asked
    for.
    """
    longest = min(LONGEST_PAUSE_S, 0.5 * 2.0 ** min(times, 10))
    return max(longest * (0.5 + jitter / 2), retry_after_s or 0.0)


RECOVERS_S = 30.0
"""A target that throttled is trusted with twice the pace after so many seconds without throttling."""

WIDENS_S = 2.0
"""And with one more event in flight after so many."""

_TRUSTED = 100_000.0


def pace_now(pace: float | None, slowed_at: datetime | None, now: datetime) -> float | None:
    """Return the events per second that a target is trusted with now, when it stood *pace* at *slowed_at*.

    None where nothing is known against it, or where that is so long ago that it counts no more.
    """
    if pace is None or slowed_at is None:
        return None
    recovered = pace * 2.0 ** min((now - slowed_at).total_seconds() / RECOVERS_S, 64.0)
    return recovered if recovered < _TRUSTED else None


def width_now(width: int | None, slowed_at: datetime | None, now: datetime) -> int | None:
    """Return the events in flight that a target is trusted with now, when it stood *width* at *slowed_at*."""
    if width is None or slowed_at is None:
        return None
    return width + max(0, int((now - slowed_at).total_seconds() / WIDENS_S))


def most_in_flight(reserved: int | None, width: int | None, share: float) -> int | None:
    """Return how many events may be in flight to a target: a *share* of its *reserved* concurrency, and its *width*.

    At least 1; None where nothing limits it.
    """
    limits = [width, None if reserved is None else max(1, int(reserved * share))]
    return min((limit for limit in limits if limit is not None), default=None)
