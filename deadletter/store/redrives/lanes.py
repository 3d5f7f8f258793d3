"""One limit a target, whatever sends to it: all redrives and all workers together keep to the same row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, literal_column, select
from sqlalchemy.orm import Session

from deadletter.event import TargetKind
from deadletter.outcome import HELD, RedriveStatus
from deadletter.ports import TargetFacts
from deadletter.store.engine import insert_for
from deadletter.store.models import Redrive, RedriveItem, TargetPace
from deadletter.store.redrives.pace import LONGEST_WISH_S, Turns, ahead, most_in_flight, pace_now, take_turns, width_now
from deadletter.store.rowset import table_of


@dataclass(frozen=True, slots=True)
class Lane:
    """How many events may go to one target now; `until`: when to look again, where none may and that is known."""

    free: int
    until: datetime | None = None
    row: TargetPace | None = None
    turns: Turns | None = None

    def take(self, n: int) -> None:
        """Note that *n* events go now."""
        if self.row and self.turns:
            self.row.next_send_at, self.row.gone = self.turns.after(n), self.turns.gone_after(n)


def ensure(session: Session, arns: Iterable[str]) -> None:
    """Make the rows of targets that nothing was ever sent to."""
    rows = [{"arn": arn} for arn in sorted(set(arns))]
    if rows:
        session.execute(insert_for(session)(table_of(TargetPace)).on_conflict_do_nothing(), rows)


def hold(session: Session, arns: Iterable[str]) -> Mapping[str, TargetPace]:
    """Return the rows of targets, locked, in everybody's order: after redrives, before items."""
    ensure(session, arns)
    query = select(TargetPace).where(TargetPace.arn.in_(sorted(set(arns)))).order_by(TargetPace.arn)
    rows = session.scalars(query.with_for_update().execution_options(populate_existing=True))
    return {row.arn: row for row in rows}


def open_lanes(session: Session, redrive: Redrive, now: datetime, *, most: int) -> Mapping[str, Lane]:
    """Return for each target of a locked redrive how many events may go there at *now*, at most *most*."""
    arns = [line["arn"] for line in redrive.targets]
    rates = _rates(session, redrive, arns)
    shared = {arn for arn, rate in rates.items() if rate.others}
    rows = {row.arn: row for row in session.scalars(select(TargetPace).where(TargetPace.arn.in_(arns)))}
    if shared or any(_is_limited(row) for row in rows.values()):
        rows = dict(hold(session, arns))
    free = _free(session, rows, redrive.share, now, most)
    return {arn: _lane(rows[arn], redrive, rates[arn], free[arn], now) if arn in rows else Lane(most) for arn in arns}


def _free(
    session: Session, rows: Mapping[str, TargetPace], share: float, now: datetime, most: int
) -> Mapping[str, int]:
    """Return how many more events may be in flight to each target, at most *most*."""
    limits = {arn: _most(row, share, now) for arn, row in rows.items()}
    in_flight = count_in_flight(session, [arn for arn, limit in limits.items() if limit is not None])
    return {arn: most if limit is None else max(0, min(most, limit - in_flight[arn])) for arn, limit in limits.items()}


def count_in_flight(session: Session, arns: Sequence[str]) -> Counter[str]:
    """Return how many events are being sent to each target, by all workers."""
    if not arns:
        return Counter()
    # The literal is what lets the small index over what is being sent serve this.
    query = select(RedriveItem.target_arn, func.count()).where(RedriveItem.outcome == literal_column("'sending'"))
    counted = session.execute(query.where(RedriveItem.target_arn.in_(arns)).group_by(RedriveItem.target_arn))
    return Counter({arn: n for arn, n in counted if arn})


@dataclass(frozen=True, slots=True)
class _Rate:
    """The highest rate of the running redrives to one target, and whether others than this one are among them."""

    most: float
    others: bool


