"""Payloads that a redrive sends in their originals' place: written with its plan, and read for its pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import Select, func, insert, select
from sqlalchemy.orm import Session

from deadletter.actor import Actor
from deadletter.event import ReceivedMessage
from deadletter.outcome import Outcome
from deadletter.route import Supplement
from deadletter.store import models
from deadletter.store.lookups import supplement_of
from deadletter.store.redrives.selections import received
from deadletter.store.rows import Count, Page

_AT_ONCE = 100
"""Payloads, of up to 1 MiB, in one statement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EditRow:
    """One event's edit in one redrive: what went out, and the record that it was made of."""

    redrive_id: int
    event_id: int
    position: int
    label: str | None
    request_id: str | None
    message: ReceivedMessage
    supplement: Supplement | None
    payload: str
    how: str
    made_by: str
    made_at: datetime
    sent_at: datetime | None
    """When it was handed to the target; None where it was not."""


def add(  # noqa: PLR0913 - what an edit says, each by its name
    session: Session, redrive_id: int, payloads: Iterable[tuple[int, str]], *, how: str, by: Actor, now: datetime
) -> None:
    """Write down the edited payloads of a plan, with their events' ids; few are held at a time."""
    left = iter(payloads)
    while some := list(islice(left, _AT_ONCE)):
        rows = [
            {
                "redrive_id": redrive_id,
                "event_id": event_id,
                "payload": payload.encode("utf-8", "surrogatepass"),
                "how": how,
                "made_by": by.name,
                "made_at": now,
            }
            for event_id, payload in some
        ]
        session.execute(insert(models.Edit), rows)


MOST = 1_000
"""Counting stops here: a plan's page does not read all of a large plan."""


def count_edited_before(session: Session, redrive_id: int) -> Count:
    """Return how many events that a redrive is to send were sent by another one with another payload than theirs."""
    item = models.RedriveItem
    before = (
        select(item.event_id)
        .where(item.redrive_id == redrive_id, item.outcome == Outcome.WAITING, item.event_id.in_(_sent(redrive_id)))
        .limit(MOST + 1)
        .subquery()
    )
    n = session.scalar(select(func.count()).select_from(before)) or 0
    return Count(min(n, MOST), exact=n <= MOST)


def _sent(besides: int) -> Select[int]:
    edit, item = models.Edit, models.RedriveItem
    same = (item.redrive_id == edit.redrive_id) & (item.event_id == edit.event_id)
    sent = select(edit.event_id).join(item, same).where(edit.redrive_id != besides, item.sent_at.is_not(None))
    return sent.where(item.outcome != Outcome.SENDING)


def last_sent(session: Session, event_ids: Sequence[int]) -> dict[int, str]:
    """Return, by event id, the payload that an event was last sent with, where that was not its own."""
    edit = models.Edit
    query = select(edit.event_id, edit.payload).where(edit.event_id.in_(_sent(0))).order_by(edit.redrive_id)
    found: dict[int, str] = {}
    for start in range(0, len(event_ids), _AT_ONCE):
        some = query.where(edit.event_id.in_(event_ids[start : start + _AT_ONCE]))
        found.update((row.event_id, row.payload.decode("utf-8", "surrogatepass")) for row in session.execute(some))
    return found


def list_edits(session: Session, redrive_id: int, *, after: int = -1, limit: int = 20) -> Page[EditRow]:
    """Return a redrive's edits in the order of sending, from behind position *after*."""
    query = _query().where(models.Edit.redrive_id == redrive_id, models.RedriveItem.position > after)
    found = _rows(session, query.order_by(models.RedriveItem.position).limit(limit + 1))
    return Page(found[:limit], str(found[limit - 1].position) if len(found) > limit else None)


def edits_of_event(session: Session, event_id: int) -> Sequence[EditRow]:
    """Return every edit of one event, oldest first."""
    return _rows(session, _query().where(models.Edit.event_id == event_id).order_by(models.Edit.redrive_id))


def _query() -> Select[Any]:
    edit, item, event, record = models.Edit, models.RedriveItem, models.Event, models.Record
    lookup = models.Lookup
    return (
        select(
            edit,
            item.position,
            item.sent_at,
            event.label,
            event.request_id,
            record.message_id,
            record.body,
            record.attributes,
            record.message_attributes,
            lookup.payload.label("fetched"),
            lookup.route,
        )
        .join(item, (item.redrive_id == edit.redrive_id) & (item.event_id == edit.event_id))
        .join(event, event.id == edit.event_id)
        .join(record, record.id == event.record_id)
        .outerjoin(lookup, lookup.event_id == event.id)
    )


def _rows(session: Session, query: Select[Any]) -> list[EditRow]:
    return [
        EditRow(
            redrive_id=row.Edit.redrive_id,
            event_id=row.Edit.event_id,
            position=row.position,
            label=row.label,
            request_id=row.request_id,
            message=received(row),
            supplement=supplement_of(row.fetched, row.route),
            payload=row.Edit.payload.decode("utf-8", "surrogatepass"),
            how=row.Edit.how,
            made_by=row.Edit.made_by,
            made_at=row.Edit.made_at,
            sent_at=row.sent_at,
        )
        for row in session.execute(query)
    ]
