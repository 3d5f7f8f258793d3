"""Exports, as the report page writes them, against a raw cursor that goes to a csv writer or to orjson; and memory."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from sqlalchemy import Engine

from bench.extras import extra
from bench.rounds import in_turn
from bench.rows import Row, at_least, at_most, under
from bench.sizes import Size
from console.export import Stream, export
from deadletter.filters import EventFilter
from deadletter.settings import Settings
from deadletter.store import make_engine, read
from deadletter.store.queries import iter_events

TIMED = 10_000
"""Events that are exported in each turn."""

LEAST = {Stream.CSV: 0.5, Stream.NDJSON: 0.7}
MOST_MB = 100.0
MOST_GROWTH = 1.2

_RAW = """
    SELECT e.id, e.group_id, g.title, e.status, s.arn, e.producer, e.label, e.request_id, e.function_name,
        e.function_arn, e.qualifier, e.condition, e.invoke_count, e.error_type, e.error_message, e.occurred_at,
        e.last_failed_at, e.collected_at, e.failures, e.last_outcome, e.redrive_id, e.target_kind, e.target_arn,
        e.redrivable, e.reason, e.truncated, r.body
    FROM events AS e JOIN groups AS g ON g.id = e.group_id JOIN sources AS s ON s.id = e.source_id
    JOIN records AS r ON r.id = e.record_id ORDER BY e.occurred_at DESC, e.id DESC
"""


def looks(name: str, settings: Settings, engine: Engine, size: Size) -> Iterator[list[Row]]:
    """Measure memory at the two largest sizes, and speed at the largest."""
    peaks: list[float] = []
    for events in size.events[:-1]:
        peaks = [_peak_mb(settings, events)]
        yield []
    peaks.append(_peak_mb(settings, size.events[-1]))
    note = f"{peaks[0]:.0f} MB at {size.events[-2]:,}"
    yield [
        *(_speed(name, engine, stream) for stream in Stream),
        _same_work(name, engine),
        under(MOST_MB, f"export of {size.events[-1]:,} as CSV, {name}, peak memory", peaks[1], "MB", note),
        at_most(MOST_GROWTH, f"export, {name}, growth of its peak memory", peaks[1] / peaks[0], "times", note),
    ]


def _speed(database: str, engine: Engine, stream: Stream) -> Row:
    orjson = extra("orjson")
    dumps: Callable[[Any], bytes] = orjson.dumps if orjson else lambda row: json.dumps(row).encode()
    peer = f"raw cursor to {'csv' if stream is Stream.CSV else 'orjson' if orjson else 'json (no orjson here)'}"
    raw = _raw_csv if stream is Stream.CSV else lambda engine: _raw_json(engine, dumps)
    rounds = in_turn({"ours": lambda: _rate(lambda: _ours(engine, stream)), peer: lambda: _rate(lambda: raw(engine))})
    name = f"export as {stream} / {peer}, {database}"
    return at_least(LEAST[stream], name, rounds.ratio("ours", peer), note=rounds.note("ours", peer))


def _same_work(database: str, engine: Engine) -> Row:
    """Compare with what writes the same keys, the payload out of its record as JSON; only masked it is not."""
    peer = "raw cursor, payload out of its record by json, all by json"
    rounds = in_turn(
        {
            "ours": lambda: _rate(lambda: _ours(engine, Stream.NDJSON)),
            peer: lambda: _rate(lambda: _raw_json(engine, lambda row: json.dumps(_opened(row)).encode())),
        }
    )
    name = f"export as ndjson / {peer}, {database}"
    return at_least(LEAST[Stream.NDJSON], name, rounds.ratio("ours", peer), note=rounds.note("ours", peer))


def _opened(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"body": json.loads(row["body"])["requestPayload"]}


def _rate(act: Callable[[], object]) -> float:
    at = time.perf_counter()
    act()
    return TIMED / (time.perf_counter() - at)


def _ours(engine: Engine, stream: Stream, events: int = TIMED) -> None:
    with read(engine) as session, open(os.devnull, "w", encoding="utf-8") as file:  # noqa: PTH123 - no file of ours
        file.writelines(export(islice(iter_events(session, EventFilter()), events), stream))


def _raw_rows(engine: Engine) -> Iterator[tuple[Any, ...]]:
    connection = engine.raw_connection()
    try:
        # A cursor of the server's on PostgreSQL: the plain one would fetch everything first.
        cursor = connection.cursor("raw") if engine.dialect.name == "postgresql" else connection.cursor()
        cursor.execute(_RAW)
        for _ in range(TIMED // 1_000):
            for *facts, body in cursor.fetchmany(1_000):
                yield (*facts, body.decode())
        cursor.close()
        connection.rollback()
    finally:
        connection.close()


def _raw_csv(engine: Engine) -> None:
    with open(os.devnull, "w", encoding="utf-8") as file:  # noqa: PTH123 - no file of ours
        writer = csv.writer(file)
        for row in _raw_rows(engine):
            writer.writerow(row)


def _raw_json(engine: Engine, dumps: Callable[[Any], bytes]) -> None:
    names = [part.strip().partition(".")[2] for part in _RAW.partition("FROM")[0].split(",")]
    with open(os.devnull, "wb") as file:  # noqa: PTH123 - no file of ours
        file.writelines(dumps(dict(zip(names, row, strict=True))) + b"\n" for row in _raw_rows(engine))


def _peak_mb(settings: Settings, events: int) -> float:
    """Return the peak memory of a process that exports so many events and nothing else."""
    env = {"REDRIVE_DATA_DIR": str(settings.data_dir), "DATABASE_URL": settings.database_url}
    command = [sys.executable, "-m", "bench.exports", str(events)]
    done = subprocess.run(command, env=os.environ | env, check=True, capture_output=True, text=True)
    return float(done.stdout)


if __name__ == "__main__":
    _ours(make_engine(Settings.from_env()), Stream.CSV, int(sys.argv[1]))
    peak_kib = next(line for line in open("/proc/self/status", encoding="utf-8") if line.startswith("VmHWM"))  # noqa: PTH123, SIM115
    print(int(peak_kib.split()[1]) / 1024)
