"""Workers: who collects and sends, since when, and what each of them does right now."""

from __future__ import annotations

from flask import Blueprint, render_template

from console import workers as shown
from console.context import engine, now, session, settings
from deadletter.store import queries

bp = Blueprint("workers", __name__, url_prefix="/workers")


@bp.get("")
def index() -> str:
    """Show every worker that was heard of in the last hour."""
    lines = shown.lines(queries.list_workers(session()), lease_s=settings().lease_s, now=now())
    warning = shown.warning(lines, sqlite=engine().dialect.name == "sqlite")
    return render_template("workers/index.html", lines=lines, warning=warning)
