"""Sealing again what lies there, under the key that is first now: in small transactions, while everything goes on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine, LargeBinary, and_, select, tuple_, type_coerce, update
from sqlalchemy.orm import InstrumentedAttribute

from deadletter.store import sealing
from deadletter.store.engine import read, write
from deadletter.store.models import Edit, Lookup, Record
from deadletter.store.packed import pack, unpack

_AT_ONCE = 200
Key = tuple[InstrumentedAttribute[int], ...]
Row = tuple[tuple[int, ...], bytes | None]
BODIES: tuple[tuple[Key, InstrumentedAttribute[Any]], ...] = (
    ((Record.id,), Record.body),
    ((Lookup.event_id,), Lookup.payload),
    ((Edit.redrive_id, Edit.event_id), Edit.payload),
)
"""Every column that holds a payload, and what its rows are known by."""


def reseal(engine: Engine) -> int:
    """Store every body as it would be stored today; return how many changed. Safe to stop and to run again."""
    return sum(_column(engine, key, body) for key, body in BODIES)


def _column(engine: Engine, key: Key, body: InstrumentedAttribute[Any]) -> int:
    last, changed = (0,) * len(key), 0
    while rows := _next(engine, key, body, last):
        last = rows[-1][0]
        stale = {row_id: stored for row_id, stored in rows if stored and not sealing.is_current(bytes(stored))}
        with write(engine) as session:
            for row_id, stored in stale.items():
                fresh = type_coerce(pack(unpack(bytes(stored))), LargeBinary)
                this = and_(*(column == part for column, part in zip(key, row_id, strict=True)))
                session.execute(update(body.class_).where(this).values({body.key: fresh}))
        changed += len(stale)
    return changed


def _next(engine: Engine, key: Key, body: InstrumentedAttribute[Any], after: tuple[int, ...]) -> Sequence[Row]:
    with read(engine) as session:
        later = tuple_(*key) > tuple_(*after)
        query = select(*key, type_coerce(body, LargeBinary)).where(later).order_by(*key).limit(_AT_ONCE)
        return [(tuple(row)[:-1], tuple(row)[-1]) for row in session.execute(query)]
