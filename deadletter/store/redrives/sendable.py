"""Events as they would be sent: their main messages, with what was looked up for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from deadletter.event import ReceivedMessage
from deadletter.route import Supplement
from deadletter.store import models
from deadletter.store.lookups import supplement_of
from deadletter.store.redrives.selections import received

_AT_ONCE = 100
"""How many bodies, of up to 1 MiB, are held at a time."""


@dataclass(frozen=True, slots=True)
class Sendable:
    """One event: its main message, and what AWS said of it when it was asked."""

    event_id: int
    message: ReceivedMessage
    supplement: Supplement | None


def iter_sendable(session: Session, event_ids: Sequence[int]) -> Iterator[Sendable]:
    """Yield events as they would be sent; few are held at a time."""
    event, record, lookup = models.Event, models.Record, models.Lookup
    columns = (
        event.id, record.message_id, record.body, record.attributes, record.message_attributes,
        lookup.payload.label("fetched"), lookup.route,
    )  # fmt: skip
    query = select(*columns).join(record, record.id == event.record_id)
    query = query.outerjoin(lookup, lookup.event_id == event.id)
    for start in range(0, len(event_ids), _AT_ONCE):
        for row in session.execute(query.where(event.id.in_(event_ids[start : start + _AT_ONCE]))):
            yield Sendable(row.id, received(row), supplement_of(row.fetched, row.route))
