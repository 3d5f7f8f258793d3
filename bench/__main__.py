"""Measure topics (all, or those named); print one table, and with `--json` the same as one object on the last line."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from importlib import import_module

from bench.rows import Row
from bench.sizes import SIZES, Size

LARGE = ("pages", "search", "plan", "export", "bulk")
"""Measured together, on databases that grow: see `bench.large`."""

TOPICS = ("demo", "collect", "preflight", "redrive", "workers", "store", "fingerprints", "cold", *LARGE)
"""Each of the others is a module `bench.<topic>` with `measure(size)`; imported when it is its turn."""


def main() -> int:
    """Return 0 when every bar is met."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument(
        "topics", nargs="*", metavar="TOPIC", help=f"what to measure: {', '.join(TOPICS)} (default: all)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    sizes = "small (50,000 events at most), full (1,000,000; default) or huge (5,000,000)"
    parser.add_argument("--size", choices=SIZES, default="full", metavar="SIZE", help=sizes)
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # whoever ends us wants none of our processes left
    if unknown := sorted(set(given.topics) - set(TOPICS)):
        parser.error(f"there is no topic {', '.join(unknown)}: choose from {', '.join(TOPICS)}")
    rows = _measure(given.topics or TOPICS, SIZES[given.size])
    if given.json:
        print(json.dumps({"rows": [asdict(row) for row in rows]}))
    return 0 if all(row.ok for row in rows) else 1


def _measure(topics: Sequence[str], size: Size) -> list[Row]:
    at, rows = time.monotonic(), list[Row]()
    for topic in [topic for topic in TOPICS if topic in topics and topic not in LARGE]:
        rows += _printed(import_module(f"bench.{topic}").measure(size))
    if large := [topic for topic in LARGE if topic in topics]:
        rows += _printed(import_module("bench.large").measure(size, large))
    missed = sum(not row.ok for row in rows)
    print(f"{len(rows)} rows in {time.monotonic() - at:,.0f} s; {missed} of them miss their bar.", flush=True)
    return rows


def _printed(rows: Iterable[Row]) -> list[Row]:
    """Print rows as they come; return them."""
    found = []
    for row in rows:
        verdict = "ok " if row.ok else "NOT"
        print(f"{verdict} {row.value:>10} {row.unit:<6} {row.bar:<14} {row.name:<60} {row.note}", flush=True)
        found.append(row)
    return found


if __name__ == "__main__":
    sys.exit(main())
