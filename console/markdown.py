"""A report as Markdown that reads well in a pull request or a wiki, and in which hostile text stays text.

Whatever came from outside stands in code spans and fenced blocks: nothing is a link, a mention, an image or HTML there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from console.charts import HourChart
from console.format import plural, utc, visible, words
from deadletter.report import CauseImpact, RedriveEntry, Report, Sample

_BAR_CELLS = 30
_RUN_OF_BACKTICKS = re.compile(r"`+")
_MARKUP = re.compile(r"[\\`*_{}\[\]<>()#&|~!$:@.]")


def markdown(report: Report, chart: HourChart) -> str:
    """Return *report* as one Markdown document; *chart* is of when its events failed."""
    sections = (
        _head(report),
        _when(chart),
        _causes(report),
        _functions(report),
        _redrives(report),
        _rest(report),
        _samples(report),
    )
    told = sections if report.events else sections[:1]
    return "\n".join(line for section in told for line in section) + "\n"


def code(text: str) -> str:
    """Return *text* on one line as a code span that holds whatever *text* holds, also within a table."""
    line = " ".join(visible(text).split()) or " "
    if "|" in line:  # a pipe ends a table's cell, in a code span too; as an entity it does not
        return f"<code>{_MARKUP.sub(lambda mark: f'&#{ord(mark[0])};', line)}</code>"
    fence = "`" * (_longest_run(line) + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def block(text: str, language: str = "") -> list[str]:
    """Return *text* as a fenced block, its fence longer than any within."""
    fence = "`" * max(3, _longest_run(text) + 1)
    return [f"{fence}{language}", visible(text), fence, ""]


def _longest_run(text: str) -> int:
    return max((len(run) for run in _RUN_OF_BACKTICKS.findall(text)), default=0)


def _table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Return a table; a head that ends in a colon is a column of numbers."""
    rule = ["---:" if head.endswith(":") else "---" for head in heads]
    lines = [[head.removesuffix(":") for head in heads], rule, *rows]
    return [
        "| " + " | ".join(f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in line) + " |" for line in lines
    ] + [""]


def _head(report: Report) -> Iterator[str]:
    yield from ("# Incident report", "", f"**{report.headline}**", "")
    yield f"- From {utc(report.since)} to {utc(report.until)}"
    if report.filter:
        yield "- Only " + ", ".join(f"{words(name)} {code(value)}" for name, value in report.filter.items())
    yield from (f"- Made {utc(report.made_at)} by {code(report.made_by)}", "")


def _when(chart: HourChart) -> Iterator[str]:
    if not chart.peak or not chart.peak.n:
        return
    yield from ("## When", "", "```text")
    for bar in chart.bars:
        if bar.n and bar.since:
            cells = max(1, round(_BAR_CELLS * bar.n / chart.peak.n))
            yield f"{bar.since:%Y-%m-%d %H:%M}  {'█' * cells:<{_BAR_CELLS}}  {bar.n:,}"
    yield from (
        "```",
        "",
        f"Each line is {plural(chart.hours_per_bar, 'hour')} (UTC); lines without a failure are left out.",
        "",
    )


def _causes(report: Report) -> Iterator[str]:
    if not report.causes:
        return
    yield from ("## What failed", "")
    heads = ("Cause", "Function", "Events:", "Open:", "Resolved:", "First seen", "Last seen")
    yield from _table(heads, [_cause(cause) for cause in report.causes])
    if report.events_of_other_causes:
        yield from (f"And {plural(report.events_of_other_causes, 'event')} of further causes.", "")


def _cause(cause: CauseImpact) -> Sequence[object]:
    counts = (cause.events, cause.open, cause.resolved)
    message = cause.masked_message
    title = code(cause.title) + (f"<br>{code(message)}" if message and message != cause.title else "")
    return (title, code(cause.function_name), *counts, utc(cause.first_seen), utc(cause.last_seen))


def _functions(report: Report) -> Iterator[str]:
    if report.functions:
        yield from ("## Impact by function", "")
        rows = [(code(impact.name), impact.events, impact.open) for impact in report.functions]
        yield from _table(("Function", "Events:", "Open:"), rows)


def _redrives(report: Report) -> Iterator[str]:
    yield from ("## Redrives", "")
    if not report.redrives:
        yield from ("None of these events was redriven.", "")
        return
    heads = ("Redrive", "Of", "By", "Started", "Status", "Sent:", "Succeeded:", "Failed again:", "Skipped:", "Unknown:")
    yield from _table(heads, [_redrive(entry) for entry in report.redrives])


def _redrive(entry: RedriveEntry) -> Sequence[object]:
    started = utc(entry.started_at) if entry.started_at else "not started"
    counts = (entry.sent, entry.succeeded, entry.failed_again, entry.skipped, entry.unknown)
    return (entry.id, code(entry.title), code(entry.started_by or entry.asked_by), started, entry.status, *counts)


def _rest(report: Report) -> Iterator[str]:
    if report.outcomes:
        yield from ("## Outcomes", "")
        yield from (f"- {n:,} {words(outcome)}" for outcome, n in report.outcomes.items() if n)
        yield ""
    yield from ("## Still open, and the risk that remains", "")
    yield from (f"- {risk.text}" for risk in report.risks)
    yield from ("",) if report.risks else ("Nothing: every event is resolved, and every success has its evidence.", "")


def _samples(report: Report) -> Iterator[str]:
    samples = [(cause, cause.sample) for cause in report.causes if cause.sample]
    if samples:
        yield from ("## One failure of each cause", "")
    for cause, sample in samples:
        yield from (f"### {code(cause.title)} in {code(cause.function_name)}", "")
        yield from _sample(sample)


def _sample(sample: Sample) -> Iterator[str]:
    yield f"Event {sample.event_id}, failed {utc(sample.occurred_at)}" + (
        f", request id {code(sample.request_id)}" if sample.request_id else ""
    )
    yield ""
    yield from block(
        ": ".join(filter(None, (sample.error_type, sample.error_message))) or "The record names no error.", "text"
    )
    if sample.stack_trace:
        yield from block("\n".join(sample.stack_trace), "text")
    if sample.payload is not None:
        yield from ("<details><summary>Payload</summary>", "", *block(sample.payload, "json"), "</details>", "")
