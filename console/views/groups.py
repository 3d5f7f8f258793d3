"""Groups of failed events: the list, and one group."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any, cast, get_args

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from console import charts, lists, runbook
from console.context import actor, engine, now, session
from console.forms import Listing, local_path
from deadletter import fingerprint, store
from deadletter.errors import BadInput
from deadletter.filters import EventFilter
from deadletter.outcome import EventStatus, RedriveStatus
from deadletter.store import queries
from deadletter.store.redrives import get_redrive, items_of_event
from deadletter.store.rows import EventRow, GroupRow, RedriveRow
from deadletter.store.sources import list_sources

bp = Blueprint("groups", __name__, url_prefix="/groups")
_CHART_DAYS = 14


@bp.get("")
def index() -> str:
    """Show the groups that match the filter: the unresolved ones where it does not say."""
    listing = Listing.from_args(request.args, now=now(), default_status=EventStatus.UNRESOLVED)
    return render_template("groups/index.html", **_list_facts(listing))


@bp.get("/news")
def news() -> str:
    """Show how many failures came since a page was loaded: the fragment that polls itself while a worker collects."""
    back = local_path(request.args.get("back", ""), url_for(".index"))
    total, before = queries.status_counts(session()).total, request.args.get("total", type=int)
    return render_template("_news.html", news=lists.news(back, total=total, before=before))


@bp.get("/<int:group_id>")
def show(group_id: int) -> str:
    """Show one group: why it is one, its time, what to ask before a redrive, and its events."""
    group = queries.get_group(session(), group_id, now=now())
    listing = Listing.from_args(request.args, now=now())
    own = Listing(listing.args, listing.chosen.with_(group=group_id), None)
    return render_template("groups/show.html", **_group_facts(group), **lists.events_facts(own))


@bp.post("/<int:group_id>/archive")
def archive(group_id: int) -> Response:
    """Archive what is unresolved of a group."""
    with store.write(engine()) as writing:
        chosen = EventFilter(group=group_id, status=EventStatus.UNRESOLVED)
        n = queries.archive_events(writing, chosen, by=actor(), now=now())
    return redirect(url_for(".show", group_id=group_id, archived=n), 303)


@bp.post("/<int:group_id>/unarchive")
def unarchive(group_id: int) -> Response:
    """Bring back what is archived of a group."""
    with store.write(engine()) as writing:
        chosen = EventFilter(group=group_id, status=EventStatus.ARCHIVED)
        n = queries.unarchive_events(writing, chosen, by=actor(), now=now())
    return redirect(url_for(".show", group_id=group_id, unarchived=n), 303)


def _list_facts(listing: Listing) -> dict[str, Any]:
    page = queries.list_groups(
        session(), listing.chosen, sort=_sort(listing.get("sort")), cursor=listing.cursor, now=now()
    )
    counts = queries.count_groups(session(), listing.chosen.with_(status=None))
    events, status = queries.status_counts(session()), listing.chosen.status
    return {
        "listing": listing,
        "page": page,
        "counts": counts,
        "total": counts.get(status, 0) if status else sum(counts.values()),
        "events": events,
        "news": lists.news(f"{request.path}?{listing.query()}", total=events.total),
        "sources": list_sources(session(), now=now()),
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
