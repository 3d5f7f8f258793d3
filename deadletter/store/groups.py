"""Groups come into being: the first event with a new fingerprint makes one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from deadletter.fingerprint import Fingerprint
from deadletter.store.births import note_births
from deadletter.store.counters import EMPTY
from deadletter.store.engine import insert_for, is_postgres
from deadletter.store.models import Group
from deadletter.store.rowset import parts, table_of
from deadletter.store.text import MAX_FRAMES, MAX_MESSAGE, MAX_NAME, kept


def ensure_groups(
    session: Session, causes: Iterable[tuple[Fingerprint, datetime]], *, now: datetime
) -> Mapping[str, int]:
    """Return the id of each cause's group by fingerprint; make those that are new, without events, seen at that time.

    On PostgreSQL a new group is committed at once and on a connection of its own. Others wait for it only that long,
    whatever locks they hold, so nobody can wait in a circle; a group without events is shown nowhere.
    """
    wanted = {cause.value: (cause, at) for cause, at in causes}
    known = _ids(session, wanted)
    new = [_row(*wanted[value]) for value in sorted(wanted.keys() - known.keys())]
    if not new:
        return known
    if is_postgres(session):
        with Session(session.get_bind()) as other, other.begin():
            _insert(other, new, now)
    else:
        _insert(session, new, now)
    return known | _ids(session, [row["fingerprint"] for row in new])


def _ids(session: Session, fingerprints: Collection[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for some in parts(fingerprints):
        rows = session.execute(select(Group.fingerprint, Group.id).where(Group.fingerprint.in_(some)))
        found.update((row.fingerprint, row.id) for row in rows)
    return found


def _insert(session: Session, rows: list[dict[str, Any]], now: datetime) -> None:
    group = table_of(Group)
    statement = insert_for(session)(group).on_conflict_do_nothing().returning(group.c.function_name)
    note_births(session, session.connection().execute(statement, rows).scalars(), now)


def _row(cause: Fingerprint, at: datetime) -> dict[str, Any]:
    return {
        "fingerprint": cause.value,
        "fingerprint_version": cause.version,
        "function_arn": kept(cause.function_arn, MAX_NAME),
        "function_name": kept(cause.function_name, MAX_NAME),
        "error_type": kept(cause.error_type, MAX_NAME),
        "title": kept(cause.title, MAX_NAME),
        "masked_message": kept(cause.masked, MAX_MESSAGE),
        "frames": list(cause.frames[:MAX_FRAMES]),
        "status": EMPTY,
        "first_seen": at,
        "last_seen": at,
        "n_unresolved": 0,
        "n_redriving": 0,
        "n_resolved": 0,
        "n_archived": 0,
    }
