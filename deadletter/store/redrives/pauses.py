"""Which targets of a redrive asked to be left alone, and until when: meanwhile the others are sent to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from deadletter.store import models
from deadletter.store.instant import from_micros, micros
from deadletter.store.redrives.pace import pause_s


@dataclass(frozen=True, slots=True)
class Busy:
    """The target asked to slow down: why, as a sentence, and for how long, in seconds, where it said so.

    `jitter`, from 0 to 1, spreads workers that were turned away together.
    """

    reason: str
    retry_after_s: float | None
    jitter: float


def paused_targets(redrive: models.Redrive, now: datetime) -> Mapping[str, datetime]:
    """Return until when each target is to be left alone, by ARN; only those that are."""
    until = {arn: from_micros(pause["until"]) for arn, pause in redrive.pauses.items()}
    return {arn: moment for arn, moment in until.items() if moment > now}


def pause(redrive: models.Redrive, arn: str, turned_away: Sequence[Busy], now: datetime) -> None:
    """Leave a target of a locked redrive alone; calls that were in flight together count as one time."""
    before = redrive.pauses.get(arn, {"until": 0, "times": 0})
    times = before["times"] + (from_micros(before["until"]) <= now)
    seconds = max(pause_s(times, busy.retry_after_s, busy.jitter) for busy in turned_away)
    until = max(micros(now + timedelta(seconds=seconds)), before["until"])
    redrive.pauses = {**redrive.pauses, arn: {"until": until, "times": times}}
    redrive.busy_reason = turned_away[-1].reason


def forgive(redrive: models.Redrive, arn: str) -> None:
    """A target of a locked redrive answered: it is busy no more."""
    redrive.pauses = {other: pause for other, pause in redrive.pauses.items() if other != arn}


def wait_for_targets(redrive: models.Redrive, arns: Sequence[str], now: datetime) -> None:
    """Let a locked redrive wait while all of *arns*, the targets that it still sends to, are to be left alone."""
    paused = paused_targets(redrive, now)
    redrive.busy_count = max((pause["times"] for pause in redrive.pauses.values()), default=0)
    redrive.busy_until = min(paused.values()) if paused and paused.keys() >= set(arns) else None
    if not redrive.pauses:
        redrive.busy_reason = None
