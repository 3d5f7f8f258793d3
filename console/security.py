"""What keeps a console of other people's payloads safe in a browser: headers, the Host check, no cross-site writes."""

from __future__ import annotations

from flask import Flask, Response, request
from werkzeug.exceptions import BadRequest, Forbidden

from console import context

MAX_FORM_BYTES = 1_000_000
"""A form larger than this is refused (413): the largest real one ticks a page of rows."""

# Probes and monitoring call by address. The first three tell nothing, and /metrics looks at the name itself.
_BY_ADDRESS = frozenset({"healthz", "health.livez", "health.readyz", "health.metrics"})
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_HEADERS = {
    # No inline script or style, nothing from elsewhere: a payload that gets past escaping still runs nowhere.
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "object-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: with it a browser sends "Origin: null" with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def register(app: Flask) -> None:
    """Guard every request of *app*."""
    app.config["MAX_CONTENT_LENGTH"] = MAX_FORM_BYTES
    app.before_request(_check_host)
    app.before_request(_check_origin)
    app.after_request(_add_headers)


def host_name(host: str) -> str:
    """Return the name in a Host header, without its port, in lower case; an IPv6 address keeps its brackets."""
    if host.startswith("["):
        return host[: host.find("]") + 1].lower()
    return host.partition(":")[0].lower()


def _check_host() -> None:
    """Answer only to our own names: a hostile page can point its own name at 127.0.0.1 (DNS rebinding)."""
    if request.endpoint in _BY_ADDRESS:
        return
    name = host_name(request.headers.get("Host", ""))
    if name not in context.settings().allowed_hosts:
        message = f"This console does not answer to the name {name!r}. If it should, add it to REDRIVE_ALLOWED_HOSTS."
        raise BadRequest(message)


def _check_origin() -> None:
    """Refuse writes that another site's page asks the browser for. Needs no cookie and no token.

    Browsers say where a request comes from, and a page cannot forge it: `Sec-Fetch-Site`, or in older ones `Origin`. A
    request with neither does not come from a browser's page.
    """
    if request.method in _SAFE_METHODS:
        return
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    ours = site in {"same-origin", "none"} if site else origin is None or origin.partition("://")[2] == request.host
    if not ours:
        message = (
            "Another site's page asked for this change, so nothing was changed. Do it from this console's own page."
        )
        raise Forbidden(message)


def _add_headers(response: Response) -> Response:
    response.headers.extend(_HEADERS)
    # Payloads stay out of caches; the style sheet and the scripts name their version in their address.
    if request.endpoint not in {"static", "htmx"}:
        response.headers["Cache-Control"] = "no-store"
    return response
