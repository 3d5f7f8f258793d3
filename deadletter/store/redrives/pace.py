"""How fast a redrive goes: its rate, and how long it pauses when its target is busy. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

LONGEST_PAUSE_S = 60.0
"""The longest that a redrive waits by itself before it tries a busy target again; the target may ask for more."""


MADE_UP_S = 10.0
"""How many seconds of lateness are made up for: a longer silence (a pause, a database that was away) is let go."""

CATCH_UP = 1.08
"""How much faster than its rate a redrive goes while it makes up: what any second sees stays below 1.1 times."""

_AT_ONCE_S = 0.5
_WINDOW_MS = 1_000

MOST_SKEW_S = 60.0
"""Workers' clocks differ by less. What lies further ahead than it can was written before a clock was set back."""

LONGEST_WISH_S = 900.0
"""The longest that a target is left alone because it asks for it."""

Gone = Sequence[Sequence[int]]
"""What went within the last second: when, in milliseconds of the epoch, and how many; oldest first."""


@dataclass(frozen=True, slots=True)
class Turns:
    """How many events may go now, `n`, counted from the moment `since`."""

    n: int
    since: datetime
    rate: float
    now: datetime
    gone: Gone = ()

    def after(self, taken: int) -> datetime:
        """Return when the next event may go once *taken* of the turns were used."""
        return self.since + timedelta(seconds=taken / self.rate)

    def gone_after(self, taken: int) -> list[list[int]]:
        """Return what went within the last second once *taken* of the turns were used."""
        return [*map(list, self.gone), [_ms(self.now), taken]]


def take_turns(next_send_at: datetime | None, now: datetime, *, rate: float, most: int, gone: Gone | None) -> Turns:
    """Return how many events may go at *now*, at most *most*, when the next one was due at *next_send_at*.

    That moment and what has *gone*, both in the redrive's row and moved on by every claim, are the rate of all workers
    together. A claim that comes late makes up for its lateness, so that the mean rate is the one asked for, by going
    `CATCH_UP` times as fast until it is even: no second sees more than that. `rate` is in events per second; of few
    a second, one more than those is the least that a second can see too much.
    """
    due_at = ahead(next_send_at, now, most_s=1 / rate)
    since = max(due_at, now - timedelta(seconds=MADE_UP_S)) if due_at else now
    recent = [entry for entry in gone or () if 0 <= _ms(now) - entry[0] <= _WINDOW_MS]
    if since > now:
        return Turns(0, since, rate, now, recent)
    due = math.floor((now - since).total_seconds() * rate + 1e-6) + 1
    free = _most_a_second(rate) - sum(n for _, n in recent)
    return Turns(max(0, min(due, most, free, _at_once(rate, recent, now))), since, rate, now, recent)


def ahead(moment: datetime | None, now: datetime, *, most_s: float) -> datetime | None:
    """Return *moment*, or None where it lies more than *most_s* seconds ahead of *now*.

    Nothing waits for longer than that, so it was written before a clock was set back, and counts for nothing.
    """
    if moment and moment > now + timedelta(seconds=most_s + MOST_SKEW_S):
        return None
    return moment


def _most_a_second(rate: float) -> int:
    return max(math.floor(rate) + 1, min(math.ceil(rate * CATCH_UP), math.floor(rate * 1.1 + 1e-6)))


def _at_once(rate: float, recent: Gone, now: datetime) -> int:
    """Return how many may go in one claim: what the time since the last one is worth, so that making up is no burst."""
    silent_s = (_ms(now) - recent[-1][0]) / 1_000 if recent else _AT_ONCE_S
    return max(1, math.ceil(rate * CATCH_UP * min(silent_s, _AT_ONCE_S)))


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000)


def pause_s(times: int, retry_after_s: float | None, jitter: float) -> float:
    """Return how many seconds to leave a target alone that was busy *times* in a row.

    Exponential from half a second up, half of it at random (*jitter*, from 0 to 1); never less than the target asked
    for, up to `LONGEST_WISH_S`.
    """
    longest = min(LONGEST_PAUSE_S, 0.5 * 2.0 ** min(times, 10))
    return max(longest * (0.5 + jitter / 2), min(retry_after_s or 0.0, LONGEST_WISH_S))


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
