"""A failure that came back before its sending was written down: stored as an event of its own, and found later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import CompoundSelect, Row, Select, delete, exists, select, union, update
from sqlalchemy.orm import Session

from deadletter.fingerprint import Fingerprint
from deadletter.outcome import EventStatus
from deadletter.store import search
from deadletter.store.counters import Deltas
from deadletter.store.engine import is_postgres
from deadletter.store.failures import FailedAgain
from deadletter.store.incoming import differs
from deadletter.store.models import Event, Group, Record, RedriveItem, Source
from deadletter.store.returns import Return, Sent, evidence, find_sent, hold_items, may_fail_again, record_returns
from deadletter.store.rowset import given, lock_events, one_of_named, parts, table_of


class _Stray(NamedTuple):
    """An event that is another one's new failure, and the columns of the record that told of it."""

    event_id: int
    record: Row[*tuple[Any, ...]]
    sent: Sent


def absorb_strays(session: Session, sent_ids: Sequence[str], *, now: datetime) -> int:
    """Give failures that came back too early to the events that they are of; return how many there were.

    Call it with the ids that a redrive got, once they are written down, and again before silence counts as success: the
    failure and the id may be written at the same moment by two workers that do not see each other's work.

    The records move to the event that was sent; it fails again; the event that was made of them is gone. An event that
    a person has already done something with, or whose payload is not what was sent, is left alone.
    """
    early = _early(session, sent_ids)  # nearly always none, so that is asked first
    found = _strays(early, find_sent(session, sent_ids)) if early else []
    if not found:
        return 0
    held = hold_items(session, [stray.sent for stray in found])
    found = [stray for stray in found if may_fail_again(held[stray.sent.key])]
    lock_events(session, [event_id for stray in found for event_id in (stray.event_id, stray.sent.event_id)])
    deltas = Deltas()
    for stray in found:
        _take_over(session, stray, deltas)
    record_returns(session, [_return(session, stray) for stray in found], held, deltas, now)
    deltas.write(session)
    return len(found)


def _early(session: Session, sent_ids: Sequence[str]) -> list[Row[*tuple[Any, ...]]]:
    """Return what came with one of *sent_ids* and made an event of its own."""
    found: list[Row[*tuple[Any, ...]]] = []
    for some in parts(sent_ids):
        asked = {"sent_ids": given(session, some)}
        if ids := session.connection().execute(_came_with(postgres=is_postgres(session)), asked).scalars().all():
            found += session.execute(_untouched().where(Record.id.in_(ids)))
    return found


@cache
def _came_with(*, postgres: bool) -> CompoundSelect[int]:
    """Return the query for the ids of records, by the ids that redrives got: each half has its index."""
    record = table_of(Record).c
    columns = (record.message_id, record.request_id)
    return union(*(select(record.id).where(one_of_named("sent_ids", each, postgres=postgres)) for each in columns))


def _strays(early: Sequence[Row[*tuple[Any, ...]]], sent: Mapping[str, Sent]) -> list[_Stray]:
    """Return the strays of what was sent, by its id; at most one for each."""
    found: dict[str, _Stray] = {}
    for row in early:
        by_message = sent.get(row.message_id)
        match = by_message or sent[row.request_id]
        imitated = by_message is None and differs(row.payload_digest, match.digest)
        if row.event_id != match.event_id and not imitated:
            found.setdefault(match.sent_id, _Stray(row.event_id, row, match))
    return list(found.values())


def _untouched() -> Select[*tuple[Any, ...]]:
    """Return the query for failures of events to which nothing has happened since."""
    columns = (Record.id, Record.message_id, Record.request_id, Record.source_id, Record.occurred_at, Record.event_id)
    of_event = (Event.group_id, Event.producer, Event.payload_digest, Event.error_type, Event.error_message)
    in_aws = (Event.left_record_id, Event.expires_at)
    redriven = exists().where(RedriveItem.event_id == Event.id)
    query = select(*columns, *of_event, *in_aws, Source.arn).join(Event, Event.id == Record.event_id)
    query = query.join(Source, Source.id == Record.source_id)
    return query.where(Record.is_failure, Event.status == EventStatus.UNRESOLVED, Event.failures == 1, ~redriven)


def _take_over(session: Session, stray: _Stray, deltas: Deltas) -> None:
    """Move the records of a stray to the event that was sent, and take the stray out of everything that counts it."""
    event, record = table_of(Event), table_of(Record)
    moved = update(record).where(record.c.event_id == stray.event_id)
    session.connection().execute(moved.values(event_id=stray.sent.event_id))
    session.connection().execute(delete(event).where(event.c.id == stray.event_id))
    search.drop(session, [stray.event_id])
    row = stray.record
    deltas.count(row.group_id, EventStatus.UNRESOLVED, -1)
    deltas.belongs(row.group_id, row.source_id, row.producer, -1)
    deltas.failed(row.group_id, row.source_id, row.occurred_at, -1)


def _return(session: Session, stray: _Stray) -> Return:
    row = stray.record
    known_by = "message id" if row.message_id == stray.sent.sent_id else "request id"
    return Return(
        sent=stray.sent,
        failure=FailedAgain(
            event_id=stray.sent.event_id,
            fingerprint=_fingerprint(session.get_one(Group, row.group_id)),
            error_type=row.error_type,
            error_message=row.error_message,
            occurred_at=row.occurred_at,
            record_id=row.id,
            source_id=row.source_id,
            redrive_id=stray.sent.redrive_id,
            left_record_id=row.left_record_id,
            expires_at=row.expires_at,
        ),
        stack_trace=None,
        evidence=evidence(row.arn, known_by),
    )


def _fingerprint(group: Group) -> Fingerprint:
    return Fingerprint(
        value=group.fingerprint,
        version=group.fingerprint_version,
        function_arn=group.function_arn,
        function_name=group.function_name,
        error_type=group.error_type,
        title=group.title,
        masked=group.masked_message,
        frames=tuple(group.frames),
        left_out=(),
    )
