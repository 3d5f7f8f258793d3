"""Targets that asked to be left alone, and until when: meanwhile the others are sent to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from deadletter.store.models import Redrive, TargetPace
from deadletter.store.redrives.lanes import count_in_flight, hold, slow_down
from deadletter.store.redrives.pace import LONGEST_PAUSE_S, pause_s


@dataclass(frozen=True, slots=True)
class Busy:
    """The target asked to slow down: why, as a sentence, and for how long, in seconds, where it said so.

    `jitter`, from 0 to 1, spreads workers that were turned away together; `limit` is which of its limits was reached,
    `rate` or `concurrency`, where it said so.
    """

    reason: str
    retry_after_s: float | None
    jitter: float
    limit: str | None = None


def note_answers(
    session: Session,
    redrive: Redrive,
    turned_away: Mapping[str, Sequence[Busy]],
    answered: Sequence[str],
    now: datetime,
) -> None:
    """Leave alone, for a while, the targets of a locked redrive that turned something away; an answer ends that.

    Both are known by ARN; a target that did both was busy.
    """
    if answered:
        redrive.throttled_since = None
    elif turned_away:
        redrive.throttled_since = redrive.throttled_since or now
    if not turned_away and not redrive.busy_count:
        return  # nearly always: nothing to write down
    rows = hold(session, [line["arn"] for line in redrive.targets] + sorted(turned_away))
    in_flight = count_in_flight(session, sorted(turned_away))
    for arn, row in rows.items():
        if arn in turned_away:
            _pause(row, turned_away[arn], rate=redrive.rate, in_flight=in_flight[arn], now=now)
        elif arn in answered:
            row.busy_times, row.busy_until, row.busy_reason = 0, None, None
    _show(redrive, rows, now)


def _pause(row: TargetPace, busy: Sequence[Busy], *, rate: float, in_flight: int, now: datetime) -> None:
    """Leave a locked target alone; calls that were in flight together count as one time."""
    if row.busy_until is None or row.busy_until <= now:
        long_ago = row.busy_until is None or row.busy_until < now - timedelta(seconds=LONGEST_PAUSE_S)
        row.busy_times = 1 if long_ago else row.busy_times + 1
        slow_down(row, [each.limit for each in busy], rate=rate, in_flight=in_flight + len(busy), now=now)
    seconds = max(pause_s(row.busy_times, each.retry_after_s, each.jitter) for each in busy)
    row.busy_until = max(now + timedelta(seconds=seconds), row.busy_until or now)
    row.busy_reason = busy[-1].reason


def _show(redrive: Redrive, rows: Mapping[str, TargetPace], now: datetime) -> None:
    """Let a locked redrive wait while all of its targets are to be left alone, and say why on its page."""
    paused = [row for row in rows.values() if row.busy_until and row.busy_until > now]
    redrive.busy_count = max((row.busy_times for row in rows.values()), default=0)
    redrive.busy_until = min((row.busy_until for row in paused if row.busy_until), default=None)
    if len(paused) < len(rows):
        redrive.busy_until = None
    redrive.busy_reason = next((row.busy_reason for row in rows.values() if row.busy_times), None)
