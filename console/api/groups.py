"""Groups: the list, one, its notes, and what people do to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast, get_args

from flask import request
from werkzeug.datastructures import MultiDict

from console import triage
from console.api.bodies import ID, WHOLE, Body
from console.api.filters import FILTER
from console.api.routes import CURSOR, Routes, View, read_limit
from console.api.schemas import Schema, array, fields_of, named, obj, page
from console.context import actor, engine, now, session, settings
from console.forms import STANDINGS, Listing
from console.public import public
from deadletter import store
from deadletter.errors import BadInput
from deadletter.event import Json
from deadletter.store import queries
from deadletter.store.rows import GroupRow, NoteRow

routes = Routes("groups")
_SORTS = get_args(queries.Sort)
_GROUP = named("Group", obj(fields_of(GroupRow) | fields_of(GroupRow, "standing")))
_NOTE = named("Note", obj(fields_of(NoteRow)))
_DONE = obj({"group": _GROUP, "events": {"type": ["integer", "null"]}})
_STATUS = {"type": "string", "enum": [*map(str, STANDINGS), "all"], "default": "unresolved"}
_QUERY = {**FILTER, "status": _STATUS, "sort": {"type": "string", "enum": list(_SORTS)}, **CURSOR}


@routes.get("/groups", page(_GROUP), **_QUERY)
def index() -> Json:
    """List groups: the unresolved ones that nobody has snoozed, where the filter does not say."""
    asked = MultiDict(pair for pair in request.args.items(multi=True) if pair[0] != "limit")
    chosen = Listing.of_groups(asked, now=now()).chosen
    sort = request.args.get("sort") or _SORTS[0]
    if sort not in _SORTS:
        raise BadInput(f"Groups cannot be sorted by {sort[:40]!r}, but by one of: {', '.join(_SORTS)}.")
    found = queries.list_groups(
        session(),
        chosen,
        sort=cast("queries.Sort", sort),
        cursor=request.args.get("cursor"),
        limit=read_limit(),
        now=now(),
    )
    return {"items": [_shown(row) for row in found.rows], "next": found.next_cursor}


@routes.get("/groups/<int:group_id>", _GROUP)
def show(group_id: int) -> Json:
    """Get one group."""
    return _shown(queries.get_group(session(), group_id, now=now()))


@routes.get("/groups/<int:group_id>/notes", array(_NOTE))
def notes(group_id: int) -> Json:
    """List what people wrote about a group, the newest first."""
    queries.get_group(session(), group_id, now=now())
    return [public(note, settings().secrets) for note in queries.list_notes(session(), group_id)]


def _shown(row: GroupRow) -> Json:
    return {**public(row, settings().secrets), "standing": str(row.standing)}


def _act(verb: str, about: str) -> View:
    def act(body: Body, group_id: int) -> Json:
        form = MultiDict({name: str(value) for name, value in body.items()})
        with store.write(engine()) as writing:
            told = triage.act(writing, group_id, verb, form, by=actor(), now=now())
        with store.read(engine()) as reading:
            row = queries.get_group(reading, group_id, now=now())
        return {"group": _shown(row), "events": next(iter(told.values()), None)}

    act.__name__, act.__doc__ = verb, about
    return act


_TEXT = {"type": "string", "maxLength": 10_000}
_VERBS: Mapping[str, tuple[str, Mapping[str, Schema], Sequence[str]]] = {
    "assign": ("Let somebody be on it, or nobody (an empty text).", {"assignee": _TEXT}, ["assignee"]),
    "snooze": (
        "Keep it out of the open ones until a time (ISO 8601, or a span such as 24h), or for so many more failures.",
        {"until": _TEXT, "failures": WHOLE},
        [],
    ),
    "wake": ("Snooze it no longer.", {}, []),
    "note": ("Write something about it.", {"text": _TEXT}, ["text"]),
    "unnote": ("Remove a note.", {"note": ID}, ["note"]),
    "resolve": ("Say that its events are dealt with.", {}, []),
    "unresolve": ("Open again what was resolved by hand.", {}, []),
    "archive": ("Hide its open events from the lists; nothing is deleted.", {}, []),
    "unarchive": ("Bring its archived events back.", {}, []),
}
for _verb, (_about, _fields, _required) in _VERBS.items():
    routes.post(f"/groups/<int:group_id>/{_verb}", _DONE, _fields, required=_required)(_act(_verb, _about))
