"""Why a list is empty, in a sentence that says what to do. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from console.format import ago, plural
from deadletter.store.rows import SourceRow, WorkerRow

WORKER_SILENT = timedelta(seconds=30)
"""A worker that was not heard of for so long counts as gone."""


@dataclass(frozen=True, slots=True)
class Empty:
    """Why: a heading, a sentence, whether a source must be registered first, and whether waiting may change it."""

    title: str
    sentence: str
    needs_source: bool = False
    may_change: bool = False
    hidden: bool = False


def alive(workers: Sequence[WorkerRow], now: datetime) -> bool:
    """Return whether any worker was heard of lately."""
    return any(now - worker.seen_at <= WORKER_SILENT for worker in workers)


def why_empty(
    noun: str, *, filtered: bool, sources: Sequence[SourceRow], workers: Sequence[WorkerRow], now: datetime
) -> Empty:
    """Return why a list of *noun* ("groups", "events") is empty: the first of the reasons that holds."""
    if not sources:
        return Empty(
            "No source is registered", "Nothing can be collected until a dead-letter queue is.", needs_source=True
        )
    if filtered and any(source.collected_total for source in sources):
        return Empty(f"No {noun} match this filter", "There is more without it.", hidden=True)
    if not alive(workers, now):
        return Empty("No worker is running", _no_worker(sources, now), may_change=True)
    return _nothing_failed(noun, sources, now)


def _no_worker(sources: Sequence[SourceRow], now: datetime) -> str:
    read = max((source.last_collected_at for source in sources if source.last_collected_at), default=None)
    before = (
        f"Sources were last read {ago(read, now)}." if read else f"{plural(len(sources), 'source')} never read yet."
    )
    return f"{before} Start one with: redrive work"


def _nothing_failed(noun: str, sources: Sequence[SourceRow], now: datetime) -> Empty:
    erring = sum(source.error is not None for source in sources)
    read = max((source.last_collected_at for source in sources if source.last_collected_at), default=None)
    if read is None:
        sentence = f"{plural(len(sources), 'source')} registered, none has answered yet."
        return Empty("Nothing collected yet", sentence, may_change=True)
    sentence = f"Last collected {ago(read, now)} from {plural(len(sources) - erring, 'source')}."
    if erring:
        sentence += f" {plural(erring, 'source')} cannot be read: failures there are not seen."
    title = f"No open {noun}" if any(source.collected_total for source in sources) else "Nothing has failed"
    return Empty(title, sentence, may_change=True)
