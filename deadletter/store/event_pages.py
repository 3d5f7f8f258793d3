"""Reading events: a page is one index range, an event is its facts, its records and its redrives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Row, RowMapping, Select, func, select, tuple_
from sqlalchemy.orm import Session

from deadletter.errors import NotFound
from deadletter.event import Producer, Redrivable, name_of
from deadletter.filters import EventFilter
from deadletter.outcome import EventStatus, Outcome
from deadletter.store import hits
from deadletter.store.cursors import read_cursor, write_cursor
from deadletter.store.instant import from_micros, micros
from deadletter.store.models import Event, Group, GroupSource, Lookup, Record, Source
from deadletter.store.redrives.rows import items_of_events
from deadletter.store.rows import Count, EventDetail, EventRow, LookupRow, Page, RecordRow
from deadletter.store.selection import came_by, event_conditions, group_conditions

_BEGINNING = datetime(1, 1, 1, tzinfo=UTC)


def list_events(session: Session, chosen: EventFilter, *, cursor: str | None = None, limit: int = 50) -> Page[EventRow]:
    """Return the events that *chosen* means, the latest failure first.

    Hits of a text search come the latest stored first, and what expires the soonest first.

    Raises:
        BadInput: *cursor* is not of this list.
    """
    order = _order_of(chosen)
    value, last_id = (None, None) if cursor is None else read_cursor(cursor, order)
    if chosen.text is not None:
        found = _hits(session, chosen, last_id, limit + 1)
    else:
        query = in_order(session, chosen, _rows())
        if value is not None and last_id is not None:
            query = query.where(after(chosen, value, last_id))
        found = session.execute(query.limit(limit + 1)).all()
    rows = [_event_row(row) for row in found]
    return Page(rows[:limit], _cursor(order, rows[limit - 1]) if len(rows) > limit else None)


def count_events(session: Session, chosen: EventFilter, cap: int = 1_000) -> Count:
    """Return how many events *chosen* means: exact from the counters where these know it, else counted up to *cap*."""
    parts = {name for name, _ in chosen.parts()}
    if parts <= {"status", "group", "groups", "function", "state", "assignee"}:
        return Count(_counted_by_status(session, chosen))
    if parts <= {"source", "sources", "producer", "group", "groups", "function", "state", "assignee"}:
        return Count(_counted_by_origin(session, chosen))
    query, n = select(Event.id).where(*event_conditions(session, chosen, text=False)), 0
    for way in _ways(session, query, chosen, before=None):
        with hits.taken(session, way) as found:
            first = found.limit(cap + 1).subquery()
            n = session.scalar(select(func.count()).select_from(first)) or 0
        if n > cap:
            break
    return Count(min(n, cap), exact=n <= cap)


def _ways(session: Session, query: Select[Any], chosen: EventFilter, before: int | None) -> Iterable[hits.Way]:
    if chosen.text is None:
        return [hits.Way(query)]
    return hits.ways(session, query, chosen.text, few=_leaves_few(session, chosen), before=before)


def _leaves_few(session: Session, chosen: EventFilter) -> bool:
    """Return whether what narrows besides the words leaves few events: by the counters where these know it."""
    rest = chosen.with_(text=None)
    left = count_events(session, rest, cap=hits.FEW) if not rest.is_empty else Count(hits.FEW, exact=False)
    return left.exact and left.n <= hits.FEW


def get_event(session: Session, event_id: int) -> EventDetail:
    """Return one event with every record and every redrive of it. Raises NotFound."""
    found = get_events(session, [event_id])
    if not found:
        raise NotFound(f"There is no event {event_id}.")
    return found[event_id]


def get_events(session: Session, event_ids: Sequence[int]) -> dict[int, EventDetail]:
    """Return those of some events that there are, each as `get_event` does, by id; a few statements for all."""
    query = _records().where(Record.event_id.in_(event_ids)).order_by(Record.occurred_at, Record.id)
    records: dict[int, list[RecordRow]] = {}
    for row in session.execute(query).mappings():
        records.setdefault(row["event_id"], []).append(_record_row(row))
    items = items_of_events(session, event_ids)
    facts = session.execute(_rows().add_columns(Event.record_id).where(Event.id.in_(event_ids))).all()
    pointing = [row.id for row in facts if row.lookup_status]
    batches = dict(_batches(session, pointing)) if pointing else {}
    return {
        row.id: EventDetail(
            event=_event_row(row),
            main=next(record for record in records[row.id] if record.id == row.record_id),
            records=records[row.id],
            items=items.get(row.id, []),
            fetched=batches.get(row.id),
        )
        for row in facts
    }


def _batches(session: Session, event_ids: Sequence[int]) -> Iterator[tuple[int, str]]:
    query = select(Lookup.event_id, Lookup.payload).where(Lookup.event_id.in_(event_ids), Lookup.payload.is_not(None))
    return ((event_id, (payload or b"").decode()) for event_id, payload in session.execute(query))


def in_order(session: Session, chosen: EventFilter, query: Select[Any]) -> Select[Any]:
    """Return *query*, which is of events, narrowed to those that *chosen* means, in the order of `list_events`."""
    query = query.where(*event_conditions(session, chosen))
    if chosen.expires is not None:
        return query.order_by(Event.expires_at, Event.id)
    # Every event is later than the beginning: with a bound, an index is searched even when nothing narrows.
    bound = [Event.occurred_at >= _BEGINNING] if chosen.since is None else []
    return query.where(*bound).order_by(Event.occurred_at.desc(), Event.id.desc())


def _hits(session: Session, chosen: EventFilter, last_id: int | None, limit: int) -> Sequence[Row[Any]]:
    """Return the newest events that hold the words, by the first way that fills the page."""
    query = _rows().where(*event_conditions(session, chosen, text=False))
    found: Sequence[Row[Any]] = ()
    for way in _ways(session, query, chosen, before=last_id):
        with hits.taken(session, way) as some:
            found = session.execute(some.limit(limit)).all()
        if len(found) == limit:
            break
    return found


def _order_of(chosen: EventFilter) -> str:
    if chosen.text is not None:
        return "stored"
    return "occurred" if chosen.expires is None else "expires"


def after(chosen: EventFilter, value: int, event_id: int) -> ColumnElement[bool]:
    """Return the condition that an event comes after that one, whose moment is *value*, in `in_order`."""
    if chosen.expires is not None:
        return tuple_(Event.expires_at, Event.id) > (from_micros(value), event_id)
    return tuple_(Event.occurred_at, Event.id) < (from_micros(value), event_id)


def _cursor(order: str, row: EventRow) -> str:
    moment = row.expires_at if order == "expires" and row.expires_at else row.occurred_at
    return write_cursor(order, (micros(moment), row.id))


def _counted_by_status(session: Session, chosen: EventFilter) -> int:
    statuses = [chosen.status] if chosen.status else list(EventStatus)
    query = select(*(func.sum(getattr(Group, f"n_{status}")) for status in statuses))
    query = query.where(*group_conditions(session, chosen.with_(status=None)))
    return sum(int(n or 0) for n in session.execute(query).one())


def _counted_by_origin(session: Session, chosen: EventFilter) -> int:
    query = select(func.sum(GroupSource.n)).join(Group, Group.id == GroupSource.group_id)
    rest = chosen.with_(source=None, sources=None, producer=None)
    query = query.where(*came_by(chosen), *group_conditions(session, rest))
    return int(session.scalar(query) or 0)


_JOINED = {"group_title", "source_name", "lookup"}
_COLUMNS = [each.name for each in fields(EventRow) if each.name not in _JOINED]
_LOOKED_UP = [each.name for each in fields(LookupRow)]


def _rows(of: FromClause | type[Event] = Event) -> Select[Any]:
    looked_up = [getattr(Lookup, name).label(f"lookup_{name}") for name in _LOOKED_UP]
    joined = [Group.title.label("group_title"), Source.arn.label("source_arn"), *looked_up]
    query = select(*(getattr(Event, name) for name in _COLUMNS), *joined).select_from(of)
    query = query.join(Group, Group.id == Event.group_id).join(Source, Source.id == Event.source_id)
    return query.outerjoin(Lookup, Lookup.event_id == Event.id)


def _event_row(row: Row[Any]) -> EventRow:
    """Make the row of what `_rows` selects: by place, since each look by name costs several times as much."""
    facts: dict[str, Any] = dict(zip(_COLUMNS, row, strict=False))  # what is joined comes after them
    title, arn, *looked_up = row[len(_COLUMNS) : len(_COLUMNS) + 2 + len(_LOOKED_UP)]
    found = dict(zip(_LOOKED_UP, looked_up, strict=True))
    typed = {
        "status": EventStatus(facts["status"]),
        "producer": Producer(facts["producer"]),
        "redrivable": Redrivable(facts["redrivable"]),
        "last_outcome": facts["last_outcome"] and Outcome(facts["last_outcome"]),
    }
    lookup = LookupRow(**found) if found["status"] else None
    return EventRow(**facts | typed, group_title=title, source_name=name_of(arn), lookup=lookup)


_RECORD_COLUMNS = [each.name for each in fields(RecordRow) if each.name not in {"source_name", "source_arn"}]


def _records() -> Select[Any]:
    columns = [getattr(Record, name) for name in _RECORD_COLUMNS]
    query = select(*columns, Source.arn.label("source_arn")).select_from(Record)
    return query.join(Source, Source.id == Record.source_id)


def _record_row(row: RowMapping) -> RecordRow:
    typed = {"body": row["body"].decode("utf-8", "surrogatepass"), "producer": Producer(row["producer"])}
    return RecordRow(**dict(row) | typed, source_name=name_of(row["source_arn"]))
