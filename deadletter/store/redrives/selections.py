"""What a redrive was asked for: the events of a filter or by their ids, what they are called, and their messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, select
from sqlalchemy.orm import Session

from deadletter.event import Producer, ReceivedMessage, Redrivable, TargetKind, TargetRef, account_of
from deadletter.filters import EventFilter
from deadletter.outcome import EventStatus, GroupState, Outcome
from deadletter.plan import Candidate, Place
from deadletter.store import models
from deadletter.store.rowset import one_of, parts
from deadletter.store.selection import event_conditions

_AT_ONCE = 100
"""How many bodies, of up to 1 MiB, are held at a time."""

_IN_PART = 1_000
"""Events that a plan looks at together."""

_COLUMNS = tuple(
    getattr(models.Event, name)
    for name in (
        "id",
        "status",
        "occurred_at",
        "producer",
        "redrive_id",
        "redrivable",
        "reason",
        "truncated",
        "target_kind",
        "target_arn",
        "failures",
        "last_outcome",
        "payload_is_json",
    )
)


_SELECT: Select[Any] = select(*_COLUMNS, models.Source.arn.label("source_arn")).join(
    models.Source, models.Source.id == models.Event.source_id
)


def iter_candidates(
    session: Session, selection: EventFilter | Sequence[int], *, in_part: int = _IN_PART
) -> Iterator[list[Candidate]]:
    """Yield what a plan needs to know of the events that *selection* means, oldest failure first, in small parts.

    Events that failed at the same time are in the same part: in what order they are sent, their queue may say.
    """
    event, by_id = models.Event, not isinstance(selection, EventFilter)
    query = _SELECT.where(*conditions_of(session, selection)).order_by(event.occurred_at, event.id)
    part: list[Candidate] = []
    for row in session.execute(query.execution_options(yield_per=in_part)):
        if len(part) >= in_part and row.occurred_at != part[-1].occurred_at:
            yield part
            part = []
        part.append(_candidate(row, by_id=by_id))
    if part:
        yield part


def conditions_of(session: Session, selection: EventFilter | Sequence[int]) -> Sequence[ColumnElement[bool]]:
    """Return what an event must meet to be one of *selection*."""
    if isinstance(selection, EventFilter):
        return event_conditions(session, selection)
    return [one_of(session, models.Event.id.expression, sorted(set(selection)))]


def iter_messages(session: Session, event_ids: Sequence[int]) -> Iterator[tuple[int, ReceivedMessage]]:
    """Yield events' main messages, with the events' ids; few are held at a time."""
    record = models.Record
    columns = (models.Event.id, record.message_id, record.body, record.attributes, record.message_attributes)
    for start in range(0, len(event_ids), _AT_ONCE):
        query = select(*columns).join(record, record.id == models.Event.record_id)
        for row in session.execute(query.where(models.Event.id.in_(event_ids[start : start + _AT_ONCE]))):
            yield row.id, received(row)


def list_places(session: Session, event_ids: Sequence[int]) -> dict[int, Place]:
    """Return the message groups of events that are in one, and their numbers there.

    A message has its own from the queue that it was in; an event of a rule or a pipe gets the one that these give it.
    """
    event, record, lookup = models.Event, models.Record, models.Lookup
    query = select(event.id, record.attributes, lookup.route).join(record, record.id == event.record_id)
    query = query.outerjoin(lookup, lookup.event_id == event.id)
    rows = (row for some in parts(set(event_ids)) for row in session.execute(query.where(event.id.in_(some))))
    return {row.id: place for row in rows if (place := _place(row.attributes, row.route))}


def _place(attributes: Mapping[str, Any], route: Mapping[str, Any] | None) -> Place | None:
    group, number = attributes.get("MessageGroupId"), attributes.get("SequenceNumber") or ""
    if given := (route or {}).get("group_id"):
        return Place(given)
    is_number = number.isascii() and number.isdecimal() and len(number) <= _LONGEST_NUMBER
    return Place(group, number if is_number else "") if group else None


_LONGEST_NUMBER = 39
"""Digits of a SequenceNumber, which has 128 bits (SQS API reference)."""


def received(row: Row[Any]) -> ReceivedMessage:
    """Return the message of a row with a record's columns, as it was received."""
    body: bytes = row.body
    return ReceivedMessage(
        row.message_id, body.decode("utf-8", "surrogatepass"), row.attributes, row.message_attributes
    )


def title_of(session: Session, selection: EventFilter | Sequence[int]) -> str:
    """Return what was chosen, in words: `PaymentError in orders-capture`, `3 selected events`."""
    if not isinstance(selection, EventFilter):
        count = len(set(selection))
        return "1 selected event" if count == 1 else f"{count:,} selected events"
    named = {"group", "groups", "status"} | ({"state"} if selection.state is GroupState.AWAKE else set())
    rest = [f"{name.replace('_', ' ')} {value}" for name, value in selection.parts() if name not in named]
    return ", ".join([_subject_of(session, selection), *rest])


def _subject_of(session: Session, selection: EventFilter) -> str:
    if group := session.get(models.Group, selection.group) if selection.group else None:
        return f"{group.error_type or group.title} in {group.function_name}"
    if selection.groups:
        return "1 group" if len(selection.groups) == 1 else f"{len(selection.groups):,} groups"
    return f"All {selection.status} events" if selection.status else "All events"


def _candidate(row: Row[Any], *, by_id: bool) -> Candidate:
    return Candidate(
        event_id=row.id,
        status=EventStatus(row.status),
        occurred_at=row.occurred_at,
        producer=Producer(row.producer),
        redrive_id=row.redrive_id,
        redrivable=Redrivable(row.redrivable),
        reason=row.reason,
        target=TargetRef(TargetKind(row.target_kind), row.target_arn) if row.target_arn else None,
        by_id=by_id,
        truncated=row.truncated,
        account=account_of(row.source_arn),
        failures=row.failures,
        last_outcome=Outcome(row.last_outcome) if row.last_outcome else None,
        payload_is_json=row.payload_is_json,
    )
