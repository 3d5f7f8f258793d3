"""Retention: what no rule keeps any longer is deleted, a small batch a transaction, and counted out of everything.

What is kept whatever the rules say: an event that an open redrive holds or has not settled, one whose message AWS still
has (it would only be collected again), and one whose payload was edited (what was sent in its place is evidence).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, exists, func, or_, select, text, tuple_, update
from sqlalchemy.orm import Session

from deadletter.actor import Actor
from deadletter.errors import BadInput
from deadletter.outcome import EventStatus, Outcome, RedriveStatus
from deadletter.store import audit, search
from deadletter.store.counters import Deltas
from deadletter.store.engine import insert_for, is_postgres
from deadletter.store.models import (
    Edit,
    Event,
    ExpiredItems,
    Lookup,
    Record,
    Redrive,
    RedriveItem,
    RetentionRule,
    Source,
)
from deadletter.store.rowset import lock_events, one_of, table_of

AT_ONCE = 500
"""Events in one transaction: others wait for it for some tens of milliseconds."""

EVERY_SOURCE = "*"
STATUSES = (EventStatus.RESOLVED, EventStatus.ARCHIVED, EventStatus.UNRESOLVED)
BY_ITSELF = Actor("retention", "the worker")
_LOCK = 7_264_115_014
_SUMMED_AT_ONCE = 20_000
_OPEN = [status for status in RedriveStatus if status not in {RedriveStatus.FINISHED, RedriveStatus.CANCELLED}]
_UNSETTLED = (Outcome.WAITING, Outcome.SENDING, Outcome.SENT)

Cursor = tuple[datetime, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Of the events with *status* of one source (or of `EVERY_SOURCE` that has no rule of its own), keep so much."""

    status: EventStatus
    source_arn: str = EVERY_SOURCE
    days: int | None = None
    bytes: int | None = None


def set_rule(session: Session, rule: Rule, *, by: Actor, now: datetime) -> None:
    """Keep what *rule* says, from the next turn on. Raises BadInput: it says nothing, or nothing that can be kept."""
    if rule.status not in STATUSES:
        raise BadInput(f"Events that are {rule.status} never expire; rules are for {', '.join(STATUSES)}.")
    if rule.days is None and rule.bytes is None:
        raise BadInput("A rule says days, bytes, or both.")
    if min(rule.days or 1, rule.bytes or 1) < 1:
        raise BadInput("A rule keeps at least 1 day and 1 byte.")
    row = {"status": rule.status.value, "source_arn": rule.source_arn, "days": rule.days, "bytes": rule.bytes}
    statement = insert_for(session)(table_of(RetentionRule)).values(**row, changed_by=by.name, changed_at=now)
    changed = {name: statement.excluded[name] for name in ("days", "bytes", "changed_by", "changed_at")}
    session.execute(statement.on_conflict_do_update(index_elements=["status", "source_arn"], set_=changed))
    audit.note(session, by, "set", "retention", f"{rule.status} {rule.source_arn}", details=row, now=now)


def remove_rule(session: Session, status: EventStatus, source_arn: str, *, by: Actor, now: datetime) -> bool:
    """Keep everything again; return whether there was a rule."""
    rule = session.get(RetentionRule, (status.value, source_arn))
    if rule is None:
        return False
    session.delete(rule)
    audit.note(session, by, "remove", "retention", f"{status} {source_arn}", now=now)
    return True


def list_rules(session: Session) -> list[Rule]:
    """Return the rules, those of every source first."""
    rows = session.scalars(select(RetentionRule).order_by(RetentionRule.source_arn, RetentionRule.status))
    return [
        Rule(status=EventStatus(row.status), source_arn=row.source_arn, days=row.days, bytes=row.bytes) for row in rows
    ]


@dataclass(frozen=True, slots=True)
class Due:
    """What one rule means right now: events of *status* and *source_id* that satisfy `where`."""

    rule: Rule
    source_id: int
    where: ColumnElement[bool]


def due(session: Session, *, now: datetime) -> Iterator[Due]:
    """Yield what is to go, by rule and source. It reads what it has to sum, a part at a time, and changes nothing."""
    rules = {(rule.status, rule.source_arn): rule for rule in list_rules(session)}
    for source_id, arn in session.execute(select(Source.id, Source.arn).order_by(Source.id)).all() if rules else ():
        for status in STATUSES:
            rule = rules.get((status, arn)) or rules.get((status, EVERY_SOURCE))
            over = _over(session, rule, source_id, now) if rule else []
            if rule and over:
                yield Due(rule, source_id, and_(Event.status == status, Event.source_id == source_id, or_(*over)))


def _over(session: Session, rule: Rule, source_id: int, now: datetime) -> list[ColumnElement[bool]]:
    over: list[ColumnElement[bool]] = []
    if rule.days is not None:
        since = now - timedelta(days=rule.days)
        settled = exists().where(RedriveItem.event_id == Event.id, RedriveItem.settled_at >= since)
        over.append(and_(Event.occurred_at < since, Event.last_failed_at < since, ~settled))
    if rule.bytes is not None and (last := _last_kept(session, rule.status, source_id, rule.bytes)):
        over.append(tuple_(Event.occurred_at, Event.id) < last)
    return over


def _last_kept(session: Session, status: EventStatus, source_id: int, most: int) -> Cursor | None:
    """Return the place of the oldest event that fits, the newest first, into *most* bytes; None when all do."""
    query = select(Event.occurred_at, Event.id, func.coalesce(Event.payload_bytes, 0))
    query = query.where(Event.status == status, Event.source_id == source_id)
    rows = session.execute(
        query.order_by(Event.occurred_at.desc(), Event.id.desc()).execution_options(yield_per=_SUMMED_AT_ONCE)
    )
    kept = 0
    last: Cursor | None = None
    for at, event_id, size in rows:
        kept += size or 0
        if kept > most:
            rows.close()
            return last or (at, event_id + 1)
        last = at, event_id
    return None


