"""The five questions to ask before a redrive, each answered as far as the data goes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from console.format import ago, number, plural
from deadletter.event import name_of
from deadletter.outcome import EventStatus
from deadletter.store.rows import EventRow, GroupRow, RedriveRow

_MOST = 0.8
_SHARE = 0.25
_FEW = 4
_QUIET = timedelta(hours=1)


class Answer(NamedTuple):
    """One question with its answer; where to look (an address and its words), or an event to try first, if any."""

    question: str
    answer: str
    href: str | None = None
    link: str | None = None
    try_event: int | None = None


class Around(NamedTuple):
    """What the answers are made of: the group, its failures by hour, its newest event, and its last redrive if any."""

    group: GroupRow
    hours: Sequence[tuple[int, int]]
    newest: EventRow | None
    last_redrive: RedriveRow | None


def runbook(around: Around, *, now: datetime, links: dict[str, str]) -> list[Answer]:
    """Return the questions in the order in which operators ask them. *links* are addresses: event, redrive, events."""
    return [
        Answer("Clustered or steady?", pattern(around.hours)),
        _cause(around, links),
        _fix(around, now),
        Answer("Where does it go?", _target(around.newest)),
        _verify(around, now, links),
    ]


def pattern(hours: Sequence[tuple[int, int]]) -> str:
    """Return whether failures came in a burst or steadily: an outage asks for another answer than a bug does.

    A burst is 80% of the failures in a quarter of the hours between the first and the last (of a day at least), where
    these hours have several failures each.
    """
    counts = sorted((n for _, n in hours if n), reverse=True)
    if not counts:
        return "No failure in the time shown."
    if counts == [1]:
        return "One failure: too few to tell."
    numbers = [hour for hour, n in hours if n]
    total, shown, dense = sum(counts), max(numbers) - min(numbers) + 1, _fewest(counts)
    if total >= _FEW * dense and dense <= _SHARE * max(24, shown):
        share = f"{_MOST:.0%} of {number(total)} failures fell in {plural(dense, 'hour')}"
        return f"Clustered: {share}. That looks like an outage or a release."
    return f"Steady: {plural(total, 'failure')} over {plural(shown, 'hour')}. That looks like a bug or bad data."


def _fewest(counts: Sequence[int]) -> int:
    """Return how many of the highest *counts* (highest first) hold most of the total."""
    held, most = 0, _MOST * sum(counts)
    for i, n in enumerate(counts):
        held += n
        if held >= most:
            return i + 1
    return len(counts)


def _cause(around: Around, links: dict[str, str]) -> Answer:
    if around.newest is None:
        return Answer("What is the cause?", "No event of this group is left to read.")
    message = around.newest.error_message or around.newest.error_type or "The record names no error."
    return Answer("What is the cause?", message[:160], links.get("event"), "Read the newest event")


def _fix(around: Around, now: datetime) -> Answer:
    quiet, newest = now - around.group.last_seen, around.newest
    said = "It still failed" if quiet < _QUIET else "It last failed"
    answer = f"{said} {ago(around.group.last_seen, now)}."
    open_event = newest.id if newest and newest.status is EventStatus.UNRESOLVED else None
    advice = " If you are not sure, one event tells:" if open_event else ""
    return Answer("Is the fix deployed?", answer + advice, try_event=open_event)


def _target(newest: EventRow | None) -> str:
    if newest is None or newest.target_arn is None:
        return "No target is known: set one on the source, or in the plan."
    return f"To {newest.target_kind} {name_of(newest.target_arn)}. The plan lists every target before anything is sent."


def _verify(around: Around, now: datetime, links: dict[str, str]) -> Answer:
    last = around.last_redrive
    if last is None:
        return Answer("What changed since?", "None of its newest events was redriven.")
    became = f"{number(last.succeeded)} of {number(last.planned)} succeeded, {number(last.failed_again)} failed again"
    since = f"Redriven {ago(last.started_at or last.planned_at, now)}: {became}."
    newer = around.group.last_seen > (last.finished_at or now)
    return Answer(
        "What changed since?",
        since + (" It has failed since then." if newer else ""),
        links.get("redrive"),
        f"Redrive {last.id}",
    )


def why_one_group(group: GroupRow) -> list[tuple[str, Sequence[str]]]:
    """Return what makes the events one group: the facts that count, by name."""
    facts: list[tuple[str, Sequence[str]]] = [("Function", (group.function_name,))]
    if group.error_type:
        facts.append(("Error type", (group.error_type,)))
    if group.frames:
        facts.append(("Frames", tuple(group.frames)))
    elif group.masked_message:
        facts.append(("Message", (group.masked_message,)))
    return facts
