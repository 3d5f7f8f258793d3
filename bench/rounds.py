"""Several things in turn, several times: the median of their ratios, without the rounds that the machine disturbed."""

import hashlib
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

ROUNDS = 5
DRIFT = 0.3
"""A round counts only while a fixed piece of CPU work takes within this share of its median over all rounds."""


@dataclass(frozen=True)
class Rounds:
    """What each round that counted measured, in events per second by name."""

    rates: tuple[Mapping[str, float], ...]

    def ratio(self, ours: str, theirs: str) -> float:
        """Return the median of the rounds' ratios."""
        return statistics.median(rates[ours] / rates[theirs] for rates in self.rates)

    def rate(self, name: str) -> float:
        """Return the median rate."""
        return statistics.median(rates[name] for rates in self.rates)

    def note(self, ours: str, theirs: str) -> str:
        """Return both rates in words."""
        return f"{self.rate(ours):,.0f} against {self.rate(theirs):,.0f} a second, {len(self.rates)} rounds"


def in_turn(things: Mapping[str, Callable[[], float]], *, rounds: int = ROUNDS) -> Rounds:
    """Run *things* in turn, *rounds* times; each returns a rate (more is better)."""
    measured = [(_control(), {name: thing() for name, thing in things.items()}) for _ in range(rounds)]
    usual = statistics.median(control for control, _ in measured)
    calm = [row for row in measured if abs(row[0] / usual - 1) <= DRIFT] or measured
    return Rounds(tuple(rates for _, rates in calm))


def _control() -> float:
    """Return how long a fixed piece of pure CPU work takes, in seconds."""
    at = time.perf_counter()
    data = b"redrive"
    for _ in range(100_000):
        data = hashlib.sha256(data).digest()
    return time.perf_counter() - at
