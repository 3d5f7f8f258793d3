"""Exports: the events that match a filter, the audit trail, and a report as a document; events are streamed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from flask import Response, request

from console import audit as trail
from console.api.filters import FILTER, read_filter
from console.api.reading import AUDIT, RANGE
from console.api.routes import Routes
from console.api.schemas import Schema
from console.context import engine, now, operator, session, settings
from console.documents import Document, document
from console.export import Stream
from console.reporting import read_range, read_report, stream_events
from console.sign_in.scope import narrowed
from deadletter import store
from deadletter.errors import BadInput
from deadletter.store.audit import AuditFilter, iter_audit

routes = Routes("exports")
_LINES: Mapping[Stream, str] = {Stream.CSV: "text/csv", Stream.NDJSON: "application/x-ndjson"}
_DOCUMENTS: Mapping[Document, str] = {Document.HTML: "text/html", Document.MARKDOWN: "text/markdown"}
_STREAM: Schema = {"type": "string", "enum": [each.value for each in Stream], "default": Stream.CSV.value}
_DOCUMENT: Schema = {"type": "string", "enum": [each.value for each in _DOCUMENTS], "default": Document.HTML.value}


@routes.stream("/events/export", _LINES.values(), format=_STREAM, **FILTER)
def events() -> Response:
    """Export every event that matches the filter, the newest first, streamed. Secrets are masked.

    A stream that ends early, because the database went away, ends the connection: it is then no complete answer.
    """
    stream = _stream()
    chosen = narrowed(read_filter(now=now()))
    return _answer(stream_events(engine(), chosen, stream, settings=settings()), _LINES[stream])


@routes.stream("/audit/export", _LINES.values(), format=_STREAM, **AUDIT)
def audit() -> Response:
    """Export the audit trail as far as it matches the filter, the newest first, streamed. Secrets are masked."""
    args = {name: value for name, value in request.args.items() if name != "format"}
    stream, chosen = _stream(), trail.read_filter(args, now=now())
    return _answer(_entries(chosen, stream), _LINES[stream])


@routes.stream("/report/document", _DOCUMENTS.values(), format=_DOCUMENT, **RANGE)
def report() -> Response:
    """Get the report of an incident as a document that needs nothing beside it."""
    name = request.args.get("format", Document.HTML.value)
    kind = next((each for each in _DOCUMENTS if each == name), None)
    if kind is None:
        raise BadInput(f"There is no format {name[:40]!r} of a report. There are: {', '.join(_DOCUMENTS)}.")
    pairs = [pair for pair in request.args.items(multi=True) if pair[0] != "format"]
    chosen = read_range(pairs, now=now())
    made = document(read_report(session(), chosen, settings=settings(), made_by=operator(), now=now()), kind)
    return _answer(iter([made]), _DOCUMENTS[kind])


def _stream() -> Stream:
    name = request.args.get("format", Stream.CSV.value)
    if name not in set(Stream):
        raise BadInput(f"There is no format {name[:40]!r}. There are: {', '.join(Stream)}.")
    return Stream(name)


def _entries(chosen: AuditFilter, stream: Stream) -> Iterator[str]:
    """Return the lines; they outlive the request's own session, so they read by one of theirs."""
    database, secrets = engine(), settings().secrets

    def lines() -> Iterator[str]:
        with store.read(database) as reading:
            yield from trail.export(iter_audit(reading, chosen), stream, secrets=secrets)

    return lines()


def _answer(lines: Iterator[str], kind: str) -> Response:
    """Return *lines* as they come, the first already read: what fails must fail before the answer begins."""
    first = next(lines, "")
    return Response(_beginning_with(first, lines), content_type=f"{kind}; charset=utf-8")


def _beginning_with(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest
