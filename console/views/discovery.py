"""Discovery: where the accounts' failures land, who writes there, and what has nowhere to fail to."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from console import context, mapped
from console.context import actor, engine, now, session
from console.discovered import choices, summary
from console.empty import alive
from console.problems import status_of
from console.sign_in.scope import registrable
from deadletter import redrive as use
from deadletter import store
from deadletter.discovery.places import place_of
from deadletter.errors import BadInput, ChangedSincePlan
from deadletter.event import TargetRef
from deadletter.store import queries
from deadletter.store.discoveries import ask_discovery, latest_discovery
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
    arn = request.form.get("arn", "")
    try:
        if arn:
            mapped.register_place(arn, _target())
        else:
            mapped.register_clear()
    except (BadInput, ChangedSincePlan) as error:
        context.forget_session()
        return _page(notice=str(error)), status_of(error)
    return redirect(url_for(".index", _anchor="places"), 303)


def _target() -> TargetRef | None:
    text = request.form.get("target", "").strip()
    return use.parse_target(text) if text else None


def _progress_facts() -> dict[str, Any]:
    workers = queries.list_workers(session())
    return {"latest": latest_discovery(session()), "alive": alive(workers, now())}


def _page(*, notice: str = "") -> str:
    read = mapped.newest()
    drawn = mapped.drawn(read)
    sources = {place_of(source.arn): source for source in list_sources(session(), now=now())}
    return render_template(
        "discovery/index.html",
        polled=False,
        read=read,
        summary=summary(read, drawn) if read else "",
        places=drawn.places,
        gaps=drawn.gaps,
        clear=len(registrable(drawn.places)),
        choices={place.arn: choices(place) for place in drawn.places},
        sources=sources,
        refused=[sentence for scan in (read.scans if read else ()) for sentence in scan["refused"]],
        notice=notice,
        **_progress_facts(),
    )
