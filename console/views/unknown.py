"""Events of which nobody knows what became: the list, looking for evidence, sending one again."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from console.context import actor, engine, now, open_records, session
from console.forms import Listing, read_ids
from console.planning import plan
from console.sign_in.scope import check_selection, narrowed
from deadletter import store
from deadletter.access import Permission
from deadletter.errors import BadInput, NotFound
from deadletter.filters import EventFilter
from deadletter.outcome import Outcome
from deadletter.redrive import doubts as looking
from deadletter.store.audit import latest_of, note
from deadletter.store.redrives.doubts import count_doubts, list_doubts

bp = Blueprint("unknown", __name__, url_prefix="/unknown")


@bp.get("")
def index() -> str:
    """Show the events whose last outcome is unknown, over all redrives."""
    return _page()


@bp.post("/check")
def check() -> Response | tuple[str, int]:
    """Look for evidence of what became of the ticked events, and write down what is proven and what was found."""
    try:
        found = looking.check(engine(), _ticked(Permission.TRIAGE), open_records=open_records(), by=actor(), now=now())
    except (BadInput, NotFound) as error:
        return _page(notice=str(error)), 422
    settled = sum(each.outcome is not Outcome.UNKNOWN for each in found)
    return redirect(url_for(".index", checked=len(found), settled=settled), 303)


@bp.post("/send-again")
def send_again() -> Response | tuple[str, int]:
    """Plan to send the ticked events again, by hand; nothing is sent before that plan is confirmed."""
    try:
        chosen = _ticked(Permission.REDRIVE)
        redrive_id = plan(request.form, chosen)
    except BadInput as error:
        return _page(notice=str(error)), 422
    with store.write(engine()) as writing:
        for event_id in chosen:
            note(writing, actor(), "send-again", "event", event_id, details={"redrive": redrive_id}, now=now())
    return redirect(url_for("redrives.show", redrive_id=redrive_id), 303)


def _ticked(permission: Permission) -> Sequence[int]:
    chosen = read_ids(request.form, "event")
    if not chosen:
        raise BadInput("Nothing is ticked, so there is nothing to do. Tick some events first.")
    check_selection(permission, chosen)
    return chosen


def _page(*, notice: str = "") -> str:
    written = {name: request.args[name] for name in ("cursor",) if name in request.args}
    theirs = narrowed(EventFilter()).sources
    page = list_doubts(session(), sources=theirs, cursor=written.get("cursor"))
    return render_template(
        "unknown/index.html",
        page=page,
        checks=latest_of(session(), "check", "event", [row.event_id for row in page.rows]),
        total=count_doubts(session()),
        listing=Listing(written, EventFilter(), path=url_for(".index")),
        notice=notice,
        done={name: request.args.get(name, 0, type=int) for name in ("checked", "settled")},
        target="unknown",
    )
