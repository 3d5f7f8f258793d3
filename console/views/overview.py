"""The overview: every source, how full it is and how it reads, and failures over time."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, render_template, request

from console import charts
from console.context import now, session
from console.empty import alive
from deadletter.filters import EventFilter
from deadletter.store import queries
from deadletter.store.sources import list_sources

bp = Blueprint("overview", __name__, url_prefix="/overview")
_RANGES = {"24": 24, "72": 72, "168": 168, "336": 336}


@bp.get("")
def index() -> str:
    """Show the state of everything."""
    hours = _RANGES.get(request.args.get("hours", ""), 72)
    workers = queries.list_workers(session())
    return render_template(
        "overview/index.html",
        hours=hours,
        chart=_chart(hours),
        query=EventFilter(),
        events=queries.status_counts(session()),
        open_groups=queries.count_open_groups(session(), now()),
        sources=sorted(list_sources(session(), now=now()), key=lambda source: -(source.depth or 0)),
        workers=workers,
        alive=alive(workers, now()),
    )


def _chart(hours: int) -> charts.HourChart:
    since = now() - timedelta(hours=hours)
    return charts.hour_chart(queries.overall_hours(session(), since, now()), since=since, until=now())
