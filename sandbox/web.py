"""Lambda's port: AWS's API, the sandbox's own controls under `/_sandbox/`, and a small page at `/`."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flask import Flask, Response, abort, request

from sandbox import answers, api, control

if TYPE_CHECKING:
    from sandbox.service import LambdaService

LOOPBACK = {"127.0.0.1", "localhost"}


def create_app(service: LambdaService) -> Flask:
    """Make the application that serves *service*. A shop that opens on it is ``app.extensions["shop"]``."""
    app = Flask(__name__)
    app.url_map.strict_slashes = False  # botocore leaves out the last slash that AWS's own paths have
    app.extensions["sandbox"] = service
    app.before_request(refuse_strangers)
    app.after_request(add_policy)
    app.register_error_handler(404, lambda _error: answers.no_such_call().answer())
    app.register_blueprint(api.bp)
    app.register_blueprint(control.bp)
    return app


def add_policy(response: Response) -> Response:
    """Let the page run and load nothing, and nobody frame its buttons."""
    response.headers["Content-Security-Policy"] = "default-src 'none'; form-action 'self'; frame-ancestors 'none'"
    return response


def refuse_strangers() -> None:
    """Refuse what a page of another site sends, or one that has rebound a name to this address.

    Programs send no Origin.
    """
    if request.host.partition(":")[0] not in LOOPBACK:
        abort(403, "This sandbox answers to 127.0.0.1 and localhost only.")
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        abort(403, "This request comes from another site.")
