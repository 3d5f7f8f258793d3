"""What people decide about a group: who is on it, a note, not before then, it is solved. Each in the audit trail."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, select, update
from sqlalchemy.orm import Session

from deadletter.actor import Actor
from deadletter.errors import BadInput, NotFound
from deadletter.event import storable
from deadletter.filters import NOBODY
from deadletter.outcome import EventStatus
from deadletter.store.archive import by_hand
from deadletter.store.audit import note
from deadletter.store.models import Event, Group, GroupNote
from deadletter.store.moves import move_where

MAX_NOTE = 4_000
MAX_ASSIGNEE = 200
MAX_FAILURES = 1_000_000

FAR = datetime(9999, 1, 1, tzinfo=UTC)
"""Until when a group sleeps that only more failures wake."""


def assign(session: Session, group_id: int, assignee: str | None, *, by: Actor, now: datetime) -> None:
    """Say who is on a group; None or an empty name: nobody.

    Raises:
        BadInput: The name is too long, or the word that means nobody.
        NotFound: There is no such group.
    """
    name = storable(assignee or "").strip() or None
    if name is not None and name.lower() == NOBODY:
        raise BadInput(f"{name!r} means that it is nobody's. Leave the name empty for that.")
    if name is not None and len(name) > MAX_ASSIGNEE:
        raise BadInput(f"The name has {len(name):,} characters, and may have {MAX_ASSIGNEE}.")
    before = _hold(session, group_id).assignee
    _set(session, group_id, assignee=name)
    note(session, by, "assign", "group", group_id, details={"to": name or NOBODY, "before": before}, now=now)


def snooze(  # noqa: PLR0913 - until a time, or a number of failures, or both
    session: Session,
    group_id: int,
    *,
    until: datetime | None = None,
    failures: int | None = None,
    by: Actor,
    now: datetime,
) -> None:
    """Hide a group from what is open until a time, or until it has failed so often again, whichever comes first.

    Raises:
        BadInput: Neither is given, the time is past, or the number is not one.
        NotFound: There is no such group.
    """
    _check_snooze(until, failures, now)
    _hold(session, group_id)
    _set(session, group_id, snoozed_until=until or FAR, snooze_left=failures)
    details = {"until": until.isoformat(timespec="seconds") if until else None, "failures": failures}
    note(session, by, "snooze", "group", group_id, details=details, now=now)


def wake(session: Session, group_id: int, *, by: Actor, now: datetime) -> None:
    """End a group's sleep by hand. Raises NotFound."""
    _hold(session, group_id)
    _set(session, group_id, snoozed_until=None, snooze_left=None)
    note(session, by, "wake", "group", group_id, now=now)


def add_note(session: Session, group_id: int, text: str, *, by: Actor, now: datetime) -> int:
    """Write a note about a group; return its id. It stays, whatever becomes of the events.

    Raises:
        BadInput: It is empty or too long.
        NotFound: There is no such group.
    """
    text = storable(text).strip()
    if not text:
        raise BadInput("The note is empty. Write what the next one on call has to know.")
    if len(text) > MAX_NOTE:
        raise BadInput(f"The note has {len(text):,} characters, and may have {MAX_NOTE:,}. Link to the long story.")
    _hold(session, group_id)
    written = GroupNote(group_id=group_id, at=now, who=by.name, text=text)
    session.add(written)
    session.flush()
    note(session, by, "note", "group", group_id, details={"text": text[:200], "note": written.id}, now=now)
    return written.id


def remove_note(session: Session, group_id: int, note_id: int, *, by: Actor, now: datetime) -> None:
    """Take a note away; the trail goes on saying that it was there. Raises NotFound."""
    gone = delete(GroupNote).where(GroupNote.id == note_id, GroupNote.group_id == group_id).returning(GroupNote.id)
    if session.scalar(gone) is None:
        raise NotFound(f"Group {group_id} has no note {note_id}.")
    note(session, by, "unnote", "group", group_id, details={"note": note_id}, now=now)


def resolve(session: Session, group_id: int, *, by: Actor, now: datetime) -> int:
    """Say that what is unresolved of a group needs nothing more; return how many events. Raises NotFound.

    When it fails anew, it has regressed.
    """
    return _move(session, group_id, EventStatus.RESOLVED, {EventStatus.UNRESOLVED}, "resolve", by, now)


def unresolve(session: Session, group_id: int, *, by: Actor, now: datetime) -> int:
    """Undo `resolve`: open again what no redrive resolved; return how many events. Raises NotFound."""
    before = {EventStatus.RESOLVED}
    return _move(session, group_id, EventStatus.UNRESOLVED, before, "unresolve", by, now, by_hand())


def archive(session: Session, group_id: int, *, by: Actor, now: datetime) -> int:
    """Archive what is unresolved of a group; return how many events. Raises NotFound."""
    return _move(session, group_id, EventStatus.ARCHIVED, {EventStatus.UNRESOLVED}, "archive", by, now)


def unarchive(session: Session, group_id: int, *, by: Actor, now: datetime) -> int:
    """Bring back what is archived of a group; return how many events. Raises NotFound."""
    return _move(session, group_id, EventStatus.UNRESOLVED, {EventStatus.ARCHIVED}, "unarchive", by, now)


def _move(  # noqa: PLR0913, PLR0917 - the same move for four verbs
    session: Session,
    group_id: int,
    to: EventStatus,
    before: Collection[EventStatus],
    verb: str,
    by: Actor,
    now: datetime,
    *only: ColumnElement[bool],
) -> int:
    _known(session, group_id)
    ours = and_(Event.group_id == group_id, *only)
    count = move_where(session, [ours], to, values={"redrive_id": None}, before=before)
    note(session, by, verb, "group", group_id, details={"count": count}, now=now)
    return count


def _known(session: Session, group_id: int) -> None:
    if session.scalar(select(Group.id).where(Group.id == group_id)) is None:
        raise NotFound(f"There is no group {group_id}.")


def _hold(session: Session, group_id: int) -> Group:
    """Return a group that nobody else changes until the transaction ends. Raises NotFound."""
    group = session.scalar(select(Group).where(Group.id == group_id).with_for_update())
    if group is None:
        raise NotFound(f"There is no group {group_id}.")
    return group


def _set(session: Session, group_id: int, **values: Any) -> None:  # noqa: ANN401 - columns, each of its type
    session.execute(update(Group).where(Group.id == group_id).values(**values))


def _check_snooze(until: datetime | None, failures: int | None, now: datetime) -> None:
    if until is None and failures is None:
        raise BadInput("Say until when to snooze: a time, a number of failures, or both.")
    if until is not None and not now < until < FAR:
        raise BadInput(f"{until:%Y-%m-%d %H:%M} UTC is past, so there is nothing to wait for. Choose a later time.")
    if failures is not None and not 1 <= failures <= MAX_FAILURES:
        raise BadInput(f"A group can sleep through 1 to {MAX_FAILURES:,} failures, not {failures:,}.")
