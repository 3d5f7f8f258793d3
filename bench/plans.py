"""Planning a redrive of every event, against one INSERT … SELECT of the same items by the driver."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, text

from bench.rounds import in_turn
from bench.rows import Row, at_least
from bench.seeding import BY, TARGET
from bench.sizes import Size
from deadletter import redrive
from deadletter.filters import EventFilter
from deadletter.settings import Settings

LEAST = 0.5
_PLAN_FROM = 50_000
_BARE = """
    INSERT INTO redrive_items (redrive_id, position, event_id, target_kind, target_arn, outcome)
    SELECT {redrive}, row_number() OVER (ORDER BY occurred_at, id), id, 'sqs', '{target}', 'waiting' FROM events
"""
_UNDO = ("DELETE FROM redrive_items", "DELETE FROM redrives")


def looks(name: str, settings: Settings, engine: Engine, size: Size) -> Iterator[list[Row]]:
    """Plan all events at each size from `_PLAN_FROM` up."""
    for events in size.events:
        yield [_row(name, settings, engine, events, size.rounds)] if events >= _PLAN_FROM else []


def _row(database: str, settings: Settings, engine: Engine, events: int, rounds: int) -> Row:
    things = {"plan": lambda: events / _plan_s(engine, settings), "bare": lambda: events / _bare_s(engine, settings)}
    found = in_turn(things, rounds=1 if events >= 1_000_000 else rounds)  # noqa: PLR2004 - minutes each, else
    name = f"plan of {events:,} / one INSERT … SELECT, {database}"
    return at_least(LEAST, name, found.ratio("plan", "bare"), note=found.note("plan", "bare"))


def _plan_s(engine: Engine, settings: Settings) -> float:
    at = time.perf_counter()
    plan(engine, settings, EventFilter())
    took_s = time.perf_counter() - at
    _undo(engine)
    return took_s


def _bare_s(engine: Engine, settings: Settings) -> float:
    """Return what the items alone take, in the transaction of one redrive that is there for them."""
    redrive_id = plan(engine, settings, [1])
    with engine.begin() as connection:
        connection.execute(text(_UNDO[0]))
    at = time.perf_counter()
    with engine.begin() as connection:
        connection.execute(text(_BARE.format(redrive=redrive_id, target=TARGET)))
    took_s = time.perf_counter() - at
    _undo(engine)
    return took_s


def plan(engine: Engine, settings: Settings, chosen: EventFilter | list[int]) -> int:
    """Plan the *chosen* events to a target that is allowed; return the redrive's id."""
    target, now, given = redrive.parse_target(TARGET), datetime.now(UTC), replace(settings, allowed_targets=(TARGET,))
    return redrive.create_plan(engine, chosen, target=target, asked_by=BY, settings=given, now=now)


def _undo(engine: Engine) -> None:
    with engine.begin() as connection:
        for statement in _UNDO:
            connection.execute(text(statement))
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            _vacuum(connection)


def _vacuum(connection: Connection) -> None:
    """Let the next find the table as the first found it."""
    connection.execute(text("VACUUM redrive_items"))
