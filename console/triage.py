"""What the group page's forms ask for, read and done: who is on it, notes, not before then, solved, out of sight."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from console.forms import Form, read_id
from deadletter.actor import Actor
from deadletter.errors import BadInput
from deadletter.filters import read_ahead
from deadletter.store import triage

Told = Mapping[str, int]
"""What the page is to say afterwards, as parts of its address: `resolved=3`."""


VERBS = ("assign", "snooze", "wake", "note", "unnote", "resolve", "unresolve", "archive", "unarchive")
"""What the group page can ask for: the last part of its forms' addresses."""


def act(  # noqa: PLR0913 - what a form asks for, and in whose name
    session: Session, group_id: int, verb: str, form: Form, *, by: Actor, now: datetime
) -> Told:
    """Do what a form of the group page asks for.

    Raises:
        BadInput: A field is not what it must be; the sentence says which.
        NotFound: There is no such group, or no such note.
    """
    return _ACTS[verb](session, group_id, form, {"by": by, "now": now})


def read_count(text: str) -> int | None:
    """Return the number of failures that a form says; None where it says none. Raises BadInput."""
    clean = text.strip().replace(",", "")
    if clean and not (clean.isascii() and clean.isdecimal() and len(clean) <= 9):  # noqa: PLR2004 - far too many already
        raise BadInput(f"{text[:40]!r} is not a number of failures. Write one such as 50, or leave it empty.")
    return int(clean) if clean else None


def _assign(session: Session, group_id: int, form: Form, who: dict[str, Any]) -> Told:
    triage.assign(session, group_id, form.get("assignee"), **who)
    return {}


def _snooze(session: Session, group_id: int, form: Form, who: dict[str, Any]) -> Told:
    text = form.get("until", "").strip()
    until = read_ahead(text, now=who["now"]) if text else None
    triage.snooze(session, group_id, until=until, failures=read_count(form.get("failures", "")), **who)
    return {}


def _wake(session: Session, group_id: int, _form: Form, who: dict[str, Any]) -> Told:
    triage.wake(session, group_id, **who)
    return {}


def _note(session: Session, group_id: int, form: Form, who: dict[str, Any]) -> Told:
    triage.add_note(session, group_id, form.get("text", ""), **who)
    return {}


def _unnote(session: Session, group_id: int, form: Form, who: dict[str, Any]) -> Told:
    triage.remove_note(session, group_id, read_id(form, "note") or 0, **who)
    return {}


_ACTS: Mapping[str, Callable[[Session, int, Form, dict[str, Any]], Told]] = {
    "assign": _assign,
    "snooze": _snooze,
    "wake": _wake,
    "note": _note,
    "unnote": _unnote,
    "resolve": lambda session, group_id, _form, who: {"resolved": triage.resolve(session, group_id, **who)},
    "unresolve": lambda session, group_id, _form, who: {"reopened": triage.unresolve(session, group_id, **who)},
    "archive": lambda session, group_id, _form, who: {"archived": triage.archive(session, group_id, **who)},
    "unarchive": lambda session, group_id, _form, who: {"unarchived": triage.unarchive(session, group_id, **who)},
}
