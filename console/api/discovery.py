"""Discovery: where failures land and what has nowhere to fail to, as a worker read it last; and asking for another."""

from __future__ import annotations

from dataclasses import asdict

from console import context
from console.api.bodies import Body
from console.api.routes import Routes
from console.api.schemas import array, fields_of, named, obj
from console.context import actor, engine, now, session
from console.plain import plain
from deadletter import scouting, store
from deadletter.discovery.gaps import Gap
from deadletter.discovery.places import Place
from deadletter.event import Json
from deadletter.store.discoveries import DiscoveryRow, ask_discovery, latest_discovery

routes = Routes("discovery")
_LIFE = ("id", "status", "asked_by", "asked_at", "finished_at", "calls", "doing", "error")
_READING = named("Discovery", obj(fields_of(DiscoveryRow, *_LIFE)))
_GAP = obj(fields_of(Gap) | fields_of(Gap, "advice"))
_MAP = {"places": array(named("Place", obj(fields_of(Place)))), "gaps": array(named("Gap", _GAP))}


@routes.get("/discovery", obj({"latest": {"anyOf": [_READING, {"type": "null"}]}, **_MAP}))
def show() -> Json:
    """Get the newest discovery, and the map that the newest one that finished draws."""
    read = latest_discovery(session(), finished=True)
    drawn = scouting.draw(session(), read.scans if read else (), now=now())
    gaps = [{**asdict(gap), "advice": gap.advice} for gap in drawn.gaps]
    return {"latest": _latest(), "places": plain(list(drawn.places)), "gaps": plain(gaps)}


@routes.post("/discovery", _READING)
def ask(_body: Body) -> Json:
    """Ask a worker for a discovery; one that runs is the one that is meant."""
    with store.write(engine()) as writing:
        ask_discovery(writing, by=actor(), now=now())
    context.forget_session()
    return _latest()


def _latest() -> Json:
    row = latest_discovery(session())
    return row and {name: plain(getattr(row, name)) for name in _LIFE}
