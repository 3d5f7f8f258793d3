"""Redrives: the list, a plan, its start, its progress, its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from console import progress as words
from console import steering
from console.context import actor, engine, forget_session, now, session, settings
from console.edits import shown_edit
from console.empty import alive
from console.forms import Listing, read_id, read_selection
from console.limits import limit_sentences
from console.planning import plan
from deadletter import redrive as use
from deadletter.errors import BadInput, ChangedSincePlan, IllegalMove, NeedsConfirming
from deadletter.filters import EventFilter
from deadletter.outcome import HELD, Outcome, RedriveStatus
from deadletter.preflight import Protection
from deadletter.store import queries, redrives
from deadletter.store.left import has_left
from deadletter.store.redrives import approvals
from deadletter.store.redrives.edits import list_edits
from deadletter.store.redrives.lanes import limits_of
from deadletter.store.redrives.late import count_late
from deadletter.store.redrives.order import holds_back
from deadletter.store.redrives.silence import list_deaf_sources
from deadletter.store.rows import RedriveRow

bp = Blueprint("redrives", __name__, url_prefix="/redrives")
_ROWS, _PLAN_ROWS = 50, 20
_FORM = ("target", "rate", "invocation", "transform", "done", *steering.FIELDS)


@bp.get("")
def index() -> str:
    """Show the redrives, newest first."""
    return render_template(
        "redrives/index.html", page=redrives.list_redrives(session(), cursor=request.args.get("cursor"))
    )


@bp.post("")
def create() -> Response | tuple[str, int]:
    """Plan a redrive of what the form selects, or of what an earlier plan chose. Sends nothing."""
    again = read_id(request.form, "again")
    try:
        redrive_id = plan(request.form, _chosen_before(again) if again else read_selection(request.form, now=now()))
    except BadInput as error:
        if not again:
            raise
        return page(again, notice=str(error), form=request.form), 422
    _discard(again)
    return redirect(url_for(".show", redrive_id=redrive_id), 303)


@bp.get("/<int:redrive_id>")
def show(redrive_id: int) -> str:
    """Show the plan, how far it is, and what became of every event."""
    return page(redrive_id)


@bp.get("/<int:redrive_id>/progress")
def progress(redrive_id: int) -> str:
    """Show how far it is: the fragment that polls itself until the redrive ends."""
    redrive = redrives.get_redrive(session(), redrive_id)
    return render_template("redrives/_progress.html", polled=True, **_progress_facts(redrive))


@bp.get("/<int:redrive_id>/edits")
def edits(redrive_id: int) -> str:
    """Show what is sent in originals' place, with a diff for each."""
    redrive = redrives.get_redrive(session(), redrive_id)
    cursor = request.args.get("cursor", "-1")
    after = int(cursor) if cursor.removeprefix("-").isdecimal() and len(cursor) < 12 else -1  # noqa: PLR2004 - positions are small
    page = list_edits(session(), redrive_id, after=after)
    diffs = [shown_edit(edit, settings().secrets) for edit in page.rows]
    listing = Listing(MultiDict(), EventFilter(), path=request.path)
    return render_template("redrives/edits.html", redrive=redrive, page=page, diffs=diffs, listing=listing)


@bp.post("/<int:redrive_id>/start")
def start(redrive_id: int) -> Response | tuple[str, int]:
    """Start sending what the plan says; 409 with the plan as it is now if that is not what was confirmed."""
    digest = request.form.get("digest", "")
    try:
        at_once = request.form.get("at_once") == "1"
        use.start(
            engine(),
            redrive_id,
            digest=digest,
            at_once=at_once,
            originals=request.form.get("payloads") == "original",
            started_by=actor(),
            approval_hours=settings().approval.hours,
            now=now(),
        )
    except (ChangedSincePlan, IllegalMove) as error:
        return fresh_page(redrive_id, notice=str(error)), 409
    except NeedsConfirming as error:
        return page(redrive_id, notice=str(error)), 422
    return redirect(url_for(".show", redrive_id=redrive_id), 303)


@bp.post("/<int:redrive_id>/cancel")
def cancel(redrive_id: int) -> Response | tuple[str, int]:
    """Send no more of it; what is sent stays sent."""
    try:
        use.cancel(engine(), redrive_id, by=actor(), now=now())
    except IllegalMove as error:
        return page(redrive_id, notice=str(error)), 409
    return redirect(url_for(".show", redrive_id=redrive_id), 303)


