"""For probes and for monitoring: does it live, is it ready, and its numbers."""

from __future__ import annotations

import hmac
import ipaddress

from flask import Blueprint, Response, request
from werkzeug.exceptions import Forbidden

from console import context
from console.metrics import metrics_text
from console.security import host_name
from deadletter import store
from deadletter.store.vitals import count_workers, vitals

bp = Blueprint("health", __name__)

_PLAIN = {"Content-Type": "text/plain; charset=utf-8"}
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via")


@bp.get("/livez")
def livez() -> tuple[str, int, dict[str, str]]:
    """Answer 200 while the process answers at all: no reason to restart it."""
    return "It lives.\n", 200, _PLAIN


@bp.get("/readyz")
def readyz() -> tuple[str, int, dict[str, str]]:
    """Answer 200 when the database has the newest schema and a worker is alive; else 503 and what is missing."""
    missing = _missing()
    return ("\n".join(missing or ["It is ready."]) + "\n"), (503 if missing else 200), _PLAIN


@bp.get("/metrics")
def metrics() -> Response:
    """Show the console's numbers to Prometheus: on this machine, or by the token of the settings."""
    if not (_has_token() or _is_on_this_machine()):
        raise Forbidden(
            "Metrics are for this machine, or for whoever sends `Authorization: Bearer` and REDRIVE_METRICS_TOKEN."
        )
    facts = vitals(context.session(), lease_s=context.settings().lease_s, now=context.now())
    return Response(metrics_text(facts, now=context.now()), content_type="text/plain; version=0.0.4; charset=utf-8")


def _missing() -> list[str]:
    """Return a sentence for each thing that is missing."""
    if not store.is_current(context.engine()):
        return ["The database does not have the newest schema: run `redrive db upgrade`."]
    lease_s = context.settings().lease_s
    if not count_workers(context.session(), lease_s=lease_s, now=context.now()):
        return [f"No worker was heard of in the last {lease_s:g} seconds: start `redrive work`."]
    return []


def _has_token() -> bool:
    token = context.settings().metrics_token
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    return bool(token) and hmac.compare_digest(given.encode(), token.encode())


def _is_on_this_machine() -> bool:
    """Whether the request comes from here, by a name of here (else: DNS rebinding), and not by way of a proxy."""
    if any(name in request.headers for name in _FORWARDED) or host_name(request.host) not in _LOOPBACK_NAMES:
        return False
    try:
        return ipaddress.ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        return False
