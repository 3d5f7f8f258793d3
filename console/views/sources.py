"""Sources: where failures land. Registered here by their ARN."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from console.context import actor, engine, now, session
from console.policy import policy_of
from console.sign_in.scope import check_source, check_source_target
from deadletter import aws, store
from deadletter import redrive as use
from deadletter.errors import BadInput, NeedsConfirming
from deadletter.event import TargetRef
from deadletter.registering import register
from deadletter.store import sources as store_sources
from deadletter.store.left import list_skipped
from deadletter.store.sources import get_source, list_sources
from deadletter.store.sources import set_target as store_target

_CHANGES = {"pause": store_sources.pause, "resume": store_sources.resume, "remove": store_sources.remove}

bp = Blueprint("sources", __name__, url_prefix="/sources")


@bp.get("")
def index() -> str:
    """Show every source, and the form that registers one."""
    return _page()


@bp.post("")
def add() -> Response | tuple[str, int]:
    """Register a source by its ARN; a known one gets target and mode."""
    form = request.form
    check_source(form.get("arn", ""))
    try:
        target = _target()
        if target:
            check_source_target(form.get("arn", ""), target)
        register(
            engine(),
            form.get("arn", ""),
            target=target,
            by=actor(),
            now=now(),
            open_observed=aws.open_source,
            mode=_mode(form.get("mode", "")),
            confirmed=form.get("confirmed") == "yes",
        )
    except BadInput as error:
        return _page(form=form, error=str(error), confirm=isinstance(error, NeedsConfirming)), 422
    return redirect(url_for(".index"), 303)


@bp.post("/<int:source_id>/<any(pause, resume, remove):verb>")
def change(source_id: int, verb: str) -> Response:
    """Leave a source alone for a while, go on with it, or take it out of the lists."""
    if verb == "remove":
        check_source_target(get_source(session(), source_id, now=now()).arn, None)
    with store.write(engine()) as writing:
        _CHANGES[verb](writing, source_id, by=actor(), now=now())
    return redirect(url_for(".index", _anchor=None if verb == "remove" else f"source-{source_id}"), 303)


@bp.post("/<int:source_id>/target")
def set_target(source_id: int) -> Response | tuple[str, int]:
    """Say where a source's events go when their records do not."""
    try:
        target = _target()
        check_source_target(get_source(session(), source_id, now=now()).arn, target)
        with store.write(engine()) as writing:
            store_target(writing, source_id, target, by=actor(), now=now())
    except BadInput as error:
        failing = {"id": source_id, "target": request.form.get("target", ""), "error": str(error)}
        return _page(failing=failing), 422
    return redirect(url_for(".index", _anchor=f"source-{source_id}"), 303)


def _target() -> TargetRef | None:
    text = request.form.get("target", "").strip()
    return use.parse_target(text) if text else None


def _mode(text: str) -> str | None:
    """Return the mode that a form asks for; None where it leaves that open. Raises BadInput."""
    if text in {"", *store_sources.MODES}:
        return text or None
    raise BadInput(f"{text[:40]!r} is not a mode. There are: {', '.join(store_sources.MODES)}.")


def _page(
    *,
    form: Mapping[str, str] | None = None,
    error: str | None = None,
    confirm: bool = False,
    failing: Mapping[str, object] | None = None,
) -> str:
    rows = sorted(list_sources(session(), now=now()), key=lambda source: -(source.depth or 0))
    fields = {name: (form or {}).get(name, "") for name in ("arn", "target", "mode")}
    policies = {source.id: policy_of(source) for source in rows}
    return render_template(
        "sources/index.html",
        sources=rows,
        form=fields,
        error=error,
        confirm=confirm,
        failing=failing,
        policies=policies,
        skipped={source.id: list_skipped(session(), source.id) for source in rows if source.skipped},
    )
