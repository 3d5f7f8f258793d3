"""The console's own files and htmx, from our origin; each address names its content, so that it is cached for good."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from flask import Flask, Response, send_file, url_for

YEAR_S = 31_536_000
_HTMX = "django_htmx/static/django_htmx/htmx-2.min.js"


def register(app: Flask) -> None:
    """Serve htmx beside the static files, and give the templates `asset(name)`."""
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = YEAR_S
    app.add_url_rule("/static/htmx.js", "htmx", _htmx)
    app.jinja_env.globals["asset"] = asset


def asset(name: str) -> str:
    """Return the address of a static file (or of `htmx.js`), with the digest of its content."""
    if name == "htmx.js":
        return url_for("htmx", v=_digest(htmx_file()))
    return url_for("static", filename=name, v=_digest(Path(__file__).parent / "static" / name))


@cache
def htmx_file() -> Path:
    """Return where the installed distribution keeps htmx 2. It is a Django package's file; Django is not needed for it.

    Raises:
        FileNotFoundError: The distribution is not installed; the message says how to install it.
    """
    try:
        path = Path(str(distribution("django-htmx").locate_file(_HTMX)))
    except PackageNotFoundError:
        path = Path(_HTMX)
    if not path.is_file():
        raise FileNotFoundError(f"htmx was not found at {path}. It comes with django-htmx: run make setup.")
    return path


@cache
def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def _htmx() -> Response:
    return send_file(htmx_file(), mimetype="text/javascript", max_age=YEAR_S)
