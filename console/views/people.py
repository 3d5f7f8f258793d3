"""People: who may use the console, and for what."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from console import context, people
from deadletter.access import LEAST_ROLE, parse_grants
from deadletter.store.people.users import UserRow, list_users

bp = Blueprint("people", __name__, url_prefix="/people")


@bp.get("")
def index() -> str:
    """Show everybody, and what each role brings."""
    return _page()


@bp.post("")
def add() -> str:
    """Add a person who comes in by a password of theirs, or by a link that is shown this once."""
    form = request.form
    grants = parse_grants(form.get("grants", "").split())
    user, key = people.add(form.get("name", ""), grants, form.get("password") or None)
    return _page(key=key, user=user)


@bp.post("/grants")
def grant() -> Response:
    """Say what a person may do from now on."""
    people.grant(request.form.get("name", ""), parse_grants(request.form.get("grants", "").split()))
    return redirect(url_for(".index"), 303)


@bp.post("/disable")
def disable() -> Response:
    """Let a person in no more."""
    people.disable(request.form.get("name", ""))
    return redirect(url_for(".index"), 303)


@bp.post("/enable")
def enable() -> Response:
    """Let a person in again."""
    people.enable(request.form.get("name", ""))
    return redirect(url_for(".index"), 303)


@bp.post("/link")
def link() -> str:
    """Make a link that signs a person in once, and show it this once."""
    user, key = people.link(request.form.get("name", ""))
    return _page(key=key, user=user)


def _page(*, key: str | None = None, user: UserRow | None = None) -> str:
    everybody = list_users(context.session())
    address = people.address_of(key) if key else ""
    return render_template("people/index.html", people=everybody, brings=LEAST_ROLE, link=address, user=user)
