"""The audit trail: written in the transaction of the change that it tells of, and never changed afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select, tuple_
from sqlalchemy.orm import Session

from deadletter.actor import Actor
from deadletter.event import storable
from deadletter.filters import EventFilter
from deadletter.store.cursors import read_cursor, write_cursor
from deadletter.store.instant import from_micros, micros
from deadletter.store.models import AuditEntry
from deadletter.store.rows import Page

_ORDER = "audit"
_AT_ONCE = 500
MOST_IDS = 100
"""Ids of events that one entry names; of more it says how many there were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """One thing that somebody did: `who` did `verb` to the `kind` that `subject` names, `at` that time (UTC)."""

    id: int
    at: datetime
    who: str
    verb: str
    kind: str
    subject: str
    details: Mapping[str, Any]
    came_from: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which entries are meant. A part that is None does not narrow; `since <= at < until`."""

    who: str | None = None
    verb: str | None = None
    kind: str | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def note(  # noqa: PLR0913 - what an entry says, each by its name
    session: Session,
    actor: Actor,
    verb: str,
    kind: str,
    subject: int | str,
    *,
    now: datetime,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Write down what *actor* did, in the transaction that does it: both are kept, or neither.

    Args:
        session: The session that makes the change.
        actor: Who, and from where.
        verb: What, in one word, as the command line calls it: `start`, `archive`, `add`.
        kind: Of what: `redrive`, `group`, `event`, `events`, `source`.
        subject: Which one: its id or its ARN; empty where *details* name several.
        now: When, aware, UTC.
        details: What else a reader has to know, as plain JSON: what it was before, how many, the new value.
    """
    session.add(
        AuditEntry(
            at=now,
            who=storable(actor.name),
            verb=verb,
            kind=kind,
            subject=storable(str(subject)),
            details=dict(details or {}),
            came_from=storable(actor.came_from),
        )
    )


def note_events(  # noqa: PLR0913 - what an entry says, each by its name
    session: Session, actor: Actor, verb: str, selection: EventFilter | Sequence[int], *, count: int, now: datetime
) -> None:
    """Write down what *actor* did to the *count* events that *selection* meant: one entry, however many they are."""
    details: dict[str, Any] = {"count": count}
    kind, subject = "events", ""
    if isinstance(selection, EventFilter):
        details["filter"] = selection.to_query()
    elif len(set(selection)) == 1:
        kind, subject = "event", str(selection[0])
    else:
        details["events"] = sorted(set(selection))[:MOST_IDS]
    note(session, actor, verb, kind, subject, details=details, now=now)


def list_audit(session: Session, chosen: AuditFilter, *, cursor: str | None = None, limit: int = 50) -> Page[AuditRow]:
    """Return the entries that *chosen* means, the newest first. Raises BadInput: *cursor* is not of this list."""
    found = [_row(entry) for entry in session.scalars(_query(chosen, cursor).limit(limit + 1))]
    rows = found[:limit]
    return Page(rows, _cursor(rows[-1]) if len(found) > limit else None)


def iter_audit(session: Session, chosen: AuditFilter) -> Iterator[AuditRow]:
    """Yield all entries that *chosen* means, the newest first; few are in memory at a time."""
    for entry in session.scalars(_query(chosen, None).execution_options(yield_per=_AT_ONCE)):
        yield _row(entry)


def latest_of(session: Session, verb: str, kind: str, subjects: Sequence[int]) -> Mapping[int, AuditRow]:
    """Return the latest entry of *verb* about each of *subjects* that has one, by its id."""
    entry = AuditEntry
    query = select(entry).where(entry.kind == kind, entry.subject.in_([str(each) for each in subjects]))
    rows = session.scalars(query.where(entry.verb == verb).order_by(entry.at, entry.id))
    return {int(each.subject): _row(each) for each in rows}


def _query(chosen: AuditFilter, cursor: str | None) -> Select[AuditEntry]:
    entry = AuditEntry
    query = select(entry).order_by(entry.at.desc(), entry.id.desc())
    for name in ("who", "verb", "kind", "subject"):
        if (value := getattr(chosen, name)) is not None:
            query = query.where(getattr(entry, name) == value)
    if chosen.since is not None:
        query = query.where(entry.at >= chosen.since)
    if chosen.until is not None:
        query = query.where(entry.at < chosen.until)
    if cursor is not None:
        at, entry_id = read_cursor(cursor, _ORDER)
        query = query.where(tuple_(entry.at, entry.id) < (from_micros(at), entry_id))
    return query


def _cursor(row: AuditRow) -> str:
    return write_cursor(_ORDER, (micros(row.at), row.id))


def _row(entry: AuditEntry) -> AuditRow:
    return AuditRow(**{field.name: getattr(entry, field.name) for field in fields(AuditRow)})
