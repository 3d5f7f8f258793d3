"""Edits: an event's payload to change, what a change makes of it, a plan of that, and who made which."""

from __future__ import annotations

from flask import request

from console import context
from console.api.bodies import TEXT, Body
from console.api.redrives import REDRIVE
from console.api.routes import CURSOR, Routes, read_limit
from console.api.schemas import Schema, array, fields_of, named, obj, page
from console.context import session, settings
from console.edited import digest_of, form_of, plan_edit, read_edit
from console.edits import shown_edit
from console.plain import plain
from console.public import summary
from deadletter.editing import Diff
from deadletter.errors import BadInput
from deadletter.event import Json
from deadletter.redact import redact_text
from deadletter.store import queries, redrives
from deadletter.store.redrives.edits import EditRow, edits_of_event, list_edits

routes = Routes("edits")
_FACTS = ("redrive_id", "event_id", "position", "how", "made_by", "made_at", "sent_at")
_LINE = obj({"kind": {"type": "string", "enum": ["added", "removed", "same", "gap"]}, "text": {"type": "string"}})
_DIFF = named(
    "Diff", obj({"lines": array(_LINE), "secret_changed": {"type": "boolean"}, "left_out": {"type": "integer"}})
)
_EDIT = named("Edit", obj(fields_of(EditRow, *_FACTS) | {"payload": {"type": "string"}, "diff": _DIFF}))
_FORM = obj({"payload": {"type": "string"}, "digest": {"type": "string"}})
_BASE: Schema = {
    "type": "string",
    "description": "The redrive whose edit is meant; left out: the original.",
}
_PAYLOAD: Schema = {"type": "string", "minLength": 1, "maxLength": 1_000_000}
_GIVEN = {"payload": _PAYLOAD, "digest": TEXT, "base": TEXT}
_MOST_DIGITS = 12


@routes.get("/events/<int:event_id>/edit", _FORM, base=_BASE)
def form(event_id: int) -> Json:
    """Get an event's payload to edit, secrets behind numbered masks that are whole again in what is sent.

    `digest` says which payload it is, and goes with the edit.
    """
    queries.get_event(session(), event_id)
    text, digest = form_of(event_id, request.args.get("base", ""))
    return {"payload": text, "digest": digest}


@routes.post(
    "/events/<int:event_id>/edit/preview", obj({"diff": _DIFF, "digest": TEXT}), _GIVEN, required=_FORM["required"]
)
def preview(body: Body, event_id: int) -> Json:
    """Show what an edit changes of the original, and its digest. Changes nothing."""
    edited, changes = _read(body, event_id)
    return {"diff": _diff(changes), "digest": digest_of(edited)}


@routes.post("/events/<int:event_id>/edits", REDRIVE, _GIVEN, required=_FORM["required"], status=201)
def make(body: Body, event_id: int) -> Json:
    """Plan a redrive of the event with this payload in its own's place. Sends nothing: the plan's `start` does."""
    edited, _ = _read(body, event_id)
    redrive_id = plan_edit(event_id, edited)
    context.forget_session()
    return summary(redrives.get_redrive(session(), redrive_id), settings().secrets)


@routes.get("/events/<int:event_id>/edits", array(_EDIT))
def of_event(event_id: int) -> Json:
    """List every edit of an event, the oldest first: what it changed, who made it, and when it was sent."""
    queries.get_event(session(), event_id)
    return [_shown(edit) for edit in edits_of_event(session(), event_id)]


@routes.get("/redrives/<int:redrive_id>/edits", page(_EDIT), **CURSOR)
def of_redrive(redrive_id: int) -> Json:
    """List what a redrive sends in originals' place, in the order of sending."""
    redrives.get_redrive(session(), redrive_id)
    found = list_edits(session(), redrive_id, after=_after(), limit=read_limit())
    return {"items": [_shown(edit) for edit in found.rows], "next": found.next_cursor}


def _read(body: Body, event_id: int) -> tuple[str, Diff]:
    queries.get_event(session(), event_id)
    return read_edit(event_id, body.get("base", ""), body["payload"], body["digest"])


def _shown(edit: EditRow) -> Json:
    secrets = settings().secrets
    facts = {name: plain(getattr(edit, name)) for name in _FACTS}
    return facts | {"payload": redact_text(edit.payload, secrets), "diff": _diff(shown_edit(edit, secrets).diff)}


def _diff(changes: Diff) -> Json:
    lines = [{"kind": line.kind, "text": line.text} for line in changes.lines]
    return {"lines": lines, "secret_changed": changes.secret_changed, "left_out": changes.left_out}


def _after() -> int:
    cursor = request.args.get("cursor", "-1")
    digits = cursor.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) < _MOST_DIGITS):
        raise BadInput(f"{cursor[:40]!r} is no cursor of this list: take the `next` of the page before.")
    return int(cursor)
