"""The ways in: a one-time link, a password, the sign-in provider; and the way out."""

from __future__ import annotations

import hmac

from authlib.common.security import generate_token
from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from console import context
from console.sign_in import cookies, doors
from console.sign_in.oidc import SignInFailed
from deadletter import store
from deadletter.access import role_map
from deadletter.store.people import sign_ins, users
from deadletter.store.people.sign_ins import Start

bp = Blueprint("sign_in", __name__, url_prefix="/sign-in")
_WRONG = "This name and this password do not belong together."
_USED_UP = "This link was used, or is older than 15 minutes. `redrive link` makes a new one."
_NOT_OURS = "This sign-in was not started in this browser, or took longer than 10 minutes. Start it again."


@bp.get("")
def index() -> str:
    """Show the ways in."""
    return _page()


@bp.post("")
def by_password() -> Response | tuple[str, int] | tuple[str, int, dict[str, str]]:
    """Sign in by name and password; 422 where they do not fit, 429 after too many tries."""
    name = request.form.get("name", "")
    try:
        user_id = doors.check_password(name, request.form.get("password", ""))
    except doors.TooManyTries as error:
        return _page(notice=str(error), name=name), 429, {"Retry-After": str(error.wait_s)}
    if user_id is None:
        return _page(notice=_WRONG, name=name), 422
    with store.write(context.engine()) as writing:
        return doors.let_in(writing, user_id, "password", request.form.get("back", ""))


@bp.get("/link")
def link() -> str:
    """Ask before the link is used up: programs that look at links before people do press no buttons."""
    return render_template("sign_in/link.html", key=request.args.get("key", ""))


@bp.post("/link")
def by_link() -> Response | tuple[str, int]:
    """Sign in by a one-time link."""
    with store.write(context.engine()) as writing:
        user_id = sign_ins.use_link(writing, request.form.get("key", ""), now=context.now())
        if user_id is not None:
            return doors.let_in(writing, user_id, "link", request.form.get("back", ""))
    return _page(notice=_USED_UP), 422


@bp.get("/provider")
def provider() -> Response:
    """Go off to the sign-in provider."""
    state, nonce, verifier = (generate_token(48) for _ in range(3))
    start = Start(state, nonce, verifier, back=request.args.get("back", ""))
    address = doors.provider().address(start, _callback())
    with store.write(context.engine()) as writing:
        secret = sign_ins.start_sign_in(writing, start, now=context.now())
    return cookies.keep_on_the_way(redirect(address, 303), secret, sign_ins.START_FOR)


@bp.get("/callback")
def callback() -> Response | tuple[str, int]:
    """Come back from the sign-in provider, with a code or with its refusal."""
    with store.write(context.engine()) as writing:
        start = sign_ins.finish_sign_in(writing, cookies.on_the_way(), now=context.now())
    if start is None or not hmac.compare_digest(start.state, request.args.get("state", "")):
        return _page(notice=_NOT_OURS), 422
    try:
        return _from_provider(start)
    except SignInFailed as error:
        return _page(notice=str(error)), 502


@bp.post("/out")
def out() -> Response:
    """Sign this browser out."""
    with store.write(context.engine()) as writing:
        sign_ins.sign_out(writing, cookies.signed_in())
    return cookies.forget(redirect(url_for(".index"), 303))


def _from_provider(start: Start) -> Response:
    if "code" not in request.args:
        said = request.args.get("error_description") or request.args.get("error") or "it gave no reason"
        raise SignInFailed(f"The sign-in provider let nobody in: {said[:200]}.")
    claims = doors.provider().claims(start, _callback(), code=request.args["code"])
    oidc = context.settings().oidc
    brings = role_map(oidc.roles if oidc else "")
    grants = [grant for group in claims.groups for grant in brings.get(group, ())]
    with store.write(context.engine()) as writing:
        user = users.from_provider(writing, claims.subject, claims.name, grants, now=context.now())
        if user.disabled_at:
            raise SignInFailed(f"{user.name} is disabled here. An admin of this console can change that.")
        return doors.let_in(writing, user.id, "provider", start.back)


def _callback() -> str:
    public = context.settings().public_url
    return f"{public}{url_for('.callback')}" if public else url_for(".callback", _external=True)


def _page(*, notice: str = "", name: str = "") -> str:
    back = request.values.get("back", "")
    return render_template("sign_in/index.html", notice=notice, name=name, back=doors.back_or_home(back))
