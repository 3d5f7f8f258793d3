"""People: who may use the console, and for what."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from console import context
from deadletter import store
from deadletter.access import LEAST_ROLE, Grant, parse_grants
from deadletter.store import audit
from deadletter.store.people import sign_ins, users

bp = Blueprint("people", __name__, url_prefix="/people")


@bp.get("")
def index() -> str:
    """Show everybody, and what each role brings."""
    return _page()


@bp.post("")
def add() -> str:
    """Add a person who comes in by a password of theirs, or by a link that is shown this once."""
    form = request.form
    with store.write(context.engine()) as writing:
        grants = _grants(form.get("grants", ""))
        user = users.add_user(
            writing, form.get("name", ""), grants=grants, password=form.get("password") or None, now=context.now()
        )
        _note(writing, "add", user)
        link = None if user.by_password else sign_ins.make_link(writing, user.id, now=context.now())
    return _page(link=link, user=user)


@bp.post("/grants")
def grant() -> Response:
    """Say what a person may do from now on."""
    with store.write(context.engine()) as writing:
        grants = _grants(request.form.get("grants", ""))
        _note(writing, "grant", users.set_grants(writing, request.form.get("name", ""), grants))
    return _back()


@bp.post("/disable")
def disable() -> Response:
    """Let a person in no more."""
    with store.write(context.engine()) as writing:
        _note(writing, "disable", users.disable(writing, request.form.get("name", ""), now=context.now()))
    return _back()


@bp.post("/enable")
def enable() -> Response:
    """Let a person in again."""
    with store.write(context.engine()) as writing:
        _note(writing, "enable", users.enable(writing, request.form.get("name", "")))
    return _back()


@bp.post("/link")
def link() -> str:
    """Make a link that signs a person in once, and show it this once."""
    with store.write(context.engine()) as writing:
        user = users.row_of(users.find_user(writing, request.form.get("name", "")))
        made = sign_ins.make_link(writing, user.id, now=context.now())
        _note(writing, "link", user)
    return _page(link=made, user=user)


def _page(*, link: str | None = None, user: users.UserRow | None = None) -> str:
    people = users.list_users(context.session())
    address = url_for("sign_in.link", key=link, _external=True) if link else ""
    return render_template("people/index.html", people=people, brings=LEAST_ROLE, link=address, user=user)


def _grants(text: str) -> tuple[Grant, ...]:
    return parse_grants(text.split())


def _note(writing: Session, verb: str, user: users.UserRow) -> None:
    roles = {"roles": [str(grant) for grant in user.grants]}
    audit.note(writing, context.actor(), verb, "user", user.name, details=roles, now=context.now())


def _back() -> Response:
    return redirect(url_for(".index"), 303)
