"""The overview: every source, how full it is and how it reads, and failures over time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from flask import Blueprint, render_template, request

from console import charts
from console.context import now, session
from console.empty import alive
from deadletter.filters import EventFilter
from deadletter.store import queries
from deadletter.store.births import find_flood
from deadletter.store.left import count_expiring
from deadletter.store.redrives.doubts import count_doubts
from deadletter.store.rows import Count, SourceRow
from deadletter.store.sources import list_sources

bp = Blueprint("overview", __name__, url_prefix="/overview")
_SPANS = (("1h", "within the hour", 1), ("24h", "within a day", 24), ("7d", "within 7 days", 168))
_RANGES = {"24": 24, "72": 72, "168": 168, "336": 336}


class Expiring(NamedTuple):
    """How many events AWS drops within a span: as the filter and as a reader say it."""

    span: str
    words: str
    events: Count


@bp.get("")
def index() -> str:
    """Show the state of everything."""
    hours = _RANGES.get(request.args.get("hours", ""), 72)
    workers = queries.list_workers(session())
    sources = sorted(list_sources(session(), now=now()), key=lambda source: -(source.depth or 0))
    return render_template(
        "overview/index.html",
        hours=hours,
        chart=_chart(hours),
        query=EventFilter(),
        events=queries.status_counts(session()),
        open_groups=queries.count_open_groups(session(), now()),
        sources=sources,
        expiring=_expiring(),
        waiting=sorted((source for source in sources if source.expires_at), key=_soonest),
        workers=workers,
        at_work=sum(worker.lead is None and alive([worker], now()) for worker in workers),
        unknown=count_doubts(session()),
        flood=find_flood(session(), now()),
        alive=alive(workers, now()),
    )


def _expiring() -> list[Expiring]:
    """Return how many events AWS drops soon, and sooner."""
    counts = count_expiring(session(), now(), [timedelta(hours=hours) for _, _, hours in _SPANS])
    return [Expiring(span, words, count) for (span, words, _), count in zip(_SPANS, counts, strict=True)]


def _soonest(source: SourceRow) -> datetime:
    return source.expires_at or now()


def _chart(hours: int) -> charts.HourChart:
    since = now() - timedelta(hours=hours)
    return charts.hour_chart(queries.overall_hours(session(), since, now()), since=since, until=now())
