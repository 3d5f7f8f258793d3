"""Measure, print one table; with `--json`, the same as one object on the last line."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.collect import collect_against_bare_loop
from sandbox.local import Sandbox

MOST_READY_S = 3.0
MOST_STORY_S = 40.0
LEAST_COLLECT = 0.5


@dataclass(frozen=True)
class Row:
    """One claim: what was measured, and whether it meets its bar."""

    name: str
    value: float
    unit: str
    bar: str
    ok: bool
    note: str = ""


def measure() -> list[Row]:
    """Run every measurement on one sandbox."""
    with tempfile.TemporaryDirectory() as folder:
        at = time.perf_counter()
        with Sandbox(Path(folder)) as box:
            ready_s = time.perf_counter() - at
            os.environ.update(box.env)
            collect = collect_against_bare_loop(box)
    story_s = _tell_the_story()
    rates = f"{collect.ours:,.0f} against {collect.theirs:,.0f} a second, {collect.rounds} rounds"
    enough = collect.value >= LEAST_COLLECT
    return [
        Row("sandbox ready", round(ready_s, 2), "s", f"under {MOST_READY_S:g}", ready_s < MOST_READY_S),
        Row("demo --once, all of it", round(story_s, 1), "s", f"under {MOST_STORY_S:g}", story_s < MOST_STORY_S),
        Row("collect / bare loop", round(collect.value, 2), "ratio", f"at least {LEAST_COLLECT:g}", enough, rates),
    ]


def _tell_the_story() -> float:
    """Return how long the demo takes from its command to its end, in seconds; raise if a check of it does not hold."""
    with tempfile.TemporaryDirectory() as folder:
        at = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "sandbox.demo", "--once", "--data", folder], check=True, capture_output=True
        )
        return time.perf_counter() - at


def main() -> int:
    """Return 0 when every bar is met."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    as_json = parser.parse_args().json
    rows = measure()
    for row in rows:
        print(f"{'ok ' if row.ok else 'NOT'} {row.value:>8} {row.unit:<6} {row.bar:<14} {row.name:<24} {row.note}")
    if as_json:
        print(json.dumps({"rows": [asdict(row) for row in rows]}))
    return 0 if all(row.ok for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
