"""Groups of failed events: the list, and one group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any, cast, get_args

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from console import charts, lists, runbook, triage
from console.context import actor, engine, now, session, settings
from console.details import said
from console.forms import EVERY_STATUS, Listing, local_path
from deadletter import fingerprint, store
from deadletter.errors import BadInput
from deadletter.filters import NOBODY, EventFilter
from deadletter.outcome import EventStatus, RedriveStatus
from deadletter.store import queries
from deadletter.store.audit import AuditFilter, list_audit
from deadletter.store.births import find_flood
from deadletter.store.redrives import get_redrive, items_of_event
from deadletter.store.rows import EventRow, GroupRow, RedriveRow
from deadletter.store.sources import list_readings

bp = Blueprint("groups", __name__, url_prefix="/groups")
_CHART_DAYS = 14
_HISTORY = 8


@bp.get("")
def index() -> str:
    """Show the groups that match the filter: the unresolved ones where it does not say."""
    listing = Listing.of_groups(request.args, now=now())
    return render_template("groups/index.html", **_list_facts(listing))


@bp.get("/news")
def news() -> str:
    """Show how many failures came since a page was loaded: the fragment that polls itself while a worker collects."""
    back = local_path(request.args.get("back", ""), url_for(".index"))
    total, before = queries.status_counts(session()).total, request.args.get("total", type=int)
    return render_template("_news.html", news=lists.news(back, total=total, before=before))


@bp.get("/<int:group_id>")
def show(group_id: int) -> str:
    """Show one group: why it is one, its time, who is on it, what to ask before a redrive, and its events."""
    return _page(group_id)


@bp.post(f"/<int:group_id>/<any({', '.join(triage.VERBS)}):verb>")
def act(group_id: int, verb: str) -> Response | tuple[str, int]:
    """Do to a group what a form of its page asks for: assign, snooze, note, resolve, archive, and undo them."""
    try:
        with store.write(engine()) as writing:
            told = triage.act(writing, group_id, verb, request.form, by=actor(), now=now())
    except BadInput as error:
        return _page(group_id, notice=str(error), form=request.form), 422
    return redirect(url_for(".show", group_id=group_id, **cast("dict[str, Any]", told)), 303)


def _page(group_id: int, *, notice: str = "", form: Mapping[str, str] | None = None) -> str:
    group = queries.get_group(session(), group_id, now=now())
    listing = Listing.from_args(request.args, now=now())
    path = url_for(".show", group_id=group_id)
    own = Listing(listing.args, listing.chosen.with_(group=group_id), path=path)
    fields = {name: (form or {}).get(name, "") for name in ("assignee", "until", "failures", "text")}
    facts = _group_facts(group) | _people_facts(group_id)
    return render_template("groups/show.html", notice=notice, form=fields, **facts, **lists.events_facts(own))


def _people_facts(group_id: int) -> dict[str, Any]:
    history = list_audit(session(), AuditFilter(kind="group", subject=str(group_id)), limit=_HISTORY)
    secrets = settings().secrets
    return {
        "notes": queries.list_notes(session(), group_id),
        "history": [(row, said(row.details, secrets)) for row in history.rows],
        "more_history": history.next_cursor is not None,
        "people": queries.list_assignees(session()),
    }


def _list_facts(listing: Listing) -> dict[str, Any]:
    page = queries.list_groups(
        session(), listing.chosen, sort=_sort(listing.get("sort")), cursor=listing.cursor, now=now()
    )
    counts = queries.count_standings(session(), listing.chosen.with_(status=None, state=None))
    every = sum(counts.values())
    counts["unresolved"] = counts.get("unresolved", 0) + counts.get("regressed", 0)  # open, and failing anew
    events = queries.status_counts(session())
    return {
        "listing": listing,
        "page": page,
        "counts": counts,
        "total": every if listing.standing == EVERY_STATUS else counts.get(listing.standing, 0),
        "assignees": [(name, name) for name in (NOBODY, *queries.list_assignees(session()))],
        "events": events,
        "flood": find_flood(session(), now()),
        "news": lists.news(f"{request.path}?{listing.query()}", total=events.total),
        "sources": list_readings(session()),
        "facets": queries.facets(session()),
        "empty": None if page.rows else lists.empty("groups", listing),
    }


def _sort(text: str) -> queries.Sort:
    sorts = get_args(queries.Sort)
    if text and text not in sorts:
        raise BadInput(f"Groups cannot be sorted by {text!r}, but by one of: {', '.join(sorts)}.")
    return cast("queries.Sort", text or sorts[0])


def _group_facts(group: GroupRow) -> dict[str, Any]:
    since = min(now() - timedelta(hours=24), max(group.first_seen, now() - timedelta(days=_CHART_DAYS)))
    hours = queries.group_hours(session(), group.id, since, now())
    newest = _newest(EventFilter(group=group.id, status=EventStatus.UNRESOLVED)) or _newest(EventFilter(group=group.id))
    around = runbook.Around(group, hours, newest, _last_redrive(group.id))
    return {
        "group": group,
        "counts": asdict(group.counts),
        "group_filter": EventFilter(group=group.id),
        "chart": charts.hour_chart(hours, since=since, until=now()),
        "why": runbook.why_one_group(group),
        "left_out": fingerprint.left_out(masked=group.masked_message, frames=group.frames),
        "runbook": runbook.runbook(around, now=now(), links=_links(newest, around.last_redrive)),
    }


def _newest(chosen: EventFilter) -> EventRow | None:
    return next(iter(queries.list_events(session(), chosen, limit=1).rows), None)


def _last_redrive(group_id: int) -> RedriveRow | None:
    """Return the latest redrive of the group's newest resolved event, or of its newest fifty: what an index tells."""
    newest = queries.list_events(session(), EventFilter(group=group_id)).rows
    resolved = _newest(EventFilter(group=group_id, status=EventStatus.RESOLVED))
    redriven = [event for event in (*newest, resolved) if event and (event.last_outcome or event.redrive_id)]
    items = [item for event in redriven[:1] for item in items_of_event(session(), event.id)]
    ids = [item.redrive_id for item in items if item.redrive_status is not RedriveStatus.PLANNED]
    return get_redrive(session(), ids[-1]) if ids else None


def _links(newest: EventRow | None, last: RedriveRow | None) -> dict[str, str]:
    links = {"event": url_for("events.show", event_id=newest.id)} if newest else {}
    return links | ({"redrive": url_for("redrives.show", redrive_id=last.id)} if last else {})
