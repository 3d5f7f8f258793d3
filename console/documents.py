"""Reports as files: HTML that needs nothing beside it, Markdown, and JSON. Pure: a report in, text out."""

from __future__ import annotations

import json
from datetime import timedelta
from enum import StrEnum
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from console import format as reading
from console.charts import HourChart, hour_chart
from console.markdown import markdown
from console.plain import plain
from deadletter.report import Report

TEMPLATES = Path(__file__).resolve().parent.parent / "templates"


class Document(StrEnum):
    """What a report is written as."""

    HTML = "html"
    MARKDOWN = "md"
    JSON = "json"


def chart_of(report: Report) -> HourChart:
    """Return the chart of when the report's events failed."""
    points = ((int(hour.since.timestamp()) // 3600, hour.events) for hour in report.hours)
    # The report ends before `until`; with it, an hour that is not part of the report would have a place of its own.
    return hour_chart(points, since=report.since, until=report.until - timedelta(microseconds=1))


def document(report: Report, kind: Document) -> str:
    """Return *report* as a document of *kind*."""
    match kind:
        case Document.HTML:
            return (
                _environment()
                .get_template("reports/document.html")
                .render(report=report, chart=chart_of(report), linked=False)
            )
        case Document.MARKDOWN:
            return markdown(report, chart_of(report))
        case Document.JSON:
            return json.dumps(plain(report), indent=2) + "\n"


@cache
def _environment() -> Environment:
    """Return templates of their own: a document is also written where there is no request, by the command line."""
    made = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    names = ("number", "plural", "utc", "clock", "words", "tone", "visible")
    made.filters |= {name: getattr(reading, name) for name in names}
    return made
