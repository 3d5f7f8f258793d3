"""The two cookies: who is signed in, and which sign-in is on its way. Random, HttpOnly, never readable by a page."""

from __future__ import annotations

from datetime import timedelta

from flask import request
from werkzeug.wrappers import Response

from console import context

_SIGNED_IN, _ON_THE_WAY = "redrive", "redrive-start"


def signed_in() -> str:
    """Return the secret that this browser signed in with; empty where it has none."""
    return request.cookies.get(_name(_SIGNED_IN), "")


def on_the_way() -> str:
    """Return the secret of the sign-in that this browser went off with; empty where it has none."""
    return request.cookies.get(_name(_ON_THE_WAY), "")


def keep_signed_in(response: Response, secret: str, lasts: timedelta) -> Response:
    """Let the browser keep *secret*."""
    return _set(response, _SIGNED_IN, secret, lasts)


def keep_on_the_way(response: Response, secret: str, lasts: timedelta) -> Response:
    """Let the browser keep what binds a sign-in that goes off to the provider to it."""
    return _set(response, _ON_THE_WAY, secret, lasts)


def forget(response: Response) -> Response:
    """Let the browser forget both."""
    for name in (_SIGNED_IN, _ON_THE_WAY):
        _set(response, name, "", timedelta())
    return response


def _set(response: Response, name: str, value: str, lasts: timedelta) -> Response:
    # Lax: a link from a chat opens the page signed in, and the way back from the provider finds its cookie. Every write
    # is guarded by where it comes from besides (see `console.security`).
    response.set_cookie(
        _name(name), value, max_age=int(lasts.total_seconds()), secure=_secure(), httponly=True, samesite="Lax"
    )
    return response


def _name(name: str) -> str:
    """Return a cookie's name: bound to our host by its prefix where we have TLS, and to our port where we have none.

    A browser gives the cookies of 127.0.0.1 to every port of it: two consoles on one machine would sign each other out.
    """
    if _secure():
        return f"__Host-{name}"
    return f"{name}-{request.environ.get('SERVER_PORT', '80')}"


def _secure() -> bool:
    return request.is_secure or context.settings().public_url.startswith("https://")
