"""Sealing again what lies there, under the key that is first now: in small transactions, while everything goes on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine, LargeBinary, select, type_coerce, update
from sqlalchemy.orm import InstrumentedAttribute

from deadletter.store import sealing
from deadletter.store.engine import read, write
from deadletter.store.models import Lookup, Record
from deadletter.store.packed import pack, unpack

_AT_ONCE = 200
_BODIES: tuple[tuple[InstrumentedAttribute[int], InstrumentedAttribute[Any]], ...] = (
    (Record.id, Record.body),
    (Lookup.event_id, Lookup.payload),
)


def reseal(engine: Engine) -> int:
    """Store every body as it would be stored today; return how many changed. Safe to stop and to run again."""
    return sum(_column(engine, key, body) for key, body in _BODIES)


def _column(engine: Engine, key: InstrumentedAttribute[int], body: InstrumentedAttribute[Any]) -> int:
    last, changed = 0, 0
    while rows := _next(engine, key, body, last):
        last = max(row_id for row_id, _ in rows)
        stale = {row_id: stored for row_id, stored in rows if stored and not sealing.is_current(bytes(stored))}
        with write(engine) as session:
            for row_id, stored in stale.items():
                fresh = type_coerce(pack(unpack(bytes(stored))), LargeBinary)
                session.execute(update(key.class_).where(key == row_id).values({body.key: fresh}))
        changed += len(stale)
    return changed


def _next(
    engine: Engine, key: InstrumentedAttribute[int], body: InstrumentedAttribute[Any], after: int
) -> Sequence[tuple[int, bytes | None]]:
    with read(engine) as session:
        query = select(key, type_coerce(body, LargeBinary)).where(key > after).order_by(key).limit(_AT_ONCE)
        return [(row_id, stored) for row_id, stored in session.execute(query)]
