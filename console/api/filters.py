"""The filter of events as parameters, and what a body selects by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from flask import request
from werkzeug.datastructures import MultiDict

from console.api.bodies import IDS, MAX_TEXT, Body
from console.api.routes import CURSOR
from console.api.schemas import Schema
from console.forms import Form, read_selection
from deadletter.errors import BadInput
from deadletter.event import Producer
from deadletter.filters import EventFilter
from deadletter.outcome import EventStatus, GroupState

_TEXT: Schema = {"type": "string"}
_TIME: Schema = {"type": "string", "description": "ISO 8601, UTC unless it says otherwise, or an age such as 24h."}
FILTER: Mapping[str, Schema] = {
    "status": {"type": "string", "enum": list(EventStatus)},
    "group": {"type": "integer"},
    "groups": {"type": "string", "description": "Numbers with commas between them."},
    "source": {"type": "integer"},
    "sources": {"type": "string", "description": "Numbers with commas between them."},
    "function": _TEXT,
    "error_type": _TEXT,
    "producer": {"type": "string", "enum": list(Producer)},
    "since": _TIME,
    "until": _TIME,
    "text": _TEXT,
    "cause": {"type": "string", "description": "Words of the group's name, or of the event as by text."},
    "expires": {"type": "string", "description": "A span from now such as 24h, or FROM/TO."},
    "state": {"type": "string", "enum": list(GroupState)},
    "assignee": _TEXT,
}
"""The parameters that narrow a list: `deadletter.filters.EventFilter`."""

SELECTION: Mapping[str, Schema] = {
    "events": IDS,
    "groups": IDS,
    "filter": {"type": "string", "minLength": 1, "maxLength": MAX_TEXT},
}
"""The fields that select events: their ids, or those of groups, or a filter as in a URL's query."""


_BESIDE = {*CURSOR, "format"}
"""What a list or an export is asked besides."""


def read_filter(*, now: datetime) -> EventFilter:
    """Return the filter that the request's parameters say. Raises BadInput."""
    pairs = [(name, text) for name, text in request.args.items(multi=True) if name not in _BESIDE]
    return EventFilter.from_query(pairs, now=now)


def read_selected(body: Body, *, now: datetime) -> EventFilter | Sequence[int]:
    """Return which events a body means. Raises BadInput unless it says it in exactly one way."""
    said = [name for name in SELECTION if name in body]
    if len(said) != 1:
        raise BadInput("Say which events in exactly one way: events, groups, or filter.")
    chosen = read_selection(_as_form(body), now=now)
    if isinstance(chosen, EventFilter) and chosen.is_empty:
        raise BadInput("This filter lets every event through. To choose all that are open: status=unresolved")
    return chosen


def _as_form(body: Body) -> Form:
    form: Form = MultiDict()
    for field, name in (("events", "event"), ("groups", "group")):
        form.setlist(name, [str(number) for number in body.get(field, ())])
    if "filter" in body:
        form["filter"] = body["filter"]
    return form
