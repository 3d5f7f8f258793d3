"""Edit one event and redrive it: a form, what it changes, and a plan. The original is kept."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from console.context import session
from console.edited import digest_of, form_of, plan_edit, read_edit, start_of
from console.problems import status_of
from deadletter.editing import Diff
from deadletter.errors import BadInput, ChangedSincePlan
from deadletter.store import queries
from deadletter.store.redrives.edits import edits_of_event
from deadletter.store.rows import EventDetail

bp = Blueprint("edits", __name__, url_prefix="/events")


@bp.get("/<int:event_id>/edit")
def form(event_id: int) -> str:
    """Show the payload, or an earlier edit of it (`base`), as a form, secrets behind numbered masks."""
    detail, base = queries.get_event(session(), event_id), request.args.get("base", "")
    text, _ = form_of(event_id, base)
    return _page(detail, base, text)


@bp.post("/<int:event_id>/edit")
def review(event_id: int) -> Response | str | tuple[str, int]:
    """Show what the edit changes; once that was seen, plan a redrive of it. 422 for what cannot be sent."""
    detail, base = queries.get_event(session(), event_id), request.form.get("base", "")
    text = request.form.get("payload", "").replace("\r\n", "\n")
    try:
        edited, changes = read_edit(event_id, base, text, request.form.get("digest", ""))
    except (BadInput, ChangedSincePlan) as error:
        return _page(detail, base, text, error=str(error)), status_of(error)
    if request.form.get("confirmed") != digest_of(edited):
        return _page(detail, base, text, shown=changes, reviewed=digest_of(edited))
    return redirect(url_for("redrives.show", redrive_id=plan_edit(event_id, edited)), 303)


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
        digest=digest_of(start_of(detail.event.id, base)),
        error=error,
        shown=shown,
        reviewed=reviewed,
        latest=edits[-1] if edits and not base else None,
    )
