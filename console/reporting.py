"""What the page and the command line share about reports: which range is meant, and the way from there to a report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from console.export import Stream, export
from console.plain import iso
from deadletter.errors import BadInput
from deadletter.filters import EventFilter
from deadletter.report import Report, make_report
from deadletter.settings import Settings
from deadletter.store import read
from deadletter.store.queries import iter_events, report_facts

DEFAULT_RANGE = timedelta(hours=24)
_YEARS = range(2000, 2101)
_NAMES = {"from": "since", "to": "until"}


def read_range(pairs: Iterable[tuple[str, str]], *, now: datetime) -> EventFilter:
    """Return the filter that *pairs* say, always with both ends: `from` and `to` (or `since`, `until`), and its parts.

    Without an end the report ends *now*; without a beginning it covers the 24 hours before its end.

    Raises:
        BadInput: A part is not one of its kind, or the range is empty or beyond the calendar's sensible years.
    """
    given = EventFilter.from_query([(_NAMES.get(name, name), value) for name, value in pairs], now=now)
    until = given.until or now
    _check_year(until)
    since = given.since or until - DEFAULT_RANGE
    _check_year(since)
    if since >= until:
        raise BadInput(f"The report would begin at {iso(since)} and end at {iso(until)}. Choose an earlier beginning.")
    return given.with_(since=since, until=until)


def read_report(session: Session, chosen: EventFilter, *, settings: Settings, made_by: str, now: datetime) -> Report:
    """Return the report on the events that *chosen* means, which has both ends, for *made_by*."""
    facts = report_facts(session, chosen, now=now)
    return make_report(facts, chosen=chosen, made_at=now, made_by=made_by, secrets=settings.secrets)


def stream_events(engine: Engine, chosen: EventFilter, stream: Stream, *, settings: Settings) -> Iterator[str]:
    """Yield the events that *chosen* means as CSV or NDJSON, in a transaction of its own that ends with the last."""
    with read(engine) as session:
        yield from export(iter_events(session, chosen), stream, secrets=settings.secrets)


def _check_year(moment: datetime) -> None:
    if moment.year not in _YEARS:
        raise BadInput(f"{iso(moment)} is out of range: a report covers times from {_YEARS[0]} to {_YEARS[-1]}.")