def count_due(session: Session, one: Due) -> tuple[int, int]:
    """Return how many events would go by now, and the bytes of their payloads. A dry run: it scans what it counts."""
    query = select(func.count(), func.coalesce(func.sum(Event.payload_bytes), 0)).where(one.where, *_free())
    events, size = session.execute(query).one()
    return int(events), int(size or 0)


def expire(session: Session, one: Due, *, after: Cursor | None, now: datetime) -> tuple[int, Cursor | None]:
    """Delete the next batch of what is due; return how many went, and where to go on (None at the end).

    One worker at a time does it on PostgreSQL: another finds the lock taken and nothing to do.
    """
    if is_postgres(session) and not session.scalar(text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": _LOCK}):
        return 0, None
    place = tuple_(Event.occurred_at, Event.id)
    query = select(Event.occurred_at, Event.id).where(one.where, *_free())
    query = query.where(place > after) if after else query
    found = session.execute(query.order_by(Event.occurred_at, Event.id).limit(AT_ONCE)).all()
    _lock_items(session, [row.id for row in found])
    # What changed while we waited for its lock is no longer meant; the rest nobody changes until we are done.
    locked = lock_events(session, [row.id for row in found])
    still = select(Event.id).where(one_of(session, table_of(Event).c.id, sorted(locked)), one.where, *_free())
    gone = {event_id: locked[event_id] for event_id in session.scalars(still)} if locked else {}
    _delete(session, gone)
    if gone:
        details = {"count": len(gone), "source": one.source_id, "status": one.rule.status}
        audit.note(session, BY_ITSELF, "expire", "events", "", details=details, now=now)
    return len(gone), (found[-1].occurred_at, found[-1].id) if len(found) == AT_ONCE else None


def _lock_items(session: Session, ids: Sequence[int]) -> None:
    """Lock the items before their events, as everybody else does: a late outcome then waits, and never deadlocks."""
    item = table_of(RedriveItem).c
    query = select(item.redrive_id).where(one_of(session, item.event_id, ids))
    session.execute(query.order_by(item.redrive_id, item.position).with_for_update()).all()


def _free() -> tuple[ColumnElement[bool], ...]:
    """Return the conditions that nothing holds an event but its age."""
    item = table_of(RedriveItem).c
    held = exists().where(item.event_id == Event.id, Redrive.id == item.redrive_id)
    held = held.where(or_(Redrive.status.in_(_OPEN), item.outcome.in_(_UNSETTLED)))
    edited = exists().where(Edit.event_id == Event.id)
    return Event.redrive_id.is_(None), Event.left_record_id.is_(None), Event.expires_at.is_(None), ~held, ~edited


def _delete(session: Session, gone: Mapping[int, Mapping[str, object]]) -> None:
    if not gone:
        return
    ids, deltas = sorted(gone), Deltas()
    items = _take_items(session, ids, deltas)
    records = _take_records(session, ids, deltas)
    for event in gone.values():
        group_id, source_id = int(str(event["group_id"])), int(str(event["source_id"]))
        deltas.count(group_id, EventStatus(str(event["status"])), -1)
        deltas.belongs(group_id, source_id, str(event["producer"]), -1)
    search.drop(session, ids)
    for model in (RedriveItem, Lookup, Record, Event):
        table = table_of(model)
        column = table.c.id if model is Event else table.c.event_id
        session.execute(delete(table).where(one_of(session, column, ids)))
    _remember(session, items)
    deltas.failures.clear()  # what expires is no answer to how many failures a group still sleeps through
    deltas.write(session)
    for source_id, n in sorted(records.items()):
        more = {"expired_total": Source.expired_total + n}
        session.execute(update(Source).where(Source.id == source_id).values(**more))


def _take_items(session: Session, ids: Sequence[int], deltas: Deltas) -> Counter[tuple[int, str]]:
    item = table_of(RedriveItem).c
    columns = (item.redrive_id, item.outcome, item.group_id, item.record_id, item.settled_at)
    counts = Counter[tuple[int, str]]()
    for row in session.execute(select(*columns).where(one_of(session, item.event_id, ids))):
        counts[row.redrive_id, row.outcome] += 1
        if row.outcome == Outcome.FAILED_AGAIN and row.record_id is None:
            deltas.failed(row.group_id, None, row.settled_at, -1)
    return counts


def _take_records(session: Session, ids: Sequence[int], deltas: Deltas) -> Counter[int]:
    record = table_of(Record).c
    columns = (record.source_id, record.group_id, record.occurred_at, record.is_failure)
    counts = Counter[int]()
    for row in session.execute(select(*columns).where(one_of(session, record.event_id, ids))):
        counts[row.source_id] += 1
        if row.is_failure:
            deltas.failed(row.group_id, row.source_id, row.occurred_at, -1)
    return counts


def _remember(session: Session, items: Mapping[tuple[int, str], int]) -> None:
    rows = [
        {"redrive_id": redrive_id, "outcome": outcome, "n": n} for (redrive_id, outcome), n in sorted(items.items())
    ]
    if items:
        statement = insert_for(session)(table_of(ExpiredItems))
        total = table_of(ExpiredItems).c.n + statement.excluded.n
        keys = ["redrive_id", "outcome"]
        session.connection().execute(statement.on_conflict_do_update(index_elements=keys, set_={"n": total}), rows)
