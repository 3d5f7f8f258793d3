"""Two workers against one, on PostgreSQL: the same redrive to SQS, by one worker alone and with a second beside it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from bench.databases import databases
from bench.redrive import _Bench, _bench
from bench.rounds import in_turn
from bench.rows import Row, at_least
from bench.sizes import Size
from sandbox.local import Sandbox

LEAST = 1.6
NAME = "redrive, two workers / one, PostgreSQL"


def measure(size: Size) -> Iterator[Row]:
    """Yield the row; where there is no PostgreSQL it says so, and is not met."""
    with tempfile.TemporaryDirectory() as folder, Sandbox(Path(folder)) as box, databases() as found:
        os.environ.update(box.env)
        settings = found.get("PostgreSQL")
        if settings is None:
            yield at_least(LEAST, NAME, 0.0, note="NOT MEASURED: PostgreSQL is not here")
            return
        settings = replace(settings, data_dir=settings.data_dir / "workers")
        with _bench(box, "workers", settings, size.messages) as first, _second(first) as second:
            things = {"one": lambda: first.send([]), "two": lambda: _both(first, second)}
            rounds = in_turn(things, rounds=size.rounds)
        yield at_least(LEAST, NAME, rounds.ratio("two", "one"), note=rounds.note("two", "one"))


def _both(first: _Bench, second: subprocess.Popen[bytes]) -> float:
    os.killpg(second.pid, signal.SIGCONT)
    try:
        return first.send([])
    finally:
        os.killpg(second.pid, signal.SIGSTOP)


@contextmanager
def _second(first: _Bench) -> Iterator[subprocess.Popen[bytes]]:
    """Start another worker of the same database, that stands still as well."""
    env = {"REDRIVE_DATA_DIR": str(first.settings.data_dir), "DATABASE_URL": first.settings.database_url}
    env |= {"REDRIVE_SETTLE_S": "86400", "REDRIVE_PROCESSES": "1"}
    command, quiet = [sys.executable, "-m", "worker"], subprocess.DEVNULL
    with subprocess.Popen(command, env=os.environ | env, stderr=quiet, start_new_session=True) as process:
        try:
            os.killpg(process.pid, signal.SIGSTOP)
            yield process
        finally:
            os.killpg(process.pid, signal.SIGCONT)
            process.terminate()
