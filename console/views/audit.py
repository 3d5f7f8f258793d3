"""The audit trail: who did what to what, when, and from where."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

from flask import Blueprint, render_template, request
from werkzeug.wrappers import Response

from console import audit as trail
from console.context import engine, now, session, settings
from console.details import said
from console.export import Stream
from deadletter import store
from deadletter.errors import NotFound
from deadletter.store.audit import AuditFilter, iter_audit, list_audit

bp = Blueprint("audit", __name__, url_prefix="/audit")
_TYPES = {Stream.CSV: "text/csv; charset=utf-8", Stream.NDJSON: "application/x-ndjson"}


@bp.get("")
def index() -> str:
    """Show the entries that match the filter, the newest first."""
    chosen = trail.read_filter(request.args, now=now())
    page = list_audit(session(), chosen, cursor=request.args.get("cursor"))
    written = {name: value for name, value in request.args.items() if value and name != "cursor"}
    lines = [(row, said(row.details, settings().secrets)) for row in page.rows]
    return render_template(
        "audit/index.html", page=page, lines=lines, args=written, query=urlencode(written), kinds=trail.KINDS
    )


@bp.get("/export.<extension>")
def export(extension: str) -> Response:
    """Download what matches the filter, streamed, as `csv` or `ndjson`."""
    if extension not in set(Stream):
        raise NotFound(f"The audit trail is exported as csv or ndjson, not as {extension!r}.")
    stream, chosen = Stream(extension), trail.read_filter(request.args, now=now())
    name = f'attachment; filename="audit.{extension}"'
    return Response(_lines(chosen, stream), content_type=_TYPES[stream], headers={"Content-Disposition": name})


def _lines(chosen: AuditFilter, stream: Stream) -> Iterator[str]:
    """Return the lines of the export; they outlive the request's own session, so they read by one of theirs."""
    database, secrets = engine(), settings().secrets

    def lines() -> Iterator[str]:
        with store.read(database) as reading:
            yield from trail.export(iter_audit(reading, chosen), stream, secrets=secrets)

    return lines()
