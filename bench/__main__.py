"""Measure, print one table; with `--json`, the same as one object on the last line."""

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.collect import collect_against_bare_loop
from sandbox.local import Sandbox

MOST_READY_S = 3.0
LEAST_COLLECT = 0.5


@dataclass(frozen=True)
class Row:
    """One claim: what was measured, and whether it meets its bar."""

    name: str
    value: float
    unit: str
    bar: str
    ok: bool


def measure() -> list[Row]:
    """Run every measurement on one sandbox."""
    with tempfile.TemporaryDirectory() as folder:
        at = time.perf_counter()
        with Sandbox(Path(folder)) as box:
            ready_s = time.perf_counter() - at
            os.environ.update(box.env)
            collect = collect_against_bare_loop(box)
    note = f"collect / bare loop ({collect.ours:,.0f} against {collect.theirs:,.0f} a second, {collect.rounds} rounds)"
    return [
        Row("sandbox ready", round(ready_s, 2), "s", f"under {MOST_READY_S:g}", ready_s < MOST_READY_S),
        Row(note, round(collect.value, 2), "ratio", f"at least {LEAST_COLLECT:g}", collect.value >= LEAST_COLLECT),
    ]


def main() -> int:
    """Return 0 when every bar is met."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    as_json = parser.parse_args().json
    rows = measure()
    for row in rows:
        print(f"{'ok ' if row.ok else 'NOT'} {row.value:>8} {row.unit:<6} {row.bar:<14} {row.name}")
    if as_json:
        print(json.dumps({"rows": [asdict(row) for row in rows]}))
    return 0 if all(row.ok for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
