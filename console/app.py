"""The composition point: settings in, the console out."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from flask import Flask, redirect, url_for
from jinja2 import StrictUndefined
from sqlalchemy import Engine, text
from werkzeug.routing import IntegerConverter
from werkzeug.wrappers import Response

from console import assets, context, problems, security, templating
from console.api import blueprint as api
from console.sign_in import doors, gate
from console.views import (
    approvals,
    audit,
    discovery,
    edits,
    events,
    groups,
    health,
    overview,
    people,
    redrives,
    reports,
    sign_in,
    sources,
    steering,
    targets,
    unknown,
    workers,
    you,
)
from deadletter.filters import MAX_ID
from deadletter.settings import Settings
from deadletter.store import make_engine

# No inline styles of htmx's own and no eval (the CSP forbids both); no payloads in the browser's local storage.
_HTMX_CONFIG = {
    "includeIndicatorStyles": False,
    "allowEval": False,
    "selfRequestsOnly": True,
    "historyCacheSize": 0,
    "refreshOnHistoryMiss": True,
}
_ROOT = Path(__file__).resolve().parent


_VIEWS = (
    overview, groups, events, edits, redrives, steering, approvals, sources, discovery, targets, reports, audit,
    workers, health, unknown, sign_in, you, people, api,
)  # fmt: skip


class _Id(IntegerConverter):
    """A number in an address; one that no id can be leads nowhere.

    By its digits, not by the number's limit: where that fails for one method, werkzeug answers 405 for the others.
    """

    regex = rf"\d{{1,{len(str(MAX_ID))}}}"


def create_app(
    settings: Settings,
    engine: Engine | None = None,
    *,
    clock: Callable[[], datetime] = context.utc_now,
    **network: Any,  # noqa: ANN401 - the parts of `Wiring` that talk to AWS
) -> Flask:
    """Make the console.

    Args:
        settings: Everything that can be chosen.
        engine: The database; made from *settings* where not given.
        clock: What tells the time, aware and in UTC.
        **network: What opens handlers' idempotency records and reads functions, where not AWS's own; see `Wiring`.
    """
    app = Flask("console", root_path=str(_ROOT), template_folder=str(_ROOT.parent / "templates"))
    context.register(app, context.Wiring(settings, engine or make_engine(settings), clock, **network))
    app.jinja_options = app.jinja_options | {"undefined": StrictUndefined, "trim_blocks": True, "lstrip_blocks": True}
    app.jinja_env.globals["htmx_config"] = json.dumps(_HTMX_CONFIG)
    templating.register(app, settings)
    for part in (assets, problems, security):
        part.register(app)
    app.url_map.converters["int"] = _Id
    for view in _VIEWS:
        app.register_blueprint(view.bp)
    app.add_url_rule("/", "home", _home)
    app.add_url_rule("/healthz", "healthz", _healthz)
    doors.register_provider(settings, app.extensions)
    gate.register(app)  # last: it knows a rule for every address, or there is no console
    return app


def _home() -> Response:
    return redirect(url_for("groups.index"))


def _healthz() -> tuple[str, int, dict[str, str]]:
    """Answer 200 while the database answers; the 503 page otherwise."""
    context.session().execute(text("SELECT 1"))
    return "ok\n", 200, {"Content-Type": "text/plain; charset=utf-8"}
