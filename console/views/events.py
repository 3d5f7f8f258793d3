"""Failed events: the list, one event, its raw record, and what is done to many: archived, resolved, undone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from console import format as fmt
from console import life, lists
from console.context import actor, engine, now, session, settings
from console.edits import shown_edit
from console.forms import Listing, local_path, read_selection
from console.sign_in.scope import check_selection
from deadletter import store
from deadletter.access import Permission
from deadletter.errors import NotFound
from deadletter.event import FailedEvent
from deadletter.fingerprint.frames import in_app_frames
from deadletter.outcome import EventStatus
from deadletter.redact import redact_text
from deadletter.secret_rules import SecretRules
from deadletter.store import audit, queries
from deadletter.store.audit import AuditFilter, AuditRow, list_audit
from deadletter.store.redrives.edits import edits_of_event
from deadletter.store.rows import EventDetail, EventRow, StatusCounts
from deadletter.store.sources import list_readings

bp = Blueprint("events", __name__, url_prefix="/events")


class Frame(NamedTuple):
    """One entry of a stack trace, and whether it is the function's own code."""

    text: str
    in_app: bool


@bp.get("")
def index() -> str:
    """Show the events that match the filter."""
    listing = Listing.from_args(request.args, now=now())
    counts = queries.status_counts(session())
    return render_template("events/index.html", **_list_facts(listing, counts), **lists.events_facts(listing, counts))


@bp.get("/<int:event_id>")
def show(event_id: int) -> str:
    """Show one event: its error, its payload, its records, its life."""
    detail = queries.get_event(session(), event_id)
    return render_template("events/show.html", **_event_facts(detail, settings().secrets))


@bp.get("/<int:event_id>/raw")
def raw(event_id: int) -> Response:
    """Download a record as AWS wrote it, secrets masked: the main one, or the one that `record` names."""
    detail = queries.get_event(session(), event_id)
    wanted = request.args.get("record", str(detail.main.id))
    record = next((record for record in detail.records if str(record.id) == wanted), None)
    if record is None:
        raise NotFound(f"Event {event_id} has no record {wanted!r}.")
    body = redact_text(record.body, settings().secrets).encode("utf-8", "surrogatepass")
    return Response(body, content_type="text/plain; charset=utf-8", headers=_download(f"event-{event_id}-{record.id}"))


@bp.post("/archive")
def archive() -> Response:
    """Hide the selected events from the lists of what is open; nothing is deleted."""
    return _move("archived", queries.archive_events)


@bp.post("/unarchive")
def unarchive() -> Response:
    """Bring the selected events back."""
    return _move("unarchived", queries.unarchive_events)


@bp.post("/resolve")
def resolve() -> Response:
    """Say that the selected events are dealt with; what fails anew has regressed."""
    return _move("resolved", queries.resolve_events)


@bp.post("/unresolve")
def unresolve() -> Response:
    """Open again those of the selected events that were resolved by hand."""
    return _move("reopened", queries.unresolve_events)


@bp.post("/<int:event_id>/reveal")
def reveal(event_id: int) -> str:
    """Show one event with nothing masked, this once; the audit trail says who looked."""
    with store.write(engine()) as writing:
        audit.note(writing, actor(), "reveal", "event", event_id, now=now())
    detail = queries.get_event(session(), event_id)
    return render_template("events/show.html", **_event_facts(detail, None))


def _move(done: str, move: Callable[..., int]) -> Response:
    """Move what the form selects; return to where it came from, filter and all, and say how many."""
    chosen = read_selection(request.form, now=now())
    check_selection(Permission.TRIAGE, chosen)
    with store.write(engine()) as writing:
        n = move(writing, chosen, by=actor(), now=now())
    path = local_path(request.form.get("back", ""), url_for(".index"))
    return redirect(f"{path}{'&' if '?' in path else '?'}{done}={n}", 303)


def _download(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}.txt"'}


def _list_facts(listing: Listing, counts: StatusCounts) -> dict[str, Any]:
    return {
        "sources": list_readings(session()),
        "facets": queries.facets(session()),
        "counts": asdict(counts) if listing.chosen.with_(status=None).is_empty else None,
        "news": lists.news(f"{request.path}?{listing.query()}", total=counts.total),
    }


def _event_facts(detail: EventDetail, keys: SecretRules | None) -> dict[str, Any]:
    failure = life.latest_failure(detail)
    told = life.read_record(detail.main)
    payload = detail.fetched if told.payload_text is None else told.payload_text
    return {
        "detail": detail,
        "told": told,
        "revealed": keys is None,
        "failure": failure,
        "frames": [Frame(text.rstrip("\n"), bool(in_app_frames([text]))) for text in failure.stack_trace or ()],
        "silence": _silence(failure),
        "payload": None if payload is None else fmt.shown(payload, keys),
        "raw": {record.id: fmt.shown(record.body, keys) for record in detail.records},
        "life": life.steps(detail, _acts(detail.event.id)),
        "edits": [shown_edit(edit, settings().secrets) for edit in edits_of_event(session(), detail.event.id)],
        "blocked": _why_not(detail.event),
    }


def _acts(event_id: int) -> Sequence[AuditRow]:
    """Return what people did to one event besides redriving it, as far as an entry names it alone."""
    return list_audit(session(), AuditFilter(kind="event", subject=str(event_id))).rows


def _silence(failure: FailedEvent) -> str:
    """Say why there is no error message: some records never hold one."""
    if failure.producer == "sqs-redrive":
        return "The queue gave up on this message after its receives; SQS does not say why. The consumer's log does."
    return "The record does not say why it failed."


def _why_not(event: EventRow) -> str | None:
    """Return why this event cannot be redriven now, or None."""
    if event.status is EventStatus.REDRIVING:
        return f"It is part of redrive {event.redrive_id} now."
    if event.status is EventStatus.ARCHIVED:
        return "It is archived: unarchive it first."
    return event.reason if event.redrivable == "no" else None
