"""Failed events: the list, one with its payload, and what is done to many: archived, resolved, and brought back."""

from __future__ import annotations

from collections.abc import Callable

from flask import request

from console import life
from console.api.bodies import Body
from console.api.filters import FILTER, SELECTION, read_filter, read_selected
from console.api.routes import CURSOR, Routes, read_limit
from console.api.schemas import array, fields_of, named, obj, page
from console.context import actor, engine, now, session, settings
from console.plain import plain
from console.public import public
from console.sign_in.scope import check_selection, narrowed
from deadletter import store
from deadletter.access import Permission
from deadletter.event import Json
from deadletter.redact import redact_json, redact_text
from deadletter.secret_rules import SecretRules
from deadletter.store import audit, queries
from deadletter.store.rows import EventDetail, EventRow, ItemRow, RecordRow

routes = Routes("events")
_EVENT = named("Event", obj(fields_of(EventRow)))
_RECORD = named("Record", obj(fields_of(RecordRow)))
_DETAIL = obj(
    {
        "event": _EVENT,
        "payload": {"type": ["string", "null"], "description": "As text, secrets masked; null where it is not known."},
        "records": array(_RECORD),
        "items": array(named("Item", obj(fields_of(ItemRow)))),
    }
)
_REVEALED = obj({"payload": {"type": ["string", "null"]}, "records": array(_RECORD)})
_COUNT = obj({"events": {"type": "integer"}})


@routes.get("/events", page(_EVENT), **FILTER, **CURSOR)
def index() -> Json:
    """List the failed events that match the filter, the newest first."""
    chosen, secrets = narrowed(read_filter(now=now())), settings().secrets
    found = queries.list_events(session(), chosen, cursor=request.args.get("cursor"), limit=read_limit())
    return {"items": [public(row, secrets) for row in found.rows], "next": found.next_cursor}


@routes.get("/events/<int:event_id>", _DETAIL)
def show(event_id: int) -> Json:
    """Get one event: its facts, its payload, its records as AWS wrote them, and its redrives. Secrets are masked."""
    return _shown(queries.get_event(session(), event_id), settings().secrets)


@routes.post("/events/<int:event_id>/reveal", _REVEALED, kept=False)
def reveal(_body: Body, event_id: int) -> Json:
    """Get an event's payload and records with nothing masked; the audit trail says who looked."""
    detail = queries.get_event(session(), event_id)
    with store.write(engine()) as writing:
        audit.note(writing, actor(), "reveal", "event", event_id, now=now())
    return {"payload": _payload(detail), "records": [plain(record) for record in detail.records]}


@routes.post("/events/archive", _COUNT, SELECTION)
def archive(body: Body) -> Json:
    """Hide events from the lists of what is open; nothing is deleted."""
    return _move(body, queries.archive_events)


@routes.post("/events/unarchive", _COUNT, SELECTION)
def unarchive(body: Body) -> Json:
    """Bring archived events back."""
    return _move(body, queries.unarchive_events)


@routes.post("/events/resolve", _COUNT, SELECTION)
def resolve(body: Body) -> Json:
    """Say that unresolved events are dealt with; what fails anew has regressed."""
    return _move(body, queries.resolve_events)


@routes.post("/events/unresolve", _COUNT, SELECTION)
def unresolve(body: Body) -> Json:
    """Open again what was resolved by hand."""
    return _move(body, queries.unresolve_events)


def _move(body: Body, move: Callable[..., int]) -> Json:
    chosen = read_selected(body, now=now())
    check_selection(Permission.TRIAGE, chosen)
    with store.write(engine()) as writing:
        return {"events": move(writing, chosen, by=actor(), now=now())}


def _shown(detail: EventDetail, secrets: SecretRules) -> Json:
    payload = _payload(detail)
    return {
        "event": public(detail.event, secrets),
        "payload": None if payload is None else redact_text(payload, secrets),
        "records": [_record(record, secrets) for record in detail.records],
        "items": [public(item, secrets) for item in detail.items],
    }


def _payload(detail: EventDetail) -> str | None:
    told = life.read_record(detail.main)
    return detail.fetched if told.payload_text is None else told.payload_text


def _record(record: RecordRow, secrets: SecretRules) -> Json:
    given = redact_json(plain(record.message_attributes), secrets)
    return {**plain(record), "body": redact_text(record.body, secrets), "message_attributes": given}