def _chosen_before(redrive_id: int) -> EventFilter | Sequence[int]:
    selection = redrives.get_redrive(session(), redrive_id).selection
    if "events" in selection:
        return [int(event_id) for event_id in selection["events"]]
    return EventFilter.from_query(selection["filter"], now=now())


def _discard(redrive_id: int | None) -> None:
    """Cancel the plan that another one takes the place of; one that was started meanwhile goes on."""
    if redrive_id and redrives.get_redrive(session(), redrive_id).status is RedriveStatus.PLANNED:
        use.cancel(engine(), redrive_id, by=actor(), now=now())


def fresh_page(redrive_id: int, *, notice: str) -> str:
    """Return the page of a redrive that this very request changed: its snapshot was of before."""
    forget_session()
    return page(redrive_id, notice=notice)


def page(redrive_id: int, *, notice: str = "", form: Mapping[str, str] | None = None) -> str:
    """Return the page of one redrive, with a *notice* above it, and the fields of its *form* as they were sent."""
    redrive = redrives.get_redrive(session(), redrive_id)
    outcome = _outcome(request.args)
    args = MultiDict({name: request.args[name] for name in ("outcome", "state", "cursor") if name in request.args})
    listing = Listing(args, EventFilter(), path=url_for("redrives.show", redrive_id=redrive_id))
    approval = approvals.latest(session(), redrive_id)
    most = _PLAN_ROWS if redrive.status is RedriveStatus.PLANNED else _ROWS
    state = _state(request.args)
    items = redrives.list_items(
        session(), redrive_id, outcome=outcome, protection=state, cursor=listing.cursor, limit=most
    )
    return render_template(
        "redrives/show.html",
        items=items,
        approval=approval,
        outcome=outcome,
        state=state,
        listing=listing,
        notice=notice,
        polled=False,
        form=_fields(redrive, form),
        alive=alive(queries.list_workers(session()), now()),
        **_progress_facts(redrive),
        left_there=redrive.status is RedriveStatus.PLANNED and has_left(session(), redrive_id),
        deaf=list_deaf_sources(session(), redrive_id),
        asks=use.which_form(session(), redrive),
        holds=holds_back(session(), redrive.id) if redrive.held else None,
        **_failure_facts(redrive),
    )


def _progress_facts(redrive: RedriveRow) -> dict[str, Any]:
    cancellable = redrive.status in {RedriveStatus.RUNNING, RedriveStatus.WATCHING, *HELD}
    return {
        "redrive": redrive,
        "held": steering.held(redrive, now()),
        "careful": steering.manner_words(redrive),
        "limits": limit_sentences(redrive, limits_of(session(), [line["arn"] for line in redrive.targets])),
        "stages": words.stages(redrive, now()),
        "left": words.time_left(redrive, now()),
        "cancel_note": words.cancel_note(redrive) if cancellable else None,
    }


def _failure_facts(redrive: RedriveRow) -> dict[str, Any]:
    failed = redrives.list_items(session(), redrive.id, outcome=Outcome.FAILED_AGAIN)
    causes, late = words.new_causes(failed.rows), count_late(session(), redrive, now=now())
    return {"causes": causes, "failed_seen": len(failed.rows), "late": late}


def _fields(redrive: RedriveRow, form: Mapping[str, str] | None) -> dict[str, str]:
    """Return the fields of the plan's form: as they were sent, else as the plan has them."""
    if form is not None:
        return {name: form.get(name, "") for name in _FORM}
    written = steering.fields_of(redrive) | {
        "target": "",
        "rate": f"{redrive.rate:g}",
        "invocation": redrive.invocation,
    }
    done = "skip" if (redrive.preflight or {}).get("skip_done", True) else "send"
    return written | {"transform": (redrive.edit or {}).get("text", ""), "done": done}


def _state(args: Mapping[str, str]) -> Protection | None:
    text = args.get("state", "")
    if text and text not in set(Protection):
        raise BadInput(f"state is {text!r}, and must be one of: {', '.join(Protection)}.")
    return Protection(text) if text else None


def _outcome(args: Mapping[str, str]) -> Outcome | None:
    text = args.get("outcome", "")
    if text and text not in set(Outcome):
        raise BadInput(f"outcome is {text!r}, and must be one of: {', '.join(Outcome)}.")
    return Outcome(text) if text else None
