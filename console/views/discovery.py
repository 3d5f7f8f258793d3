"""Discovery: where the accounts' failures land, who writes there, and what has nowhere to fail to."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from console.context import actor, engine, now, session
from console.discovered import choices, summary
from console.empty import alive
from console.sign_in.scope import check_source
from deadletter import redrive as use
from deadletter import scouting, store
from deadletter.discovery import AccountMap
from deadletter.discovery.places import place_of
from deadletter.errors import BadInput
from deadletter.event import TargetRef
from deadletter.store import queries
from deadletter.store.discoveries import DiscoveryRow, ask_discovery, latest_discovery
from deadletter.store.sources import list_sources

bp = Blueprint("discovery", __name__, url_prefix="/discovery")


@bp.get("")
def index() -> str:
    """Show the map of the newest discovery that finished, and how far one is that runs."""
    return _page()


@bp.post("")
def ask() -> Response:
    """Ask a worker for a discovery; one that runs is the one that is meant."""
    with store.write(engine()) as writing:
        ask_discovery(writing, by=actor(), now=now())
    return redirect(url_for(".index"), 303)


@bp.get("/progress")
def progress() -> str:
    """Show how far it is: the fragment that polls itself until the discovery ends."""
    return render_template("discovery/_progress.html", polled=True, **_progress_facts())


@bp.post("/register")
def register() -> Response | tuple[str, int]:
    """Add a place as a source, with the target that the form chooses; or every place that needs no question."""
    drawn, arn = _drawn(latest_discovery(session(), finished=True)), request.form.get("arn", "")
    if not arn:
        scouting.register_clear(engine(), drawn.places, by=actor(), now=now())
        return redirect(url_for(".index", _anchor="places"), 303)
    place = next((each for each in drawn.places if each.arn == arn), None)
    if place is None:
        return _page(notice=f"{arn[:200]} is not on the map any more. Read the account again."), 409
    check_source(arn)
    try:
        scouting.register(engine(), place, _target(), by=actor(), now=now())
    except BadInput as error:
        return _page(notice=str(error)), 422
    return redirect(url_for(".index", _anchor="places"), 303)


def _target() -> TargetRef | None:
    text = request.form.get("target", "").strip()
    return use.parse_target(text) if text else None


def _drawn(read: DiscoveryRow | None) -> AccountMap:
    return scouting.draw(session(), read.scans if read else (), now=now())


def _progress_facts() -> dict[str, Any]:
    workers = queries.list_workers(session())
    return {"latest": latest_discovery(session()), "alive": alive(workers, now())}


def _page(*, notice: str = "") -> str:
    read = latest_discovery(session(), finished=True)
    drawn = _drawn(read)
    sources = {place_of(source.arn): source for source in list_sources(session(), now=now())}
    return render_template(
        "discovery/index.html",
        polled=False,
        read=read,
        summary=summary(read, drawn) if read else "",
        places=drawn.places,
        gaps=drawn.gaps,
        choices={place.arn: choices(place) for place in drawn.places},
        sources=sources,
        refused=[sentence for scan in (read.scans if read else ()) for sentence in scan["refused"]],
        notice=notice,
        **_progress_facts(),
    )
