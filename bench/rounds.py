"""Two things in turn, several times: the median of the rounds' ratios, without the rounds the machine disturbed."""

import hashlib
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

ROUNDS = 5
DRIFT = 0.3
"""A round counts only while a fixed piece of CPU work takes within this share of its median over all rounds."""


@dataclass(frozen=True)
class Ratio:
    """The median of ours against theirs, in events per second each, and how many rounds counted."""

    value: float
    ours: float
    theirs: float
    rounds: int


def compare(ours: Callable[[], float], theirs: Callable[[], float], *, rounds: int = ROUNDS) -> Ratio:
    """Run *theirs* and *ours* in turn; each returns a rate (more is better)."""
    measured = [(_control(), theirs(), ours()) for _ in range(rounds)]
    usual = statistics.median(control for control, _, _ in measured)
    calm = [row for row in measured if abs(row[0] / usual - 1) <= DRIFT] or measured
    return Ratio(
        value=statistics.median(mine / other for _, other, mine in calm),
        ours=statistics.median(mine for _, _, mine in calm),
        theirs=statistics.median(other for _, other, _ in calm),
        rounds=len(calm),
    )


def _control() -> float:
    """Return how long a fixed piece of pure CPU work takes, in seconds."""
    at = time.perf_counter()
    data = b"redrive"
    for _ in range(100_000):
        data = hashlib.sha256(data).digest()
    return time.perf_counter() - at
