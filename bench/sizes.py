"""How much is measured: all of it, or a smaller one of everything for a quick look."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """How many of each."""

    events: tuple[int, ...]
    """Events in the database, one after the other: multiples of 10,000."""
    messages: int
    """To collect and to send in a round."""
    rows: int
    """To store in a round."""
    looks: int
    """How often each page is read."""
    rounds: int


SIZES = {
    "small": Size(events=(10_000, 50_000), messages=1_000, rows=3_000, looks=20, rounds=3),
    "full": Size(events=(10_000, 100_000, 1_000_000), messages=3_000, rows=20_000, looks=40, rounds=5),
    "huge": Size(events=(100_000, 1_000_000, 5_000_000), messages=10_000, rows=20_000, looks=40, rounds=5),
}
