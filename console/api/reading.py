"""What is only read: reports, the audit trail, unknown outcomes (and looking for evidence), workers, and who asks."""

from __future__ import annotations

from flask import request

from console import audit as trail
from console import context
from console import workers as shown
from console.api.bodies import IDS, Body
from console.api.filters import FILTER
from console.api.routes import CURSOR, Routes, read_limit
from console.api.schemas import array, fields_of, named, obj, page, schema_of
from console.context import actor, engine, now, operator, session, settings
from console.plain import plain
from console.public import public
from console.reporting import read_range, read_report
from console.sign_in.scope import check_selection, narrowed
from deadletter.access import Permission
from deadletter.event import Json
from deadletter.filters import EventFilter
from deadletter.redrive import doubts
from deadletter.report import Report
from deadletter.store import queries
from deadletter.store.audit import AuditFilter, AuditRow, list_audit
from deadletter.store.redrives.doubts import DoubtRow, list_doubts

reports, audit, unknown, workers, me = map(Routes, ("reports", "audit", "unknown", "workers", "me"))
_TEXT = {"type": "string"}
AUDIT = dict.fromkeys(fields_of(AuditFilter), _TEXT)
RANGE = {name: schema for name, schema in FILTER.items() if name not in {"since", "until", "expires"}}
RANGE |= {"from": FILTER["since"], "to": FILTER["until"]}
_MAY = obj({"permission": _TEXT, "means": _TEXT, "allowed": {"type": "boolean"}, "reason": _TEXT})


@reports.get("/report", named("Report", schema_of(Report)), **RANGE)
def show() -> Json:
    """Get the report of an incident: of the last 24 hours, where it does not say. Secrets are masked."""
    chosen = read_range(request.args.items(multi=True), now=now())
    return plain(read_report(session(), chosen, settings=settings(), made_by=operator(), now=now()))


@audit.get("/audit", page(named("AuditEntry", obj(fields_of(AuditRow)))), **AUDIT, **CURSOR)
def index() -> Json:
    """List who did what to what, when, and from where, the newest first."""
    chosen, secrets = trail.read_filter(request.args, now=now()), settings().secrets
    found = list_audit(session(), chosen, cursor=request.args.get("cursor"), limit=read_limit())
    return {"items": [trail.told(row, secrets) for row in found.rows], "next": found.next_cursor}


@unknown.get("/unknown", page(named("Unknown", obj(fields_of(DoubtRow)))), **CURSOR)
def doubtful() -> Json:
    """List the events whose last outcome is unknown: sent, and the answer was lost, so they may have run."""
    cursor, sources = request.args.get("cursor"), narrowed(EventFilter()).sources
    found = list_doubts(session(), sources=sources, cursor=cursor, limit=read_limit())
    return {"items": [public(row, settings().secrets) for row in found.rows], "next": found.next_cursor}


@unknown.post("/unknown/check", array(schema_of(doubts.Finding)), {"events": IDS}, required=["events"])
def check(body: Body) -> Json:
    """Look for evidence of what became of events, and write down what is proven."""
    check_selection(Permission.TRIAGE, body["events"])
    records = context.open_records()
    return plain(doubts.check(engine(), body["events"], open_records=records, by=actor(), now=now()))


@workers.get("/workers", obj({"workers": array(schema_of(shown.WorkerLine)), "warning": {"type": ["string", "null"]}}))
def working() -> Json:
    """List the workers: what each does, and what is wrong with them as a whole."""
    lines = shown.lines(queries.list_workers(session()), lease_s=settings().lease_s, now=now())
    return plain({"workers": lines, "warning": shown.warning(lines, sqlite=engine().dialect.name == "sqlite")})


@me.get("/me", obj({"name": _TEXT, "via": _TEXT, "grants": array(_TEXT), "permissions": array(_MAY)}))
def you() -> Json:
    """Say who asks, what they were granted, and what they may do, and why not."""
    principal = context.principal()
    verdicts = [(permission, principal.may(permission)) for permission in Permission]
    may = [
        {"permission": one.name.lower(), "means": one.value, "allowed": bool(verdict), "reason": verdict.reason}
        for one, verdict in verdicts
    ]
    return {
        "name": principal.name,
        "via": principal.via,
        "grants": list(map(str, principal.grants)),
        "permissions": may,
    }
