"""What events still need to be looked up, whose turn it is, and what was found: kept, because streams forget."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, exists, insert, select, update
from sqlalchemy.orm import Session

from deadletter.event import FailedEvent, Producer, ReceivedMessage, Redrivable
from deadletter.parse import label_of, payload_digest
from deadletter.refetch import Batch, Found, LookupStatus
from deadletter.route import Route, Supplement, needs_route, needs_stream
from deadletter.store import models
from deadletter.store.left import note_deadline
from deadletter.store.rowset import table_of
from deadletter.store.text import MAX_MESSAGE, MAX_NAME, kept

ROUTE_WANTED = "Where exactly it was going, and in which form, is being looked up."
GONE_ON_S = 60.0
"""For how long what one worker asks for is left to it."""

MOST_TRIES = 200
"""Of what is refused: a day and more, ten minutes apart."""

_WAITING = (LookupStatus.WAITING, LookupStatus.REFUSED)


@dataclass(frozen=True, slots=True)
class Due:
    """An event whose turn it is, the message that told of it, and how often it was asked for before."""

    event_id: int
    message: ReceivedMessage
    tries: int


def wanted(event: FailedEvent) -> str | None:
    """Return why *event* cannot be sent before something is looked up; None where nothing is missing."""
    if needs_stream(event):
        return event.reason
    if needs_route(event):
        return event.reason if event.redrivable is Redrivable.REFETCH else ROUTE_WANTED
    return None


def ask(session: Session, events: Iterable[tuple[int, FailedEvent]], *, now: datetime) -> None:
    """Note which of new *events*, by their ids, need something that their records leave out."""
    rows = [
        {"event_id": event_id, "status": LookupStatus.WAITING.value, "tries": 0, "next_try_at": now}
        for event_id, event in events
        if needs_stream(event) or needs_route(event)
    ]
    if rows:
        session.execute(insert(table_of(models.Lookup)), rows)


def take_due(session: Session, *, most: int, now: datetime) -> list[Due]:
    """Take at most *most* events whose turn it is; nobody else asks for them meanwhile.

    What a worker took and never told of comes up again.
    """
    lookup = models.Lookup
    first = select(lookup.event_id).where(_is_due(now)).order_by(lookup.next_try_at).limit(most)
    first_ids = first.with_for_update(skip_locked=True).cte("first")
    later = {"next_try_at": now + timedelta(seconds=GONE_ON_S), "tries": lookup.tries + 1}
    taken = update(lookup).where(lookup.event_id.in_(select(first_ids.c.event_id))).values(**later)
    tries = dict(
        session.execute(
            taken.returning(lookup.event_id, lookup.tries).execution_options(synchronize_session=False)
        ).all()
    )
    return _with_messages(session, tries)


def is_due(session: Session, now: datetime) -> bool:
    """Return whether it is anything's turn: a look that costs no lock."""
    return bool(session.scalar(select(exists().where(_is_due(now)))))


def is_waiting(session: Session) -> bool:
    """Return whether something has not been asked for yet, or will be within moments."""
    lookup = models.Lookup
    soon = exists().where(lookup.status == LookupStatus.WAITING, lookup.tries <= _FEW)
    return bool(session.scalar(select(soon)))


_FEW = 3


def record(session: Session, event_id: int, told: Found, *, now: datetime) -> None:
    """Write down what asking for *event_id* came to, and let the event follow."""
    lookup = session.get(models.Lookup, event_id, with_for_update=True)
    if lookup is None or lookup.status not in _WAITING:
        return
    told = _beside_what_is_kept(lookup, told)
    lookup.status, lookup.said = told.status.value, kept(told.said, MAX_MESSAGE)
    lookup.deadline_at = told.deadline_at or lookup.deadline_at
    retry = told.retry_after_s if lookup.tries < MOST_TRIES or told.status is LookupStatus.WAITING else None
    lookup.next_try_at = None if retry is None else now + timedelta(seconds=retry)
    lookup.found_at = None if told.status in _WAITING else now
    if told.payload_text is not None:
        lookup.payload = told.payload_text.encode()
    lookup.route = told.route.to_json() if told.route else None
    _note_batch(lookup, told.batch)
    session.flush()
    note_deadline(session, event_id, lookup.deadline_at if told.status in _WAITING else None)
    _follow(session, event_id, told)


def _beside_what_is_kept(lookup: models.Lookup, told: Found) -> Found:
    """Return *told*, or what is left to say where an earlier try fetched more of the batch: the stream forgets."""
    if told.batch is None or len(told.batch.records) >= (lookup.fetched or 0):
        return told
    return Found(status=LookupStatus.REFUSED, said=lookup.said, deadline_at=lookup.deadline_at)


def supplement_of(payload: bytes | None, route: Mapping[str, Any] | None) -> Supplement | None:
    """Return what was looked up, out of the columns of a row that an outer join may have left empty."""
    if payload is None and route is None:
        return None
    return Supplement(None if payload is None else payload.decode(), Route.from_json(route) if route else None)


def _is_due(now: datetime) -> ColumnElement[bool]:
    return models.Lookup.status.in_(_WAITING) & (models.Lookup.next_try_at <= now)


def _with_messages(session: Session, tries: Mapping[int, int]) -> list[Due]:
    event, record = models.Event, models.Record
    columns = (event.id, record.message_id, record.body, record.attributes, record.message_attributes)
    query = select(*columns).join(record, record.id == event.record_id).where(event.id.in_(tries)).order_by(event.id)
    return [
        Due(
            row.id,
            ReceivedMessage(
                row.message_id, row.body.decode("utf-8", "surrogatepass"), row.attributes, row.message_attributes
            ),
            tries[row.id],
        )
        for row in session.execute(query)
    ]


def _note_batch(lookup: models.Lookup, batch: Batch | None) -> None:
    if batch is None:
        return
    lookup.fetched = len(batch.records)
    lookup.lost, lookup.lost_first, lookup.lost_last = batch.lost, batch.lost_first, batch.lost_last


def _follow(session: Session, event_id: int, told: Found) -> None:
    """Let the event say what can be sent now, or why nothing can."""
    event = table_of(models.Event)
    # A pipe's batch that was kept can be sent to whom a person names, and still wants to know its target.
    nowhere = (event.c.producer == Producer.PIPES.value) & event.c.target_arn.is_(None)
    waits = update(event).where(event.c.id == event_id, (event.c.redrivable == Redrivable.REFETCH.value) | nowhere)
    values: dict[str, Any] = {"reason": kept(told.said, MAX_MESSAGE)}
    if told.status in {LookupStatus.FOUND, LookupStatus.PARTIAL} or told.payload_text is not None:
        cut = told.batch is not None and told.batch.lost_first is not None
        values |= {"redrivable": Redrivable.YES.value, "truncated": cut} | _sent(told)
    elif told.status is LookupStatus.LOST:
        values |= {"redrivable": Redrivable.NO.value, "truncated": True}
    session.execute(waits.values(**values))
    if told.deadline_at or told.batch:
        note_deadline(session, event_id, None if told.batch else told.deadline_at)


def _sent(told: Found) -> dict[str, Any]:
    """Return the columns that say what goes where."""
    values: dict[str, Any] = {}
    if told.route is not None:
        values |= {"target_kind": told.route.target.kind.value, "target_arn": told.route.target.arn}
    if told.payload_text is not None:
        values |= {
            "label": kept(label_of(told.payload_text), MAX_NAME),
            "payload_digest": payload_digest(told.payload_text),
            "payload_bytes": len(told.payload_text.encode()),
        }
    return values
