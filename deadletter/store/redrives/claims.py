"""Claiming what is sent right now: by compare-and-set, at the rate that all workers keep together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Row, Select, and_, bindparam, select, update
from sqlalchemy.orm import Session

from deadletter.event import Producer, ReceivedMessage, TargetKind, TargetRef
from deadletter.outcome import Outcome, RedriveStatus
from deadletter.plan import invocation_of
from deadletter.preflight import Protection
from deadletter.route import Supplement
from deadletter.store import models
from deadletter.store.engine import is_postgres
from deadletter.store.instant import micros
from deadletter.store.lookups import supplement_of
from deadletter.store.redrives.care import closed_until, room
from deadletter.store.redrives.lanes import open_lanes
from deadletter.store.redrives.locks import lock, shift
from deadletter.store.redrives.order import is_next, is_ordered, skip_behind_unknown
from deadletter.store.redrives.pace import LONGEST_WISH_S, Turns, ahead, take_turns
from deadletter.store.redrives.selections import received
from deadletter.store.rowset import given, one_of_named, table_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A redrive with something to send. `not_before`: when the rate, and the target's wish, let the next event go."""

    redrive_id: int
    not_before: datetime | None
    targets: tuple[TargetRef, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """One item that this worker, and no other, may send once. `stands_for` is the ARN that its group stands under."""

    redrive_id: int
    position: int
    event_id: int
    target: TargetRef
    invocation: str
    message: ReceivedMessage
    stands_for: str | None
    deduplication_id: str
    edited: str | None = None
    """What is sent in the original payload's place."""
    protection: Protection | None = None
    """What the plan said of its handler's idempotency record; None where nobody asked."""
    skip_done: bool = True
    supplement: Supplement | None = None
    """What was looked up for it, where its record leaves something out."""
    left: bool = False
    """Whether its message was left in its queue, and has to be taken from there first."""


def list_running(session: Session, now: datetime) -> list[Running]:
    """Return the redrives that have something to send at *now* or later, oldest first."""
    redrive = models.Redrive
    columns = (
        redrive.id, redrive.next_send_at, redrive.rate, redrive.busy_until, redrive.starts_at, redrive.window,
        redrive.targets,
    )  # fmt: skip
    query = select(*columns).where(redrive.status == RedriveStatus.RUNNING, redrive.n_waiting > redrive.kept_back)
    return [
        Running(
            redrive_id=row.id,
            not_before=_latest(
                ahead(row.next_send_at, now, most_s=1 / row.rate),
                ahead(row.busy_until, now, most_s=LONGEST_WISH_S),
                closed_until(row.starts_at, row.window, now),
            ),
            targets=tuple(TargetRef(TargetKind(line["kind"]), line["arn"]) for line in row.targets),
        )
        for row in session.execute(query.order_by(redrive.id))
    ]


def _latest(*moments: datetime | None) -> datetime | None:
    return max((moment for moment in moments if moment), default=None)


def claim(  # noqa: PLR0913 - what limits a claim, each by its name
    session: Session,
    redrive_id: int,
    *,
    worker: str,
    most: int,
    rooms: Mapping[str, int] | None = None,
    now: datetime,
) -> list[Claimed]:
    """Claim at most *most* items of a running redrive for *worker*, as many as its limits let go at *now*.

    *rooms* says how many more this worker can hold for each target, by ARN; None: as many as there are.
    From here on nobody else sends them: they are recorded by this worker, or become `unknown` when it dies.
    """
    redrive = lock(session, redrive_id)
    if redrive.status != RedriveStatus.RUNNING or closed_until(redrive.starts_at, redrive.window, now):
        return []
    if is_ordered(redrive) and redrive.n_unknown:
        skip_behind_unknown(session, redrive, now)
    most = min(most, room(redrive))
    turns = take_turns(redrive.next_send_at, now, rate=redrive.rate, most=most, gone=redrive.gone)
    return _claim_turns(session, redrive, worker, turns, rooms or {}, now) if turns.n else []


def _claim_turns(  # noqa: PLR0913, PLR0917 - what limits a claim
    session: Session, redrive: models.Redrive, worker: str, turns: Turns, rooms: Mapping[str, int], now: datetime
) -> list[Claimed]:
    """Claim what *turns* of the redrive's own rate, the lanes of its targets, and a worker's *rooms* let go."""
    lanes = open_lanes(session, redrive, now, most=turns.n)
    free = {arn: min(lane.free, rooms.get(arn, lane.free)) for arn, lane in lanes.items()}
    n = min((each for each in free.values() if each), default=0)
    closed = {arn for arn, each in free.items() if not each}
    claimed = _claim_items(session, redrive, worker, n, now, besides=closed) if n else []
    if not claimed:
        # Only what is for the closed ones waits.
        redrive.busy_until = min((lane.until for lane in lanes.values() if lane.until), default=None)
        return []
    for arn, taken in Counter(arn for _, arn in claimed).items():
        lanes[arn].take(taken)
    redrive.next_send_at, redrive.gone = turns.after(len(claimed)), turns.gone_after(len(claimed))
    shift(redrive, Outcome.WAITING, Outcome.SENDING, len(claimed))
    return _load(session, redrive, [position for position, _ in claimed])


def _claim_items(  # noqa: PLR0913 - what a claim says, each by its name
    session: Session, redrive: models.Redrive, worker: str, n: int, now: datetime, *, besides: Collection[str]
) -> list[tuple[int, str]]:
    """Claim the first *n* items that are for none of the targets in *besides*; return positions and targets' ARNs."""
    item = models.RedriveItem
    free = select(item.position).where(item.redrive_id == redrive.id, item.outcome == Outcome.WAITING)
    if besides:
        free = free.where(item.target_arn.not_in(sorted(besides)))
    if is_ordered(redrive):
        free = free.where(is_next(redrive.id))
    # A common table expression, because PostgreSQL may run a plain subquery with LIMIT and SKIP LOCKED more than once.
    first = free.order_by(item.position).limit(n).with_for_update(skip_locked=True).cte("first")
    query = update(item).where(item.redrive_id == redrive.id, item.position.in_(select(first.c.position)))
    query = query.values(outcome=Outcome.SENDING, claimed_by=worker, sent_at=now)
    query = query.returning(item.position, item.target_arn)
    rows = session.execute(query.execution_options(synchronize_session=False))
    return [(position, arn or "") for position, arn in rows]


def _load(session: Session, redrive: models.Redrive, positions: list[int]) -> list[Claimed]:
    """Return the claimed items with the records that they are made of, in the order of sending."""
    asked = {"redrive": redrive.id, "positions": given(session, positions)}
    rows = session.connection().execute(_loading(postgres=is_postgres(session)), asked)
    common = _Common(
        redrive.id,
        redrive.invocation,
        f"{micros(redrive.planned_at):x}",
        skip_done=bool((redrive.preflight or {}).get("skip_done", True)),
    )
    known: dict[tuple[str, str], TargetRef] = {}
    return [_claimed(common, row, known) for row in rows]


@dataclass(frozen=True, slots=True)
class _Common:
    """What all claims of one redrive share, read once: each look at a mapped row costs as much as a claim."""

    redrive_id: int
    invocation: str
    planned: str
    skip_done: bool


@cache
def _loading(*, postgres: bool) -> Select[Any]:
    """Return the query of `_load`: building it costs as much as ten events."""
    item, event, record, group, edit, lookup = (
        table_of(model)
        for model in (models.RedriveItem, models.Event, models.Record, models.Group, models.Edit, models.Lookup)
    )
    columns = (
        item.c.position, item.c.event_id, item.c.target_kind, item.c.target_arn, group.c.function_arn,
        event.c.producer, record.c.message_id, record.c.body, record.c.attributes, record.c.message_attributes,
        event.c.left_record_id, item.c.protection, edit.c.payload,
        lookup.c.payload.label("fetched"), lookup.c.route,
    )  # fmt: skip
    whole = item.join(event, event.c.id == item.c.event_id).join(record, record.c.id == event.c.record_id)
    whole = whole.join(group, group.c.id == event.c.group_id)
    whole = whole.outerjoin(edit, and_(edit.c.redrive_id == item.c.redrive_id, edit.c.event_id == item.c.event_id))
    whole = whole.outerjoin(lookup, lookup.c.event_id == event.c.id)
    chosen = one_of_named("positions", item.c.position, postgres=postgres)
    query = select(*columns).select_from(whole).where(item.c.redrive_id == bindparam("redrive"), chosen)
    return query.order_by(item.c.position)


def _claimed(common: _Common, row: Row[Any], known: dict[tuple[str, str], TargetRef]) -> Claimed:
    """Return the claim of *row*; *known* keeps the targets, which are few."""
    where = (row.target_kind, row.target_arn)
    if where not in known:
        known[where] = TargetRef(TargetKind(row.target_kind), row.target_arn)
    return Claimed(
        redrive_id=common.redrive_id,
        position=row.position,
        event_id=row.event_id,
        target=known[where],
        invocation=invocation_of(Producer(row.producer), common.invocation),
        message=received(row),
        stands_for=row.function_arn,
        deduplication_id=f"redrive-{common.redrive_id}-{row.position}-{common.planned}",
        edited=None if row.payload is None else row.payload.decode("utf-8", "surrogatepass"),
        protection=Protection(row.protection) if row.protection else None,
        skip_done=common.skip_done,
        supplement=supplement_of(row.fetched, row.route),
        left=row.left_record_id is not None,
    )
