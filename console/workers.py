"""What the Workers page and `redrive workers` show: who works, who helps whom, who was lost. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from deadletter.store.redrives.workers import SECOND_ON_SQLITE
from deadletter.store.rows import WorkerRow


@dataclass(frozen=True, slots=True)
class WorkerLine:
    """One process.

    `lost`: it was silent for the lease, so what it was sending is `unknown` by now and what it was collecting comes
    again. Rates are events per second between its last two heartbeats, by ARN; `calls` are those that were out, by
    target. A thread is its name, what it does, and for how many seconds.
    """

    id: str
    helps: str | None
    started_at: datetime
    seen_at: datetime
    lost: bool
    doing: str
    collecting: Mapping[str, float]
    sending: Mapping[str, float]
    calls: Mapping[str, int]
    threads: Sequence[Mapping[str, Any]]


def lines(workers: Sequence[WorkerRow], *, lease_s: float, now: datetime) -> list[WorkerLine]:
    """Return a line a process: each worker with those that help it behind it, and who was lost at the end."""
    found = [_line(worker, lost=now - worker.seen_at > timedelta(seconds=lease_s)) for worker in workers]
    started = {line.id: line.started_at for line in found}
    return sorted(
        found,
        key=lambda line: (
            line.lost,
            started.get(line.helps or line.id, line.started_at),
            line.helps or line.id,
            bool(line.helps),
        ),
    )


def warning(shown: Sequence[WorkerLine], *, sqlite: bool) -> str | None:
    """Return what is wrong with the workers as a whole, as a sentence."""
    leading = [line for line in shown if not line.helps and not line.lost]
    if not leading:
        return "No worker is running: nothing is collected and nothing is sent. Start one with: redrive work"
    return SECOND_ON_SQLITE if sqlite and len(leading) > 1 else None


def _line(worker: WorkerRow, *, lost: bool) -> WorkerLine:
    activity: Mapping[str, Any] = {} if lost else worker.activity
    sending = activity.get("sending", {})
    return WorkerLine(
        id=worker.id,
        helps=worker.lead,
        started_at=worker.started_at,
        seen_at=worker.seen_at,
        lost=lost,
        doing=worker.doing,
        collecting=activity.get("collecting", {}),
        sending={arn: facts["per_second"] for arn, facts in sending.items()},
        calls={arn: facts["calls"] for arn, facts in sending.items()},
        threads=activity.get("threads", ()),
    )
