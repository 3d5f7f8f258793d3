"""Redrives: plan one, confirm it, steer it, approve it, and see what became of every event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import request
from werkzeug.datastructures import MultiDict

from console import context
from console.api.bodies import FLAG, NUMBER, TEXT, WHOLE, Body
from console.api.filters import SELECTION, read_selected
from console.api.routes import CURSOR, Routes, read_limit
from console.api.schemas import fields_of, named, obj, page
from console.context import actor, engine, now, session, settings
from console.planning import plan
from console.public import SUMMARY, public, summary
from console.steering import read_pace
from deadletter import redrive as use
from deadletter.errors import BadInput
from deadletter.event import Json
from deadletter.outcome import Outcome
from deadletter.store import redrives
from deadletter.store.rows import ItemRow, RedriveRow

routes = Routes("redrives")
_MAYBE = {"type": ["integer", "null"]}
REDRIVE = named(
    "Redrive",
    obj(
        fields_of(RedriveRow, *SUMMARY)
        | {"protected": _MAYBE, "unprotected": _MAYBE, "seconds": {"type": "number"}}
        | {"sent": {"type": "integer"}, "awaited": {"type": "integer"}}
    ),
)
_ITEM = named("Item", obj(fields_of(ItemRow)))
_OUTCOME = {"outcome": {"type": "string", "enum": [each.value for each in Outcome]}}
_ASKED = {
    **SELECTION,
    "target": TEXT,
    "rate": NUMBER,
    "invocation": {"type": "string", "enum": ["RequestResponse", "Event"]},
    "transform": {"type": "string", "minLength": 1, "maxLength": 100_000},
    "payloads": {"type": "string", "enum": ["edited"]},
    "send_done": FLAG,
    "canary": {"type": "integer", "minimum": 0, "maximum": 999_999_999},
    "max_failures": {"type": "number", "minimum": 0, "maximum": 100},
    "concurrency": WHOLE,
    "starts_at": TEXT,
    "window": TEXT,
}


_STARTED: dict[str, Json] = {"digest": TEXT, "at_once": FLAG, "originals": FLAG}


@routes.get("/redrives", page(REDRIVE), **CURSOR)
def index() -> Json:
    """List redrives, the newest first."""
    found = redrives.list_redrives(session(), cursor=request.args.get("cursor"), limit=read_limit())
    return {"items": [_shown(row) for row in found.rows], "next": found.next_cursor}


@routes.post("/redrives", REDRIVE, _ASKED, status=201)
def add(body: Body) -> Json:
    """Plan a redrive. Sends nothing: `start` does, with the plan's digest."""
    form = MultiDict({name: str(body[name]) for name in _ASKED if name in body and name not in SELECTION})
    form["done"] = "send" if body.get("send_done") else ""
    return _now_is(plan(form, read_selected(body, now=now())))


@routes.get("/redrives/<int:redrive_id>", REDRIVE)
def show(redrive_id: int) -> Json:
    """Get one redrive: its plan, and how far it is."""
    return _shown(redrives.get_redrive(session(), redrive_id))


@routes.get("/redrives/<int:redrive_id>/items", page(_ITEM), **_OUTCOME, **CURSOR)
def items(redrive_id: int) -> Json:
    """List a redrive's events in the order of sending, and what became of each."""
    redrives.get_redrive(session(), redrive_id)
    cursor, limit = request.args.get("cursor"), read_limit()
    found = redrives.list_items(session(), redrive_id, outcome=_outcome(), cursor=cursor, limit=limit)
    return {"items": [public(row, settings().secrets) for row in found.rows], "next": found.next_cursor}


@routes.post("/redrives/<int:redrive_id>/start", REDRIVE, _STARTED, required=["digest"])
def start(body: Body, redrive_id: int) -> Json:
    """Confirm the plan that has this digest: it runs, or waits for somebody else's approval."""
    hours = settings().approval.hours
    said: dict[str, Any] = {name: body.get(name, False) for name in _STARTED}
    use.start(engine(), redrive_id, **said, started_by=actor(), approval_hours=hours, now=now())
    return _now_is(redrive_id)


@routes.post("/redrives/<int:redrive_id>/pause", REDRIVE)
def pause(_body: Body, redrive_id: int) -> Json:
    """Send nothing more until it is resumed."""
    return _done(use.pause, redrive_id)


@routes.post("/redrives/<int:redrive_id>/resume", REDRIVE)
def resume(_body: Body, redrive_id: int) -> Json:
    """Go on where it was paused, or with a new canary after it stopped by itself."""
    return _done(use.resume, redrive_id)


@routes.post("/redrives/<int:redrive_id>/cancel", REDRIVE)
def cancel(_body: Body, redrive_id: int) -> Json:
    """Send no more of it; what is sent stays sent."""
    return _done(use.cancel, redrive_id)


@routes.post("/redrives/<int:redrive_id>/rate", REDRIVE, {"rate": NUMBER, "concurrency": WHOLE}, required=["rate"])
def rate(body: Body, redrive_id: int) -> Json:
    """Send faster or slower from now on, in events per second."""
    pace = read_pace({name: str(value) for name, value in body.items()})
    use.change_pace(engine(), redrive_id, pace, by=actor(), now=now())
    return _now_is(redrive_id)


@routes.post("/redrives/<int:redrive_id>/approve", REDRIVE, {"digest": TEXT}, required=["digest"])
def approve(body: Body, redrive_id: int) -> Json:
    """Approve the plan that has this digest, which somebody else asked for: it runs."""
    return _done(use.approve, redrive_id, digest=body["digest"])


@routes.post("/redrives/<int:redrive_id>/refuse", REDRIVE, {"reason": {"type": "string", "maxLength": 1_000}})
def refuse(body: Body, redrive_id: int) -> Json:
    """Refuse it, or take one's own question back: it is a plan again."""
    return _done(use.refuse, redrive_id, reason=body.get("reason", ""))


def _done(act: Callable[..., RedriveRow], redrive_id: int, **said: str) -> Json:
    act(engine(), redrive_id, **said, by=actor(), now=now())
    return _now_is(redrive_id)


def _now_is(redrive_id: int) -> Json:
    context.forget_session()
    return _shown(redrives.get_redrive(session(), redrive_id))


def _shown(row: RedriveRow) -> Json:
    return summary(row, settings().secrets)


def _outcome() -> Outcome | None:
    text = request.args.get("outcome", "")
    if text not in {"", *Outcome}:
        raise BadInput(f"{text[:40]!r} is not an outcome. There are: {', '.join(Outcome)}.")
    return Outcome(text) if text else None
