"""The gate before every address: who is asking, and may they?"""

from __future__ import annotations

from flask import Flask, g, redirect, request, url_for
from werkzeug.exceptions import Unauthorized
from werkzeug.wrappers import Response

from console import context
from console.api.problem import PREFIX
from console.sign_in import cookies, rules, scope
from deadletter import store
from deadletter.access import Grant, Permission, Principal, Role
from deadletter.settings import SignIn
from deadletter.store.people import sign_ins, tokens

_READING = frozenset({"GET", "HEAD"})
_REVOKED = (
    "This token lets nobody in: it was revoked, has expired, or was never one. Make a new one on your own page, or by "
    "`redrive tokens add`."
)
_API_ASKS = (
    "The API needs a token: Authorization: Bearer rdv_... Make one on your own page, or by `redrive tokens add`."
)
_NOT_SIGNED_IN = "Nobody is signed in in this browser any more, so nothing was changed. Sign in, then do it again."


def register(app: Flask) -> None:
    """Guard every address of *app*; call when all of them are there."""
    rules.check(rule.endpoint for rule in app.url_map.iter_rules())
    app.before_request(_let_in)


def _let_in() -> Response | None:
    needed = rules.RULES[request.endpoint] if request.endpoint else Permission.VIEW
    if needed is rules.PUBLIC:
        return None  # without asking who it is: a probe must be answered while the database is away
    principal = g.principal = who()
    if request.endpoint is None:
        return None  # no such address: the 404 page, which shows the navigation to those who are in
    if principal is None:
        return _to_sign_in()
    principal.require(needed)
    scope.check_address(needed, request.view_args or {})
    return None


def who() -> Principal | None:
    """Return who is asking; None where nobody is signed in. Raises Unauthorized for a token that lets nobody in."""
    settings = context.settings()
    if settings.sign_in is SignIn.OFF:
        return Principal(settings.operator, (Grant(Role.ADMIN),), "loopback")
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return _bearer(token.strip())
    secret = cookies.signed_in()
    return sign_ins.who_is(context.session(), secret, now=context.now()) if secret else None


def _bearer(token: str) -> Principal:
    found = tokens.who_has(context.session(), token, now=context.now())
    if found is None:
        raise Unauthorized(_REVOKED)
    principal, token_id, stale = found
    if stale:
        with store.write(context.engine()) as writing:
            tokens.note_use(writing, token_id, now=context.now())
    return principal


def _to_sign_in() -> Response:
    if request.path.startswith(PREFIX):
        raise Unauthorized(_API_ASKS)
    if request.method not in _READING:
        raise Unauthorized(_NOT_SIGNED_IN)
    back = request.full_path.rstrip("?")
    return redirect(url_for("sign_in.index", back=back), 303)
