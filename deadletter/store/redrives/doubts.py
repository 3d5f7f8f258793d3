"""What may have run, and nobody knows: events whose last outcome is `unknown`, what speaks for either, an end to it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Row, Select, and_, func, literal_column, select, tuple_, update
from sqlalchemy.orm import Session, aliased

from deadletter.event import TargetKind, TargetRef
from deadletter.outcome import EventStatus, Outcome
from deadletter.store import models
from deadletter.store.cursors import read_cursor, write_cursor
from deadletter.store.moves import move_where
from deadletter.store.redrives.locks import advance, lock, shift
from deadletter.store.rows import Page
from deadletter.store.strays import absorb_strays
from deadletter.store.totals import note_moves


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubtRow:
    """An event whose last outcome is unknown, and the redrive that left it so. `reason` says why nobody knows."""

    redrive_id: int
    position: int
    event_id: int
    event_label: str | None
    request_id: str | None
    group_title: str
    asked_by: str
    target: TargetRef | None
    target_arn: str | None
    sent_at: datetime | None
    sent_id: str | None
    reason: str | None


_ORDER = "unknown"
MOST_COUNTED = 1_000
_TWINS_SOUGHT = 50

# Written out, not bound: the databases use the index of unknown outcomes only where they can see its condition.
_DOUBTFUL = (
    literal_column("events.last_outcome") == literal_column("'unknown'"),
    literal_column("events.status") == literal_column("'unresolved'"),
)


def list_doubts(
    session: Session,
    *,
    event_ids: Sequence[int] | None = None,
    sources: Collection[int] | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[DoubtRow]:
    """Return the events whose last outcome is unknown (of *event_ids*, by *sources* only, if given), the latest first.

    Raises:
        BadInput: *cursor* is not of this list.
    """
    query = _doubts().order_by(models.Event.id.desc()).limit(limit + 1)
    if event_ids is not None:
        query = query.where(models.Event.id.in_(event_ids))
    if sources is not None:
        query = query.where(models.Event.source_id.in_(sources))
    if cursor is not None:
        query = query.where(models.Event.id < read_cursor(cursor, _ORDER)[0])
    rows = [_row(row) for row in session.execute(query)]
    more = len(rows) > limit
    return Page(rows[:limit], write_cursor(_ORDER, (rows[limit - 1].event_id, 0)) if more else None)


def count_doubts(session: Session) -> int:
    """Return how many events have an unknown outcome that nobody has settled; at most `MOST_COUNTED`."""
    return session.scalar(doubts_counted()) or 0


def doubts_counted() -> Select[int]:
    """Return the statement of `count_doubts`, for one that asks for more."""
    first = select(models.Event.id).where(*_DOUBTFUL).limit(MOST_COUNTED).subquery()
    return select(func.count()).select_from(first)


def came_back(session: Session, doubts: Sequence[DoubtRow], *, now: datetime) -> set[int]:
    """Give back what came with an id that a redrive got; return the ids of the events that failed again by that."""
    sent_ids = [doubt.sent_id for doubt in doubts if doubt.sent_id]
    absorb_strays(session, sent_ids, now=now)
    asked = [doubt.event_id for doubt in doubts]
    again = select(models.Event.id).where(models.Event.id.in_(asked), models.Event.last_outcome == Outcome.FAILED_AGAIN)
    return set(session.scalars(again))


def twins_of(session: Session, doubts: Sequence[DoubtRow]) -> Mapping[int, int]:
    """Return, by event, another one with the same payload that was collected after the sending: perhaps its failure.

    No proof: two events can be alike. A person looks at both.
    """
    event, item, twin = models.Event, models.RedriveItem, aliased(models.Event)
    some = [doubt for doubt in doubts if doubt.sent_at][:_TWINS_SOUGHT]
    alike = and_(twin.group_id == event.group_id, twin.occurred_at >= item.sent_at, twin.id != event.id)
    query = select(event.id, func.max(twin.id).label("twin_id")).join(item, item.event_id == event.id).join(twin, alike)
    query = query.where(twin.payload_digest == event.payload_digest)
    query = query.where(tuple_(item.redrive_id, item.position).in_([(each.redrive_id, each.position) for each in some]))
    return {row.id: row.twin_id for row in session.execute(query.group_by(event.id))} if some else {}


def settle_done(session: Session, doubt: DoubtRow, evidence: str, *, now: datetime) -> bool:
    """Write down that an unknown event succeeded after all, by *evidence*; return False if it is settled otherwise."""
    redrive = lock(session, doubt.redrive_id)
    item, event = models.RedriveItem, models.Event
    query = update(item).where(item.redrive_id == doubt.redrive_id, item.position == doubt.position)
    query = query.where(item.outcome == Outcome.UNKNOWN).returning(item.position)
    values = {"outcome": Outcome.SUCCEEDED, "evidence": evidence, "settled_at": now}
    if session.scalar(query.values(**values).execution_options(synchronize_session=False)) is None:
        return False
    shift(redrive, Outcome.UNKNOWN, Outcome.SUCCEEDED)
    note_moves(session, [(doubt.target_arn, Outcome.UNKNOWN, Outcome.SUCCEEDED)])
    free = and_(event.id == doubt.event_id, event.redrive_id.is_(None))
    freed = {"last_outcome": Outcome.SUCCEEDED.value}
    move_where(session, [free], EventStatus.RESOLVED, values=freed, before={EventStatus.UNRESOLVED})
    advance(redrive, now)
    return True


def _doubts() -> Select[models.RedriveItem, str | None, str | None, str, str]:
    item, event = models.RedriveItem, models.Event
    later = aliased(models.RedriveItem)
    last = select(func.max(later.redrive_id)).where(later.event_id == event.id, later.outcome == Outcome.UNKNOWN)
    return (
        select(item, event.label, event.request_id, models.Group.title, models.Redrive.asked_by)
        .select_from(event)
        .join(item, and_(item.event_id == event.id, item.redrive_id == last.scalar_subquery()))
        .join(models.Group, models.Group.id == event.group_id)
        .join(models.Redrive, models.Redrive.id == item.redrive_id)
        .where(*_DOUBTFUL)
        .execution_options(populate_existing=True)
    )


def _row(row: Row[models.RedriveItem, str | None, str | None, str, str]) -> DoubtRow:
    item, label, request_id, title, asked_by = row
    target = TargetRef(TargetKind(item.target_kind), item.target_arn) if item.target_kind and item.target_arn else None
    return DoubtRow(
        redrive_id=item.redrive_id,
        position=item.position,
        event_id=item.event_id,
        event_label=label,
        request_id=request_id,
        group_title=title,
        asked_by=asked_by,
        target=target,
        target_arn=item.target_arn,
        sent_at=item.sent_at,
        sent_id=item.sent_id,
        reason=item.reason,
    )
