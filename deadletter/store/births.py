"""How many groups came into being lately: thousands of them tell of a fingerprint that masks too little."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from deadletter.store.engine import insert_for
from deadletter.store.instant import micros
from deadletter.store.models import GroupBirth
from deadletter.store.rowset import table_of

SLOT = timedelta(minutes=10)
WITHIN = timedelta(hours=1)
KEPT = timedelta(days=1)
TOO_MANY = 500
"""Groups within the hour. A bad deploy makes a handful; what varies and is not masked makes one for each failure."""


@dataclass(frozen=True, slots=True)
class Flood:
    """So many new groups within the hour that something is wrong; most of them, `of_function`, are of one function."""

    groups: int
    function_name: str
    of_function: int


def note_births(session: Session, function_names: Iterable[str], now: datetime) -> None:
    """Count groups that were just made, by the functions that they are of; what is old is forgotten."""
    births, slot = table_of(GroupBirth), _slot(now)
    rows = [{"slot": slot, "function_name": name, "n": n} for name, n in sorted(Counter(function_names).items())]
    if rows:
        put = insert_for(session)(births)
        put = put.on_conflict_do_update(
            index_elements=["slot", "function_name"], set_={"n": births.c.n + put.excluded.n}
        )
        session.connection().execute(put, rows)
        session.connection().execute(delete(births).where(births.c.slot < _slot(now - KEPT)))


def find_flood(session: Session, now: datetime) -> Flood | None:
    """Return what is wrong where more than `TOO_MANY` groups came within the hour; None where all is well."""
    birth, n = GroupBirth, func.sum(GroupBirth.n)
    query = select(birth.function_name, n).where(birth.slot > _slot(now - WITHIN)).group_by(birth.function_name)
    counts = [(name, int(count)) for name, count in session.execute(query.order_by(n.desc(), birth.function_name))]
    total = sum(count for _, count in counts)
    return Flood(total, *counts[0]) if total > TOO_MANY else None


def _slot(moment: datetime) -> int:
    return micros(moment) // (SLOT // timedelta(microseconds=1))
