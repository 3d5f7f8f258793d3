"""Discovery: where failures land and what has nowhere to fail to; asking for another; registering what it found."""

from __future__ import annotations

from dataclasses import asdict

from console import context, mapped
from console.api.bodies import TEXT, Body
from console.api.routes import Routes
from console.api.schemas import array, fields_of, named, obj
from console.api.sources import SOURCE
from console.context import actor, engine, now, session
from console.plain import plain
from console.public import public_source
from deadletter import redrive as use
from deadletter import store
from deadletter.discovery.gaps import Gap
from deadletter.discovery.places import Place
from deadletter.event import Json
from deadletter.store.discoveries import DiscoveryRow, ask_discovery, latest_discovery
from deadletter.store.sources import find_source

routes = Routes("discovery")
_LIFE = ("id", "status", "asked_by", "asked_at", "finished_at", "calls", "doing", "error")
_READING = named("Discovery", obj(fields_of(DiscoveryRow, *_LIFE)))
_GAP = obj(fields_of(Gap) | fields_of(Gap, "advice"))
_MAP = {"places": array(named("Place", obj(fields_of(Place)))), "gaps": array(named("Gap", _GAP))}


@routes.get("/discovery", obj({"latest": {"anyOf": [_READING, {"type": "null"}]}, **_MAP}))
def show() -> Json:
    """Get the newest discovery, and the map that the newest one that finished draws."""
    drawn = mapped.drawn(mapped.newest())
    gaps = [{**asdict(gap), "advice": gap.advice} for gap in drawn.gaps]
    return {"latest": _latest(), "places": plain(list(drawn.places)), "gaps": plain(gaps)}


@routes.post("/discovery", _READING)
def ask(_body: Body) -> Json:
    """Ask a worker for a discovery; one that runs is the one that is meant."""
    with store.write(engine()) as writing:
        ask_discovery(writing, by=actor(), now=now())
    context.forget_session()
    return _latest()


@routes.post("/discovery/register", SOURCE, {"arn": TEXT, "target": TEXT}, required=["arn"], status=201)
def register(body: Body) -> Json:
    """Register a place of the map as a source, by its ARN; `target` where the map does not say where its events go."""
    place = mapped.register_place(body["arn"], use.parse_target(body["target"]) if "target" in body else None)
    return _source(place.source_arn)


@routes.post("/discovery/register-clear", obj({"sources": array(SOURCE)}), status=201)
def register_clear(_body: Body) -> Json:
    """Register every place of the map that needs no question, of those that are yours to register; answer with them."""
    return {"sources": [_source(place.source_arn) for place in mapped.register_clear()]}


def _source(arn: str) -> Json:
    context.forget_session()
    row = find_source(session(), arn)
    return row and public_source(row)


def _latest() -> Json:
    row = latest_discovery(session())
    return row and {name: plain(getattr(row, name)) for name in _LIFE}
