"""Sources: where failures land."""

from __future__ import annotations

from console import context
from console.api.bodies import FLAG, TEXT, Body
from console.api.routes import Routes
from console.api.schemas import array, fields_of, named, obj
from console.context import actor, engine, now, session
from console.public import public_source
from console.sign_in.scope import check_source, check_source_target
from deadletter import aws, store
from deadletter import redrive as use
from deadletter.event import Json
from deadletter.registering import register
from deadletter.store import sources
from deadletter.store.rows import SourceRow

routes = Routes("sources")
SOURCE = named("Source", obj(fields_of(SourceRow) | fields_of(SourceRow, "expires_at")))
_MODE = {"type": "string", "enum": list(sources.MODES)}
_ADDED = {"arn": TEXT, "target": TEXT, "mode": _MODE, "confirmed": FLAG, "push": FLAG}
_TARGET = {"type": "string", "maxLength": 4_000}


@routes.get("/sources", array(SOURCE))
def index() -> Json:
    """List the sources: how deep each is, what expires when, and its last error."""
    return [public_source(row) for row in sources.list_sources(session(), now=now())]


@routes.post("/sources", SOURCE, _ADDED, required=["arn"], status=201)
def add(body: Body) -> Json:
    """Register a source by its ARN; one that is registered gets target and mode.

    What has an effect that must be confirmed first is refused until `confirmed` is true.
    """
    check_source(body["arn"])
    target = use.parse_target(body["target"]) if "target" in body else None
    if target:
        check_source_target(body["arn"], target)
    row = register(
        engine(),
        body["arn"],
        target=target,
        by=actor(),
        now=now(),
        open_observed=aws.open_source,
        mode=body.get("mode"),
        kind="push" if body.get("push") else None,
        confirmed=body.get("confirmed", False),
    )
    return public_source(row)


@routes.get("/sources/<int:source_id>", SOURCE)
def show(source_id: int) -> Json:
    """Get one source."""
    return public_source(sources.get_source(session(), source_id, now=now()))


@routes.post("/sources/<int:source_id>/pause", SOURCE)
def pause(_body: Body, source_id: int) -> Json:
    """Leave it alone until it is resumed; what lies there waits, and may expire."""
    with store.write(engine()) as writing:
        sources.pause(writing, source_id, by=actor(), now=now())
    return _now_is(source_id)


@routes.post("/sources/<int:source_id>/resume", SOURCE)
def resume(_body: Body, source_id: int) -> Json:
    """Go on with it."""
    with store.write(engine()) as writing:
        sources.resume(writing, source_id, by=actor(), now=now())
    return _now_is(source_id)


@routes.post("/sources/<int:source_id>/remove", SOURCE)
def remove(_body: Body, source_id: int) -> Json:
    """Read it no more and list it no more. Its events stay."""
    check_source_target(sources.get_source(session(), source_id, now=now()).arn, None)
    with store.write(engine()) as writing:
        sources.remove(writing, source_id, by=actor(), now=now())
    return _now_is(source_id)


@routes.post("/sources/<int:source_id>/target", SOURCE, {"target": _TARGET}, required=["target"])
def set_target(body: Body, source_id: int) -> Json:
    """Say where its events go when their records do not; an empty text: that is not known."""
    target = use.parse_target(body["target"]) if body["target"].strip() else None
    check_source_target(sources.get_source(session(), source_id, now=now()).arn, target)
    with store.write(engine()) as writing:
        sources.set_target(writing, source_id, target, by=actor(), now=now())
    return _now_is(source_id)


def _now_is(source_id: int) -> Json:
    context.forget_session()
    return public_source(sources.get_source(session(), source_id, now=now()))
