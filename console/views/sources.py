"""Sources: where failures land. Registered here by their ARN."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from console.context import actor, engine, now, session
from console.policy import policy_of
from deadletter import redrive as use
from deadletter import store
from deadletter.errors import BadInput
from deadletter.event import TargetRef
from deadletter.store.sources import add_source, list_sources
from deadletter.store.sources import set_target as store_target

bp = Blueprint("sources", __name__, url_prefix="/sources")


@bp.get("")
def index() -> str:
    """Show every source, and the form that registers one."""
    return _page()


@bp.post("")
def add() -> Response | tuple[str, int]:
    """Register a source by its ARN; a known one gets the target."""
    try:
        with store.write(engine()) as writing:
            add_source(writing, request.form.get("arn", "").strip(), target=_target(), by=actor(), now=now())
    except BadInput as error:
        return _page(form=request.form, error=str(error)), 422
    return redirect(url_for(".index"), 303)


@bp.post("/<int:source_id>/target")
def set_target(source_id: int) -> Response | tuple[str, int]:
    """Say where a source's events go when their records do not."""
    try:
        with store.write(engine()) as writing:
            store_target(writing, source_id, _target(), by=actor(), now=now())
    except BadInput as error:
        failing = {"id": source_id, "target": request.form.get("target", ""), "error": str(error)}
        return _page(failing=failing), 422
    return redirect(url_for(".index", _anchor=f"source-{source_id}"), 303)


def _target() -> TargetRef | None:
    text = request.form.get("target", "").strip()
    return use.parse_target(text) if text else None


def _page(
    *, form: Mapping[str, str] | None = None, error: str | None = None, failing: Mapping[str, object] | None = None
) -> str:
    rows = sorted(list_sources(session(), now=now()), key=lambda source: -(source.depth or 0))
    fields = {name: (form or {}).get(name, "") for name in ("arn", "target")}
    policies = {source.id: policy_of(source) for source in rows}
    return render_template(
        "sources/index.html", sources=rows, form=fields, error=error, failing=failing, policies=policies
    )
