"""What is still in AWS: messages left in their queue, objects left alone, and when it is all lost."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import exists, func, select, update
from sqlalchemy.orm import Session

from deadletter.ports import Skip
from deadletter.store.engine import insert_for
from deadletter.store.models import Event, Record, RedriveItem, SkippedObject, Source
from deadletter.store.rows import Count, SkippedRow
from deadletter.store.rowset import parts, table_of
from deadletter.store.text import MAX_MESSAGE, kept

_MOST = 1_000


@dataclass(frozen=True, slots=True)
class Left:
    """A message or an object that was left where it lay: its source's ARN, its id there, and an object's key."""

    source_arn: str
    message_id: str
    key: str = ""


def left_messages(session: Session, event_ids: Collection[int]) -> Mapping[int, Left]:
    """Return, by event, what a redrive has to take from where it lies; nothing for what is ours alone."""
    found: dict[int, Left] = {}
    for some in parts(event_ids):
        columns = (Event.id, Source.arn, Source.kind, Record.message_id, Record.attributes)
        query = select(*columns).join(Record, Record.id == Event.left_record_id)
        query = query.join(Source, Source.id == Record.source_id).where(Event.id.in_(some))
        for row in session.execute(query):
            key = str(row.attributes.get("Key", "")) if row.kind == "s3" else ""
            found[row.id] = Left(row.arn, row.message_id, key)
    return found


def has_left(session: Session, redrive_id: int) -> bool:
    """Return whether some of a plan's events lie where they failed still, so that the redrive takes them from there."""
    if not session.scalar(select(exists().where(Source.mode == "observe", Source.kind != "push"))):
        return False
    lies = exists().where(
        RedriveItem.redrive_id == redrive_id, Event.id == RedriveItem.event_id, Event.left_record_id.is_not(None)
    )
    return bool(session.scalar(select(lies)))


def note_taken(session: Session, event_ids: Collection[int]) -> None:
    """Note that these events were taken from where they lay: what is here is the only copy now."""
    for some in parts(event_ids):
        taken = update(Event).where(Event.id.in_(some)).values(left_record_id=None, expires_at=None)
        session.execute(taken.execution_options(synchronize_session=False))


def note_deadline(session: Session, event_id: int, deadline_at: datetime | None) -> None:
    """Note when a stream forgets the batch of an event; None: what could be fetched is ours, and the rest is lost."""
    alone = update(Event).where(Event.id == event_id, Event.left_record_id.is_(None)).values(expires_at=deadline_at)
    session.execute(alone.execution_options(synchronize_session=False))


def stored_messages(session: Session, source_id: int, message_ids: Collection[str]) -> set[str]:
    """Return which of *message_ids* are stored already."""
    return _known(session, Record, source_id, message_ids)


def skipped_messages(session: Session, source_id: int, message_ids: Collection[str]) -> set[str]:
    """Return which of *message_ids* stand for objects that are left alone."""
    return _known(session, SkippedObject, source_id, message_ids)


def _known(
    session: Session, model: type[Record | SkippedObject], source_id: int, message_ids: Collection[str]
) -> set[str]:
    as_kept = {kept(each, MAX_MESSAGE): each for each in message_ids}  # a key may hold what no database takes
    found: set[str] = set()
    for some in parts(as_kept):
        query = select(model.message_id).where(model.source_id == source_id, model.message_id.in_(some))
        found.update(as_kept[message_id] for message_id in session.scalars(query))
    return found


def note_skipped(session: Session, source_id: int, skips: Sequence[Skip], now: datetime) -> None:
    """Note which objects are left alone, and why; once each."""
    rows = [
        {
            "source_id": source_id,
            "message_id": kept(skip.ref.message_id, MAX_MESSAGE),
            "name": kept(skip.ref.key, MAX_MESSAGE),
            "size": skip.ref.size,
            "reason": skip.reason,
            "skipped_at": now,
        }
        for skip in skips
    ]
    if rows:
        session.execute(insert_for(session)(table_of(SkippedObject)).values(rows).on_conflict_do_nothing())


def list_skipped(session: Session, source_id: int, *, limit: int = 20) -> list[SkippedRow]:
    """Return the objects of a source that are left alone, the latest first."""
    query = select(SkippedObject).where(SkippedObject.source_id == source_id)
    query = query.order_by(SkippedObject.skipped_at.desc(), SkippedObject.message_id).limit(limit)
    return [
        SkippedRow(source_id=row.source_id, name=row.name, size=row.size, reason=row.reason, skipped_at=row.skipped_at)
        for row in session.scalars(query)
    ]


def get_cursor(session: Session, source_id: int) -> str:
    """Return the last key that a listing under way has dealt with; empty at its beginning."""
    text = session.scalar(select(Source.cursor).where(Source.id == source_id))
    return str(json.loads(text)) if text else ""


def note_cursor(session: Session, source_id: int, key: str) -> None:
    """Note how far a listing has come; an empty *key* begins anew."""
    moved = update(Source).where(Source.id == source_id).values(cursor=json.dumps(key) if key else None)
    session.execute(moved.execution_options(synchronize_session=False))


def count_expiring(session: Session, since: datetime, spans: Sequence[timedelta]) -> list[Count]:
    """Return how many events AWS drops within each of *spans* from *since*: read from one index, up to a thousand."""
    return [_expiring(session, since, since + span) for span in spans]


def _expiring(session: Session, since: datetime, until: datetime) -> Count:
    within = select(Event.id).where(Event.expires_at >= since, Event.expires_at < until).limit(_MOST + 1).subquery()
    n = session.scalar(select(func.count()).select_from(within)) or 0
    return Count(min(n, _MOST), exact=n <= _MOST)
