"""Edit one event and redrive it: a form, what it changes, and a plan. The original is kept."""

from __future__ import annotations

import hashlib

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from console.context import actor, engine, now, open_records, session, settings
from deadletter import redrive as use
from deadletter.editing import Diff, diff, editable, read_edited
from deadletter.editing.payload import payload_of
from deadletter.errors import BadInput, NotFound
from deadletter.parse import parse_message
from deadletter.redrive.editing import ByHand
from deadletter.store import queries
from deadletter.store.redrives.edits import edits_of_event
from deadletter.store.redrives.sendable import iter_sendable
from deadletter.store.rows import EventDetail

bp = Blueprint("edits", __name__, url_prefix="/events")
_CHANGED = "Another record of this event came in meanwhile, so its payload is not the one that you edited. Look again."


@bp.get("/<int:event_id>/edit")
def form(event_id: int) -> str:
    """Show the payload, or an earlier edit of it (`base`), as a form, secrets behind numbered masks."""
    detail = queries.get_event(session(), event_id)
    base = request.args.get("base", "")
    return _page(detail, base, editable(_start(detail, base), settings().secrets))


@bp.post("/<int:event_id>/edit")
def review(event_id: int) -> Response | str | tuple[str, int]:
    """Show what the edit changes; once that was seen, plan a redrive of it. 422 for what cannot be sent."""
    detail, base = queries.get_event(session(), event_id), request.form.get("base", "")
    text = request.form.get("payload", "").replace("\r\n", "\n")
    if request.form.get("digest") != _digest(_start(detail, base)):
        return _page(detail, base, text, error=_CHANGED), 409
    try:
        edited, changes = _edited(detail, base, text)
    except BadInput as error:
        return _page(detail, base, text, error=str(error)), 422
    if request.form.get("confirmed") != _digest(edited):
        return _page(detail, base, text, shown=changes, reviewed=_digest(edited))
    return redirect(url_for("redrives.show", redrive_id=_plan(event_id, edited)), 303)


def _edited(detail: EventDetail, base: str, text: str) -> tuple[str, Diff]:
    """Return what is to be sent, and what that changes of the original. Raises BadInput."""
    secrets = settings().secrets
    edited = read_edited(text, _start(detail, base), secrets)
    changes = diff(_original(detail), edited, secrets)
    if changes.is_empty:
        raise BadInput("Nothing changed, so there is nothing to review. Redrive the event as it is, or edit it.")
    return edited, changes


def _plan(event_id: int, edited: str) -> int:
    return use.create_plan(
        engine(),
        [event_id],
        edit=ByHand(edited),
        open_records=open_records(),
        asked_by=actor(),
        settings=settings(),
        now=now(),
    )


def _original(detail: EventDetail) -> str:
    one = next(iter_sendable(session(), [detail.event.id]))
    payload = payload_of(one.message, parse_message(one.message), one.supplement)
    if payload is None:
        raise BadInput("The record does not hold the event's payload, so there is nothing to edit.")
    return payload


def _start(detail: EventDetail, base: str) -> str:
    """Return the text that the form starts from: its masks stand for that text's secrets."""
    if not base:
        return _original(detail)
    for edit in edits_of_event(session(), detail.event.id):
        if str(edit.redrive_id) == base:
            return edit.payload
    raise NotFound(f"Event {detail.event.id} has no edit in redrive {base[:20]!r}.")


def _page(  # noqa: PLR0913 - what the page shows, each by its name
    detail: EventDetail,
    base: str,
    text: str,
    *,
    error: str | None = None,
    shown: Diff | None = None,
    reviewed: str = "",
) -> str:
    edits = edits_of_event(session(), detail.event.id)
    return render_template(
        "events/edit.html",
        event=detail.event,
        base=base,
        text=text,
        digest=_digest(_start(detail, base)),
        error=error,
        shown=shown,
        reviewed=reviewed,
        latest=edits[-1] if edits and not base else None,
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
