"""The counts that pages show, gathered during a transaction and written at its end: exact, and without deadlocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from sqlalchemy import FromClause, Integer, Table, Update, bindparam, case, update
from sqlalchemy.orm import Session

from deadletter.outcome import EventStatus
from deadletter.store.engine import insert_for
from deadletter.store.instant import hour_of
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
        """Add everything to the counters, in at most four statements."""
        changed = sorted(self.groups.keys() | self.seen.keys())
        if changed:
            session.connection().execute(_UPDATE_GROUP, [self._group(group_id) for group_id in changed])
        for table, keys, counts in (
            (GroupSource, ("group_id", "source_id", "producer"), self.group_sources),
            (GroupHour, ("group_id", "hour"), self.group_hours),
            (SourceHour, ("source_id", "hour"), self.source_hours),
        ):
            _add(session, table.__table__, keys, counts)

    def _group(self, group_id: int) -> dict[str, Any]:
        counts = self.groups.get(group_id, Counter())
        first, last = self.seen.get(group_id, (None, None))
        changes = {f"more_{status}": counts[status] for status in EventStatus}
        return {"group": group_id, "first": first, "last": last, "more_failures": self.failures[group_id]} | changes


def _update_group() -> Update:
    group = Group.__table__.c
    after = {status: group[f"n_{status}"] + bindparam(f"more_{status}") for status in EventStatus}
    # The first status, in this order, that any event of the group has.
    derived = case(*[(n > 0, status.value) for status, n in after.items()], else_=EMPTY)
    regressed = (group.status == EventStatus.RESOLVED.value) & (bindparam("more_failures", type_=Integer()) > 0)
    is_open = (after[EventStatus.UNRESOLVED] > 0) | (after[EventStatus.REDRIVING] > 0)
    first, last = (bindparam(name, type_=group.first_seen.type) for name in ("first", "last"))
    return (
        update(cast("Table", Group.__table__))
        .where(group.id == bindparam("group"))
        .values({f"n_{status}": n for status, n in after.items()} | {"status": derived})
        .values(
            regressed_at=case((~is_open, None), (regressed, last), else_=group.regressed_at),
            # To fail anew after it was resolved is news, however long it was to sleep.
            snoozed_until=case((is_open & regressed, None), else_=group.snoozed_until),
            snooze_left=group.snooze_left - bindparam("more_failures", type_=Integer()),
        )
        .values(first_seen=case((group.first_seen > first, first), else_=group.first_seen))
        .values(last_seen=case((group.last_seen < last, last), else_=group.last_seen))
    )


_UPDATE_GROUP = _update_group()


def _add(session: Session, rollup: FromClause, keys: Sequence[str], counts: Counter[Any]) -> None:
    rows = [dict(zip((*keys, "n"), (*key, n), strict=True)) for key, n in sorted(counts.items()) if n]
    if rows:
        statement = insert_for(session)(cast("Table", rollup))
        total = statement.table.c.n + statement.excluded.n
        session.connection().execute(statement.on_conflict_do_update(index_elements=keys, set_={"n": total}), rows)
