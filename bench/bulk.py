"""What is done to all events at once: how much memory a process takes that does it and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy import Engine, text

from bench.plans import plan
from bench.rows import Row, under
from bench.seeding import BY
from bench.sizes import Size
from deadletter import redrive
from deadletter.filters import EventFilter
from deadletter.outcome import EventStatus
from deadletter.redrive import making, planning
from deadletter.settings import Settings
from deadletter.store import make_engine, read, write
from deadletter.store.archive import archive_events, unarchive_events
from deadletter.store.redrives import get_redrive

MOST_MB = 300.0
ALL = EventFilter()


def looks(name: str, settings: Settings, _engine: Engine, size: Size) -> Iterator[list[Row]]:
    """Do everything at the largest size; what is planned event by event at the one before, since it takes minutes."""
    for events in size.events[:-2]:
        del events
        yield []
    yield [_row(name, settings, "each", size.events[-2])]
    yield [_row(name, settings, what, size.events[-1]) for what in ("plan", "start", "archive")]


def _row(database: str, settings: Settings, what: str, events: int) -> Row:
    env = {"REDRIVE_DATA_DIR": str(settings.data_dir), "DATABASE_URL": settings.database_url}
    command = [sys.executable, "-m", "bench.bulk", what]
    done = subprocess.run(command, env=os.environ | env, check=True, capture_output=True, text=True)
    return under(MOST_MB, f"{WORDS[what]} {events:,}, {database}, peak memory", float(done.stdout), "MB")


def _each(engine: Engine, settings: Settings) -> None:
    vars(planning)["make"] = making.event_by_event  # what an edit or a pre-flight would have it do
    _throw_away(engine, plan(engine, settings, ALL))


def _start(engine: Engine, settings: Settings) -> None:
    redrive_id = plan(engine, settings, ALL)
    with read(engine) as session:
        digest = get_redrive(session, redrive_id).digest
    redrive.start(engine, redrive_id, digest=digest, started_by=BY, now=datetime.now(UTC))
    redrive.cancel(engine, redrive_id, by=BY, now=datetime.now(UTC))
    _throw_away(engine, redrive_id)


def _archive(engine: Engine, _settings: Settings) -> None:
    now = datetime.now(UTC)
    with write(engine) as session:
        archive_events(session, EventFilter(status=EventStatus.UNRESOLVED), by=BY, now=now)
    with write(engine) as session:
        unarchive_events(session, EventFilter(status=EventStatus.ARCHIVED), by=BY, now=now)


def _throw_away(engine: Engine, redrive_id: int) -> None:
    with engine.begin() as connection:
        for table, key in (("redrive_items", "redrive_id"), ("redrives", "id")):
            connection.execute(text(f"DELETE FROM {table} WHERE {key} = :id"), {"id": redrive_id})  # noqa: S608


WORDS = {
    "plan": "plan of",
    "each": "plan, event by event, of",
    "start": "plan, start and cancel of",
    "archive": "archive and bring back of",
}
_ACTS: dict[str, Callable[[Engine, Settings], object]] = {
    "plan": lambda engine, settings: _throw_away(engine, plan(engine, settings, ALL)),
    "each": _each,
    "start": _start,
    "archive": _archive,
}


if __name__ == "__main__":
    given = replace(Settings.from_env(), approval=Settings().approval)
    _ACTS[sys.argv[1]](make_engine(given), given)
    peak_kib = next(line for line in open("/proc/self/status", encoding="utf-8") if line.startswith("VmHWM"))  # noqa: PTH123, SIM115
    print(int(peak_kib.split()[1]) / 1024)
