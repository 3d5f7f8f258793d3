"""Events for an export, however many there are: tuples by index range, some hundreds at a time; no page and no ORM."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import BigInteger, LargeBinary, Row, Select, Text, case, cast, func, select, type_coerce
from sqlalchemy.orm import Session

from deadletter.event import name_of
from deadletter.filters import EventFilter
from deadletter.store.engine import small_cache
from deadletter.store.event_pages import after, in_order, list_events
from deadletter.store.instant import Instant
from deadletter.store.models import Event, Group, Record, Source
from deadletter.store.packed import unpack
from deadletter.store.rows import ExportRow
from deadletter.store.rowset import one_of, table_of

_AT_ONCE = 500
_SMALL = 16_384
"""Bytes of a stored body that is read together with others; a larger one is read when it is its turn."""

_MOST_TITLES = 10_000

_EVENTS, _RECORDS = table_of(Event), table_of(Record)
_BODY = type_coerce(_RECORDS.c.body, LargeBinary)
_FACTS = ExportRow._fields[: ExportRow._fields.index("record_id") + 1]

_GROUP, _SOURCE = map(_FACTS.index, ("group_id", "source_id"))
"""Places in a row: by name each look costs several times as much."""


def iter_events(session: Session, chosen: EventFilter) -> Iterator[ExportRow]:
    """Yield all events that *chosen* means, ordered as in `list_events`, with their main records, in bounded memory."""
    with small_cache(session):
        yield from _whole(session, chosen)


def _whole(session: Session, chosen: EventFilter) -> Iterator[ExportRow]:
    titles: dict[int, str] = {}
    make = ExportRow._make
    names = {key: name_of(arn) for key, arn in session.execute(select(Source.id, Source.arn))}
    for rows in _found(session, chosen) if chosen.text is not None else _ranges(session, chosen):
        _learn(session, titles, {row[_GROUP] for row in rows})
        for row in rows:
            body = unpack(row[-1] or _large(session, row.record_id)).decode("utf-8", "surrogatepass")
            yield make((*row[:-1], body, titles[row[_GROUP]], names[row[_SOURCE]]))


def _ranges(session: Session, chosen: EventFilter) -> Iterator[Sequence[Row[Any]]]:
    query = in_order(session, chosen, _rows()).limit(_AT_ONCE)
    rows = session.connection().execute(query).all()
    while rows:
        yield rows
        last = rows[-1]
        moment = last.occurred_at if chosen.expires is None else last.expires_at
        more = len(rows) == _AT_ONCE
        rows = session.connection().execute(query.where(after(chosen, moment, last.id))).all() if more else []


def _found(session: Session, chosen: EventFilter) -> Iterator[Sequence[Row[Any]]]:
    """Yield what holds the words: the pages of the list, since only that knows the way to them."""
    cursor: str | None = None
    while True:
        page = list_events(session, chosen, cursor=cursor, limit=_AT_ONCE)
        ids = [row.id for row in page.rows]
        rows = session.connection().execute(_rows().where(one_of(session, _EVENTS.c.id, ids)))
        by_id = {row.id: row for row in rows}
        yield [by_id[event_id] for event_id in ids]
        cursor = page.next_cursor
        if cursor is None:
            return


def _rows() -> Select[Any]:
    """Select what `ExportRow` holds, with types that leave it as the driver gives it."""
    facts = [_bare(_EVENTS.c[name]) for name in _FACTS]
    attributes = [cast(_RECORDS.c[name], Text).label(name) for name in ("attributes", "message_attributes")]
    body = case((func.length(_BODY) <= _SMALL, _BODY)).label("body")
    query = select(*facts, _RECORDS.c.producer.label("record_producer"), *attributes, body)
    return query.join_from(_EVENTS, _RECORDS, _RECORDS.c.id == _EVENTS.c.record_id)


def _bare(column: Any) -> Any:  # noqa: ANN401 - a column of any type
    return type_coerce(column, BigInteger).label(column.name) if isinstance(column.type, Instant) else column


def _learn(session: Session, titles: dict[int, str], groups: set[int]) -> None:
    """Read the titles of *groups* that are not known yet."""
    if missing := groups - titles.keys():
        if len(titles) > _MOST_TITLES:
            titles.clear()
            missing = groups
        found = select(Group.id, Group.title).where(one_of(session, table_of(Group).c.id, missing))
        titles.update(((key, title) for key, title in session.execute(found)))


def _large(session: Session, record_id: int) -> bytes:
    return bytes(session.connection().execute(select(_BODY).where(_RECORDS.c.id == record_id)).scalar_one())
