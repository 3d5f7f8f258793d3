"""The counts that pages show, gathered during a transaction and written at its end: exact, and without deadlocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, cast

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Integer,
    Table,
    Update,
    any_,
    bindparam,
    case,
    column,
    func,
    select,
    update,
)
from sqlalchemy.orm import Session

from deadletter.outcome import EventStatus
from deadletter.store.engine import is_postgres
from deadletter.store.instant import Instant, hour_of
from deadletter.store.models import Group, GroupHour, GroupSource, SourceHour

EMPTY = "empty"
"""Status of a group that has no event (any more)."""


@dataclass(slots=True)
class Deltas:
    """What a transaction changes in the counters.

    `write` is the transaction's last work: counters are the rows that everybody wants, so they are locked for the
    shortest time, always in the order groups, group_sources, group_hours, source_hours, and by key within each.
    """

    groups: dict[int, Counter[EventStatus]] = field(default_factory=dict)
    seen: dict[int, tuple[datetime, datetime]] = field(default_factory=dict)
    group_sources: Counter[tuple[int, int, str]] = field(default_factory=Counter)
    failures: Counter[int] = field(default_factory=Counter)
    group_hours: Counter[tuple[int, int]] = field(default_factory=Counter)
    source_hours: Counter[tuple[int, int]] = field(default_factory=Counter)

    def count(self, group_id: int, status: EventStatus, n: int) -> None:
        """Note *n* more (or fewer) events with *status* in a group."""
        self.groups.setdefault(group_id, Counter())[status] += n

    def belongs(self, group_id: int, source_id: int, producer: str, n: int) -> None:
        """Note *n* more (or fewer) events of a group that came by a source and a producer."""
        self.group_sources[group_id, source_id, producer] += n

    def failed(self, group_id: int, source_id: int | None, at: datetime, n: int = 1) -> None:
        """Note *n* more (or fewer) failures of a group at a time; *source_id* is None when no message told of them."""
        hour = hour_of(at)
        self.failures[group_id] += n
        self.group_hours[group_id, hour] += n
        if source_id is not None:
            self.source_hours[source_id, hour] += n
        if n > 0:
            first, last = self.seen.get(group_id, (at, at))
            self.seen[group_id] = min(first, at), max(last, at)

    def write(self, session: Session) -> None:
        """Add everything to the counters, in at most five statements."""
        changed = sorted(self.groups.keys() | self.seen.keys())
        if changed:
            _update_groups(session, [self._group(group_id) for group_id in changed])
        for model, counts in (
            (GroupSource, self.group_sources),
            (GroupHour, self.group_hours),
            (SourceHour, self.source_hours),
        ):
            _add(session, cast("Table", model.__table__), counts)

    def _group(self, group_id: int) -> dict[str, Any]:
        counts = self.groups.get(group_id, Counter())
        first, last = self.seen.get(group_id, (None, None))
        changes = {f"more_{status}": counts[status] for status in EventStatus}
        return {"group": group_id, "first": first, "last": last, "more_failures": self.failures[group_id]} | changes


def _update_group(given: Any) -> Update:  # noqa: ANN401 - SQLAlchemy's columns are no Mapping
    """Return the statement that changes a group by what is *given* for it: parameters, or a row's columns."""
    group = _GROUP.c
    after = {status: group[f"n_{status}"] + given[f"more_{status}"] for status in EventStatus}
    # The first status, in this order, that any event of the group has.
    derived = case(*[(n > 0, status.value) for status, n in after.items()], else_=EMPTY)
    regressed = (group.status == EventStatus.RESOLVED.value) & (given["more_failures"] > 0)
    is_open = (after[EventStatus.UNRESOLVED] > 0) | (after[EventStatus.REDRIVING] > 0)
    first, last = given["first"], given["last"]
    return (
        update(_GROUP)
        .where(group.id == given["group"])
        .values({f"n_{status}": n for status, n in after.items()} | {"status": derived})
        .values(
            regressed_at=case((~is_open, None), (regressed, last), else_=group.regressed_at),
            # To fail anew after it was resolved is news, however long it was to sleep.
            snoozed_until=case((is_open & regressed, None), else_=group.snoozed_until),
            snooze_left=group.snooze_left - given["more_failures"],
        )
        .values(first_seen=case((group.first_seen > first, first), else_=group.first_seen))
        .values(last_seen=case((group.last_seen < last, last), else_=group.last_seen))
    )


_GROUP = cast("Table", Group.__table__)
_GIVEN: dict[str, Any] = {"group": BigInteger(), "first": Instant(), "last": Instant()} | {
    f"more_{name}": Integer() for name in ("failures", *EventStatus)
}
_ONE_GROUP = _update_group({name: bindparam(name, type_=kind) for name, kind in _GIVEN.items()})
_arrays = (bindparam(name, type_=ARRAY(kind)) for name, kind in _GIVEN.items())
_MANY_GROUPS = _update_group(
    func.unnest(*_arrays).table_valued(*(column(*each) for each in _GIVEN.items()), name="given").render_derived().c
)
_HELD_GROUPS = (
    select(_GROUP.c.id)
    .where(_GROUP.c.id == any_(bindparam("groups", type_=ARRAY(BigInteger))))
    .order_by(_GROUP.c.id)
    .with_for_update(key_share=True)
)


def _update_groups(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Change groups, given by rising id. PostgreSQL changes them in whatever order it likes: they are held before."""
    connection = session.connection()
    if is_postgres(session):
        arrays = {name: [row[name] for row in rows] for name in _GIVEN}
        connection.execute(_HELD_GROUPS, {"groups": arrays["group"]})
        connection.execute(_MANY_GROUPS, arrays)
    else:
        connection.execute(_ONE_GROUP, rows)


def _add(session: Session, rollup: Table, counts: Counter[Any]) -> None:
    """Add to a rollup, whose last column is the count; one statement, in the order of the keys."""
    rows = [(*key, n) for key, n in sorted(counts.items()) if n]
    if rows:
        postgres = is_postgres(session)
        given: Any = tuple(map(list, zip(*rows, strict=True))) if postgres else rows
        session.connection().exec_driver_sql(_upsert(rollup, in_arrays=postgres), given)


@cache
def _upsert(rollup: Table, *, in_arrays: bool) -> str:
    keys = ", ".join(column.name for column in rollup.primary_key)
    arrays = ", ".join(f"CAST(%s AS {column.type}[])" for column in rollup.c)
    places = ", ".join("?" * len(rollup.c))
    rows = f"SELECT * FROM unnest({arrays})" if in_arrays else f"VALUES ({places})"  # noqa: S608 - types of our own
    more = f"ON CONFLICT ({keys}) DO UPDATE SET n = {rollup.name}.n + excluded.n"
    return f"INSERT INTO {rollup.name} ({keys}, n) {rows} {more}"
