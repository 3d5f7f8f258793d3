"""Targets: how the consumer behind each keeps its events idempotent, and what that means for one event."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from console.context import actor, consumer, engine, now, open_records, session
from console.forms import read_id
from console.sign_in.scope import check_target
from console.target_forms import EMPTY, fill, read_rules
from deadletter import redrive as use
from deadletter import store
from deadletter.errors import BadInput, NetworkError
from deadletter.preflight.discovery import discover_rules
from deadletter.preflight.warnings import warnings_of
from deadletter.redrive.trying import try_event
from deadletter.store.targets import get_rules, list_known_targets, list_rules, remove_rules, set_rules

bp = Blueprint("targets", __name__, url_prefix="/targets")


@bp.get("")
def index() -> str:
    """Show every target's settings, and the form: empty, with those of `arn`, or with what its function says."""
    arn = request.args.get("arn", "").strip()
    if request.args.get("discover"):
        return _discovered(arn, request.args.get("function", "").strip() or arn)
    known = {row.arn: row for row in list_rules(session())}
    return _page(fill(arn, known[arn].rules) if arn in known else {"arn": arn})


@bp.post("")
def save() -> Response | tuple[str, int]:
    """Set a target's settings."""
    arn = request.form.get("arn", "").strip()
    check_target(arn)
    try:
        rules = read_rules(request.form)
        with store.write(engine()) as writing:
            set_rules(writing, arn, rules, by=actor(), now=now())
    except BadInput as error:
        return _page(request.form, error=str(error)), 422
    return redirect(url_for(".index", arn=arn, saved=1), 303)


@bp.post("/remove")
def remove() -> Response:
    """Forget a target's settings; its redrives have no pre-flight then."""
    check_target(request.form.get("arn", ""))
    with store.write(engine()) as writing:
        remove_rules(writing, request.form.get("arn", ""), by=actor(), now=now())
    return redirect(url_for(".index"), 303)


@bp.get("/try")
def try_() -> str | tuple[str, int]:
    """Show one event's keys under a target's settings, and what was found there."""
    arn = request.args.get("arn", "").strip()
    row = get_rules(session(), arn)
    try:
        event_id = read_id(request.args, "event")
    except BadInput as error:
        return _page(fill(row.arn, row.rules), error=str(error)), 422
    if event_id is None:
        return _page(fill(row.arn, row.rules), error="Which event? Write its number."), 422
    target = use.parse_target(row.arn)
    tried = try_event(session(), event_id, target, row.rules, open_records(), now=now())
    return render_template("targets/try.html", row=row, tried=tried, warnings=warnings_of(row.rules))


def _discovered(arn: str, function_arn: str) -> str:
    try:
        use.parse_target(function_arn)
        found = discover_rules(consumer(function_arn))
    except (BadInput, NetworkError) as error:
        return _page({"arn": arn}, error=str(error))
    return _page(fill(arn, found.rules), notes=found.notes)


def _page(form: Mapping[str, str], *, error: str | None = None, notes: tuple[str, ...] = ()) -> str:
    rows = list_rules(session())
    known = {row.arn for row in rows}
    return render_template(
        "targets/index.html",
        targets=[(row, warnings_of(row.rules)) for row in rows],
        without=[arn for arn in list_known_targets(session()) if arn not in known],
        form={name: form.get(name, default) for name, default in EMPTY.items()},
        error=error,
        notes=notes,
    )