def _rates(session: Session, redrive: Redrive, arns: Sequence[str]) -> Mapping[str, _Rate]:
    query = select(Redrive.id, Redrive.rate, Redrive.targets).where(Redrive.status == RedriveStatus.RUNNING)
    found: dict[str, list[float]] = {arn: [] for arn in arns}
    for row in session.execute(query.where(Redrive.id != redrive.id, Redrive.n_waiting > Redrive.kept_back)):
        for line in row.targets:
            found.setdefault(line["arn"], []).append(row.rate)
    return {arn: _Rate(max([redrive.rate, *found[arn]]), others=bool(found[arn])) for arn in arns}


def _is_limited(row: TargetPace) -> bool:
    return any(limit is not None for limit in (row.pace, row.width, row.busy_until, row.reserved_concurrency))


def _most(row: TargetPace, share: float, now: datetime) -> int | None:
    return most_in_flight(row.reserved_concurrency, width_now(row.width, row.slowed_at, now), share)


def _lane(row: TargetPace, redrive: Redrive, rate: _Rate, free: int, now: datetime) -> Lane:
    busy_until = ahead(row.busy_until, now, most_s=LONGEST_WISH_S)
    if busy_until and busy_until > now:
        return Lane(0, busy_until)
    pace = min(rate.most, pace_now(row.pace, row.slowed_at, now) or rate.most)
    if not free or (not rate.others and pace >= redrive.rate):
        return Lane(free, None, row)
    turns = take_turns(row.next_send_at, now, rate=pace, most=free, gone=row.gone)
    return Lane(turns.n, None if turns.n else max(turns.since, now + timedelta(milliseconds=20)), row, turns)


def slow_down(row: TargetPace, limits: Iterable[str | None], *, rate: float, in_flight: int, now: datetime) -> None:
    """Take a locked target's pace or width down to half, by which of its limits it said was reached."""
    reached = set(limits)
    before_pace, before_width = pace_now(row.pace, row.slowed_at, now), width_now(row.width, row.slowed_at, now)
    row.pace = max(0.1, (before_pace or rate) / 2) if "rate" in reached else before_pace
    row.width = max(1, min(before_width or in_flight, in_flight) // 2) if "concurrency" in reached else before_width
    row.slowed_at = now


_FRESH = timedelta(minutes=5)
_OPEN = (RedriveStatus.PLANNED, RedriveStatus.RUNNING, *HELD)
_LOOKED_AT = 20


def list_unread(session: Session, *, now: datetime) -> list[tuple[TargetKind, str]]:
    """Return the targets of the newest open redrives whose limits were not read in the last five minutes."""
    query = select(Redrive.targets).where(Redrive.status.in_(_OPEN)).order_by(Redrive.id.desc()).limit(_LOOKED_AT)
    named = {line["arn"]: TargetKind(line["kind"]) for lines in session.scalars(query) for line in lines}
    fresh = select(TargetPace.arn).where(TargetPace.arn.in_(sorted(named)), TargetPace.facts_at > now - _FRESH)
    known = set(session.scalars(fresh))
    return [(kind, arn) for arn, kind in sorted(named.items()) if arn not in known]


def note_facts(session: Session, arn: str, facts: TargetFacts, *, now: datetime) -> None:
    """Write down what a target says of its own limits."""
    row = hold(session, [arn])[arn]
    row.reserved_concurrency, row.timeout_s, row.settle_s = facts.reserved_concurrency, facts.timeout_s, facts.settle_s
    row.facts_at = now


@dataclass(frozen=True, slots=True)
class TargetLimits:
    """What a target said of its own limits; `read` is False while nobody has asked it."""

    arn: str
    read: bool
    timeout_s: float | None = None
    reserved_concurrency: int | None = None


def limits_of(session: Session, arns: Sequence[str]) -> Mapping[str, TargetLimits]:
    """Return the limits of targets, by ARN, as they were last read."""
    rows = {row.arn: row for row in session.scalars(select(TargetPace).where(TargetPace.arn.in_(arns)))}
    return {arn: _limits(arn, rows.get(arn)) for arn in arns}


def _limits(arn: str, row: TargetPace | None) -> TargetLimits:
    if row is None or row.facts_at is None:
        return TargetLimits(arn, read=False)
    return TargetLimits(arn, read=True, timeout_s=row.timeout_s, reserved_concurrency=row.reserved_concurrency)
