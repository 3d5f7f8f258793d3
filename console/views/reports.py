"""Reports: on the page, as a document, and the events as a stream."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from flask import Blueprint, Response, render_template, request

from console.context import engine, now, operator, session, settings
from console.documents import Document, chart_of, document
from console.export import Stream
from console.reporting import read_range, read_report, stream_events
from console.sign_in.scope import narrowed
from deadletter.errors import BadInput
from deadletter.filters import EventFilter

bp = Blueprint("reports", __name__, url_prefix="/reports")

_TYPES: Mapping[Document | Stream, str] = {
    Document.HTML: "text/html",
    Document.MARKDOWN: "text/markdown",
    Document.JSON: "application/json",
    Stream.CSV: "text/csv",
    Stream.NDJSON: "application/x-ndjson",
}
_FIELD_OF = {"since": "from", "until": "to"}


@bp.get("")
def index() -> str | tuple[str, int]:
    """Show the form, and the report on what it says."""
    try:
        chosen = _range()
    except BadInput as error:
        return _refused(error)
    report = read_report(session(), chosen, settings=settings(), made_by=operator(), now=now())
    return _page(report=report, chart=chart_of(report), query=chosen.to_query())


@bp.get("/download")
def download() -> Response | tuple[str, int]:
    """Send the report as a file: a document, or its events as a stream."""
    try:
        kind, chosen = _kind(), _range()
    except BadInput as error:
        return _refused(error)
    body = _events(chosen, kind) if isinstance(kind, Stream) else _document(chosen, kind)
    response = Response(body, content_type=f"{_TYPES[kind]}; charset=utf-8")
    response.headers.set("Content-Disposition", "attachment", filename=_filename(chosen, kind))
    return response


def _range() -> EventFilter:
    pairs = [(name, value) for name, value in request.args.items(multi=True) if name != "format"]
    return read_range(pairs, now=now())


def _kind() -> Document | Stream:
    name = request.args.get("format", Document.HTML)
    for kind in _TYPES:
        if kind == name:
            return kind
    raise BadInput(f"There is no format {name!r}. There are: {', '.join(_TYPES)}.")


def _document(chosen: EventFilter, kind: Document) -> str:
    return document(read_report(session(), chosen, settings=settings(), made_by=operator(), now=now()), kind)


def _events(chosen: EventFilter, stream: Stream) -> Iterator[str]:
    """Return the stream, its first lines already read: a database that fails must do so before the answer begins."""
    blocks = stream_events(engine(), narrowed(chosen), stream, settings=settings())
    first = next(blocks, "")
    return _beginning_with(first, blocks)


def _beginning_with(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _filename(chosen: EventFilter, kind: Document | Stream) -> str:
    what = "events" if isinstance(kind, Stream) else "report"
    ends = "-".join(f"{end:%Y%m%dT%H%MZ}" for end in (chosen.since, chosen.until) if end)
    return f"redrive-{what}-{ends}.{kind}"


def _refused(error: BadInput) -> tuple[str, int]:
    return _page(problem=str(error)), 422


def _page(**found: object) -> str:
    written = {_FIELD_OF.get(name, name): value for name, value in request.args.items() if name != "format"}
    nothing: dict[str, object] = {"report": None, "chart": None, "query": "", "problem": None}
    return render_template("reports/index.html", **nothing | {"form": written} | found)
