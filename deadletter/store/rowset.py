"""Rows in bulk: ids before they are written, events held while they change, many rows changed by one statement."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar, cast

from sqlalchemy import (
    ARRAY,
    JSON,
    Column,
    ColumnElement,
    Select,
    String,
    Table,
    Update,
    any_,
    bindparam,
    func,
    select,
    text,
    true,
    update,
)
from sqlalchemy import cast as cast_to
from sqlalchemy.dialects.postgresql import REGCLASS
from sqlalchemy.orm import Session

from deadletter.store.copying import copy_new
from deadletter.store.engine import is_postgres
from deadletter.store.instant import Instant, micros
from deadletter.store.models import Base, Event
from deadletter.store.packed import Packed, pack

T = TypeVar("T")

AT_ONCE = 5_000
"""Values in one statement: both databases take at least 32,766."""


def table_of(model: type[Base]) -> Table:
    """Return a model's table. (What is declared as a class is always a table here.)"""
    return cast("Table", model.__table__)


def parts(values: Collection[T]) -> Iterator[list[T]]:
    """Return *values* in parts that fit into one statement."""
    given = list(values)
    return (given[start : start + AT_ONCE] for start in range(0, len(given), AT_ONCE))


def one_of(session: Session, column: ColumnElement[Any], values: Iterable[Any]) -> ColumnElement[bool]:
    """Return the condition that *column* is one of *values*: one parameter however many, so compiled once."""
    if is_postgres(session):
        return column == any_(bindparam(None, list(values), ARRAY(column.type), unique=True))
    given = func.json_each(json.dumps(list(values))).table_valued("value")
    return column.in_(select(given.c.value))


def find_each(session: Session, query: Select[Any], column: ColumnElement[Any], values: Iterable[Any]) -> Select[Any]:
    """Return *query* narrowed to where *column*, which has an index, is one of *values*: each looked up by itself.

    Before PostgreSQL has statistics of a table that grows, it reads all of it to find some hundred values, again and
    again. OFFSET 0 is the wall behind which it cannot but look up one by one.
    """
    if not is_postgres(session):
        return query.where(one_of(session, column, values))
    names = func.unnest(bindparam(None, list(values), ARRAY(column.type), unique=True)).table_valued("value")
    each = names.render_derived(name="given")
    found = query.where(column == each.c.value).offset(0).correlate(each).lateral("found")
    return select(*found.c).select_from(each.join(found, true()))


def one_of_named(name: str, column: ColumnElement[Any], *, postgres: bool) -> ColumnElement[bool]:
    """Return `one_of` for a statement that is built once: *name* is the parameter that `given` makes at each use."""
    if postgres:
        return column == any_(bindparam(name, type_=ARRAY(column.type)))
    values = func.json_each(bindparam(name, type_=String)).table_valued("value")
    return column.in_(select(values.c.value))


def given(session: Session, values: Iterable[Any]) -> Any:  # noqa: ANN401 - what a driver takes
    """Return *values* as the parameter that `one_of_named` asks for."""
    return list(values) if is_postgres(session) else json.dumps(list(values))


def next_ids(session: Session, model: type[Base], n: int) -> Sequence[int]:
    """Return *n* ids that nothing has had before, for rows that name each other before they are written."""
    name = model.__tablename__
    if is_postgres(session):
        # Found once, not once a row: hence the sub-query.
        sequence = select(cast_to(func.pg_get_serial_sequence(name, "id"), REGCLASS)).scalar_subquery()
        serial = func.nextval(sequence)
        return session.scalars(select(serial).select_from(func.generate_series(1, n))).all()
    last = session.scalar(text("SELECT seq FROM sqlite_sequence WHERE name = :name"), {"name": name}) or 0
    return range(last + 1, last + n + 1)


def insert_new(session: Session, model: type[Base], rows: Sequence[Mapping[str, Any]]) -> set[int]:
    """Insert *rows*, which have ids, but not what another transaction was first with; return the ids left out.

    On PostgreSQL the rows must come in one order that all transactions share: they wait for each other. On SQLite
    nobody else can have written since this transaction began.
    """
    if not rows:
        return set()
    table, names = table_of(model), list(rows[0])
    columns = [_driver_values(table.c[name], [row[name] for row in rows]) for name in names]
    values = list(zip(*columns, strict=True))
    if is_postgres(session):
        return {row["id"] for row in rows} - copy_new(session, table.name, names, values)
    _insert_sqlite(session, table, names, values)
    return set()


def _insert_sqlite(session: Session, table: Table, names: Sequence[str], values: list[tuple[Any, ...]]) -> None:
    """Insert past SQLAlchemy's statements: their work for each column of each row costs as much as SQLite's own."""
    places = ", ".join("?" * len(names))
    insert = f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({places})"  # noqa: S608 - names of our own
    session.connection().exec_driver_sql(insert, values)


_ENCODE = json.JSONEncoder().encode


def _driver_values(column: Column[Any], values: list[Any]) -> list[Any]:
    """Return *values* as both drivers take them; times come in runs of equal ones, and most objects are empty."""
    if isinstance(column.type, JSON):
        return ["{}" if value == {} else _ENCODE(value) for value in values]
    if isinstance(column.type, Packed):
        return [pack(value) for value in values]
    if isinstance(column.type, Instant):
        known = {value: value and micros(value) for value in set(values)}
        return [known[value] for value in values]
    return values


def lock_events(session: Session, event_ids: Iterable[int]) -> dict[int, dict[str, Any]]:
    """Return the columns of events by id, as they are now and will be until the transaction ends."""
    events = table_of(Event)
    found: dict[int, dict[str, Any]] = {}
    for some in parts(sorted(set(event_ids))):
        rows = session.execute(select(events).where(events.c.id.in_(some)).order_by(events.c.id).with_for_update())
        found.update((row["id"], dict(row)) for row in rows.mappings())
    return found


def update_rows(
    session: Session, model: type[Base], rows: Sequence[Mapping[str, Any]], columns: Sequence[str], keys: Sequence[str]
) -> None:
    """Write *columns* of *rows* where *keys* say, in the order of the keys."""
    if not rows:
        return
    statement = _updating(model, tuple(columns), tuple(keys))
    ordered = sorted(rows, key=lambda row: [row[key] for key in keys])
    values = [
        {f"to_{name}": row[name] for name in columns} | {f"at_{key}": row[key] for key in keys} for row in ordered
    ]
    session.connection().execute(statement, values)


@lru_cache(maxsize=64)
def _updating(model: type[Base], columns: tuple[str, ...], keys: tuple[str, ...]) -> Update:
    """Return the statement of `update_rows`: building one costs as much as several rows."""
    table = table_of(model)
    statement = update(table).values({name: bindparam(f"to_{name}", type_=table.c[name].type) for name in columns})
    return statement.where(*(table.c[key] == bindparam(f"at_{key}") for key in keys))
