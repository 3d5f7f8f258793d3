"""Measure topics (all, or those named); print one table, and with `--json` the same as one object on the last line."""

import argparse
import json
import signal
import sys
from dataclasses import asdict
from importlib import import_module

from bench.rows import Row

TOPICS = ("demo", "collect", "store", "cold")
"""Each is a module `bench.<topic>` with `measure() -> list[Row]`; imported when it is its turn."""


def main() -> int:
    """Return 0 when every bar is met."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument(
        "topics", nargs="*", metavar="TOPIC", help=f"what to measure: {', '.join(TOPICS)} (default: all)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # whoever ends us wants none of our processes left
    if unknown := sorted(set(given.topics) - set(TOPICS)):
        parser.error(f"there is no topic {', '.join(unknown)}: choose from {', '.join(TOPICS)}")
    rows = [row for topic in TOPICS if topic in (given.topics or TOPICS) for row in _measure(topic)]
    if given.json:
        print(json.dumps({"rows": [asdict(row) for row in rows]}))
    return 0 if all(row.ok for row in rows) else 1


def _measure(topic: str) -> list[Row]:
    rows: list[Row] = import_module(f"bench.{topic}").measure()
    for row in rows:
        verdict = "ok " if row.ok else "NOT"
        print(f"{verdict} {row.value:>8} {row.unit:<6} {row.bar:<14} {row.name:<34} {row.note}", flush=True)
    return rows


if __name__ == "__main__":
    sys.exit(main())
