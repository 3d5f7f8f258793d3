"""Your own page: what you may do and why not, where you are signed in, and your tokens."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from flask import Blueprint, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from console import context
from console.sign_in import cookies
from deadletter import store
from deadletter.access import Forbidden, Permission, Role
from deadletter.errors import BadInput
from deadletter.store import audit
from deadletter.store.people import sign_ins, tokens, users

bp = Blueprint("you", __name__, url_prefix="/you")
_NO_ACCOUNT = "Sign-in is off, so there is no account that a token could belong to. Set REDRIVE_SIGN_IN, then sign in."
_BY_TOKEN = "A token makes no tokens. Sign in with a browser to make one."  # noqa: S105 - a sentence


@bp.get("")
def index() -> str:
    """Show your permissions, your sessions and your tokens."""
    return _page()


@bp.post("/tokens")
def add_token() -> str:
    """Make a token, and show it this once."""
    user_id, form = _own_account(), request.form
    with store.write(context.engine()) as writing:
        name, role, lasts = form.get("name", ""), _role(form.get("role", "")), _days(form.get("days", ""))
        made = tokens.add_token(writing, user_id, name, role=role, lasts=lasts, now=context.now())
        _note(writing, "add", "token", name, {"role": role.value, "days": lasts.days})
    return _page(made=made)


@bp.post("/tokens/<int:token_id>/revoke")
def revoke_token(token_id: int) -> Response:
    """Revoke one of your tokens."""
    with store.write(context.engine()) as writing:
        row = tokens.revoke(writing, token_id, of=_own_account(), now=context.now())
        _note(writing, "revoke", "token", row.name)
    return redirect(url_for(".index"), 303)


@bp.post("/sign-out-everywhere")
def sign_out_everywhere() -> Response:
    """End every browser of yours that is signed in, this one too."""
    with store.write(context.engine()) as writing:
        n = users.end_all(writing, _own_account())
        _note(writing, "sign-out", "user", context.principal().name, {"browsers": n})
    return cookies.forget(redirect(url_for("sign_in.index"), 303))


def _page(*, made: str = "") -> str:
    principal = context.principal()
    mine = principal.user_id
    return render_template(
        "you/index.html",
        principal=principal,
        verdicts=[(permission, principal.may(permission)) for permission in Permission],
        roles=list(Role),
        made=made,
        tokens=tokens.list_tokens(context.session(), mine) if mine else [],
        sign_ins=_sign_ins(mine) if mine else [],
    )


def _sign_ins(user_id: int) -> object:
    return sign_ins.list_sign_ins(context.session(), user_id, secret=cookies.signed_in(), now=context.now())


def _own_account() -> int:
    principal = context.principal()
    if principal.user_id is None:
        raise BadInput(_NO_ACCOUNT)
    if principal.via.startswith("token"):
        raise Forbidden(_BY_TOKEN)
    return principal.user_id


def _note(writing: Session, verb: str, kind: str, subject: str, details: Mapping[str, object] | None = None) -> None:
    audit.note(writing, context.actor(), verb, kind, subject, details=details, now=context.now())


def _role(text: str) -> Role:
    if text not in set(Role):
        raise BadInput(f"{text[:40]!r} is not a role. There are: {', '.join(Role)}.")
    return Role(text)


def _days(text: str) -> timedelta:
    if not text.isdecimal() or not 1 <= int(text[:5]) <= tokens.LONGEST.days:
        raise BadInput(f"A token lives for 1 to {tokens.LONGEST.days} days, and this says {text[:40]!r}.")
    return timedelta(days=int(text))
