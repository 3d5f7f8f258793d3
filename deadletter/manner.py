"""How carefully a redrive goes: canary, breaker, how many at once, when. With defaults that need no thought. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from deadletter.breaker import DEFAULT_CANARY, DEFAULT_MAX_FAILURES, MAX_CANARY
from deadletter.errors import BadInput
from deadletter.hours import Window

MAX_RATE = 10_000.0
"""Events per second that one redrive may ask for."""

MAX_CONCURRENCY = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a redrive goes, besides its rate.

    `canary` events are sent first and their outcomes awaited (0: none, and no ramp). More than `max_failures` of the
    last outcomes (above 0 and at most 1; 1 switches that off) trip it. At most `concurrency` of its events are in
    flight at once (None: as many as the workers make calls). Nothing is sent before `starts_at`, nor outside of
    `window`.

    Raises:
        BadInput: One of them cannot be; the message says what can.
    """

    canary: int = DEFAULT_CANARY
    max_failures: float = DEFAULT_MAX_FAILURES
    concurrency: int | None = None
    starts_at: datetime | None = None
    window: Window | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.canary <= MAX_CANARY:
            raise BadInput(f"The canary is {self.canary:,} events, and must be from 0 (none) to {MAX_CANARY:,}.")
        if not 0 < self.max_failures <= 1:
            raise BadInput(f"At most {self.max_failures:.0%} may fail, it says; it must be above 0% and at most 100%.")
        check_concurrency(self.concurrency)


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast: events per second, and how many in flight at once (None: as many as the workers make calls).

    Raises:
        BadInput: One of them cannot be; the message says what can.
    """

    rate: float
    concurrency: int | None = None

    def __post_init__(self) -> None:
        check_rate(self.rate)
        check_concurrency(self.concurrency)


def check_rate(rate: float) -> None:
    """Raise BadInput unless a redrive may send so many events per second."""
    if not (math.isfinite(rate) and 0 < rate <= MAX_RATE):
        raise BadInput(f"The rate is {rate:g} events per second, and must be above 0 and at most {MAX_RATE:,.0f}.")


def check_concurrency(concurrency: int | None) -> None:
    """Raise BadInput unless so many events of a redrive may be in flight at once."""
    if concurrency is not None and not 1 <= concurrency <= MAX_CONCURRENCY:
        raise BadInput(f"{concurrency:,} events at once, it says; it must be from 1 to {MAX_CONCURRENCY:,}.")


def read_percent(text: str) -> float:
    """Return the share that ``20`` or ``20%`` says, 0.2. Raises BadInput."""
    try:
        return float(text.strip().removesuffix("%")) / 100
    except ValueError:
        raise BadInput(f"{text[:40]!r} is not a percentage. Write a number from 1 to 100, such as 20.") from None


AT_ONCE = Manner(canary=0, max_failures=1.0)
"""No canary, no ramp, no breaker."""
