"""What storing is held against: the same rows in the same tables, by the raw drivers, by Core and by the ORM.

Each takes a batch of finished rows and stores it in one transaction: what is known already left out, events, records,
words, and every counter.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import psycopg
from sqlalchemy import Engine, Table, select, text
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.orm import Session

from deadletter.store.instant import hour_of, micros
from deadletter.store.models import Event, Group, GroupHour, GroupSource, Record, SourceHour

Values = dict[str, Any]


@dataclass(frozen=True)
class Finished:
    """One message as rows, with ids: Python's values, and the drivers'."""

    event: Values
    record: Values
    words: str

    @property
    def raw(self) -> tuple[Values, Values]:
        """The values as a driver takes them."""
        return _raw(self.event), _raw(self.record)


@dataclass(frozen=True)
class Batch:
    """What one transaction stores, both ways; made before the clock runs."""

    rows: Sequence[Finished]
    raw: Sequence[tuple[Values, Values]]

    @property
    def counts(self) -> dict[str, Counter[tuple[Any, ...]]]:
        """How much each rollup grows, by its keys."""
        found: dict[str, Counter[tuple[Any, ...]]] = {name: Counter() for name in _KEYS}
        for row in self.rows:
            event = row.event
            hour = hour_of(event["occurred_at"])
            found["group_sources"][event["group_id"], event["source_id"], event["producer"]] += 1
            found["group_hours"][event["group_id"], hour] += 1
            found["source_hours"][event["source_id"], hour] += 1
        return found


Peer = Callable[[Engine], Callable[[Batch], object]]

_KEYS = {
    "group_sources": ("group_id", "source_id", "producer"),
    "group_hours": ("group_id", "hour"),
    "source_hours": ("source_id", "hour"),
}


def raw_sqlite(engine: Engine) -> Callable[[Batch], object]:
    """Return a store by the driver alone, in autocommit mode with its own BEGIN IMMEDIATE."""
    connection = sqlite3.connect(str(engine.url.database), isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON", "cache_size = -32768"):
        connection.execute(f"PRAGMA {pragma}")

    def store(batch: Batch) -> None:
        connection.execute("BEGIN IMMEDIATE")
        wanted = json.dumps([record["message_id"] for _, record in batch.raw])
        known = {row[0] for row in connection.execute(_KNOWN, (wanted,))}
        rows = [(event, record) for event, record in batch.raw if record["message_id"] not in known]
        for name, values in (("events", [event for event, _ in rows]), ("records", [record for _, record in rows])):
            connection.executemany(_insert(name, values[0], "?"), [tuple(each.values()) for each in values])
        words = [(row.event["id"], row.words) for row in batch.rows]
        connection.executemany("INSERT INTO search (rowid, words) VALUES (?, ?)", words)
        last = max(event["occurred_at"] for event, _ in rows)
        groups = Counter(event["group_id"] for event, _ in rows)
        connection.executemany(_GROUPS, [(n, last, group) for group, n in sorted(groups.items())])
        for name, counts in batch.counts.items():
            places = [(*key, n) for key, n in sorted(counts.items())]
            connection.executemany(_upsert(name, "?"), places)
        connection.execute("UPDATE sources SET collected_total = collected_total + ?", (len(rows),))
        connection.execute("COMMIT")

    return store


_KNOWN = (
    "SELECT message_id FROM records WHERE source_id = 1 AND message_id IN (SELECT value FROM json_each(?))"  # one index
)
_GROUPS = "UPDATE groups SET n_unresolved = n_unresolved + ?, status = 'unresolved', last_seen = ? WHERE id = ?"


def copy_and_one_statement(engine: Engine) -> Callable[[Batch], object]:
    """Return a store by COPY into a temporary table, and one statement that does all the rest."""
    connection = psycopg.connect(engine.url.set(drivername="postgresql").render_as_string(hide_password=False))
    made: list[str] = []

    def store(batch: Batch) -> None:
        events = {f"e_{name}": value for name, value in batch.raw[0][0].items()}
        records = {f"r_{name}": value for name, value in batch.raw[0][1].items()}
        if not made:
            made.append(_all_in_one(list(batch.raw[0][0]), list(batch.raw[0][1])))
            connection.execute(_staging(events, records).encode())
        with connection.cursor() as cursor:
            names = ", ".join((*events, *records, "words"))
            with cursor.copy(f"COPY staging ({names}) FROM STDIN".encode()) as copy:
                for (event, record), row in zip(batch.raw, batch.rows, strict=True):
                    copy.write_row((*event.values(), *record.values(), row.words))
            cursor.execute(made[0].encode())
        connection.commit()

    return store


def core_returning(engine: Engine) -> Callable[[Batch], object]:
    """Return a store by SQLAlchemy Core: INSERT … RETURNING tells what is new."""
    events, records = _table(Event), _table(Record)

    def store(batch: Batch) -> None:
        with engine.begin() as connection:
            new = postgres_insert(events).on_conflict_do_nothing().returning(events.c.id)
            connection.execute(new, [row.event for row in batch.rows]).all()
            new = postgres_insert(records).on_conflict_do_nothing().returning(records.c.id)
            connection.execute(new, [row.record for row in batch.rows]).all()
            words = [{"id": row.event["id"], "words": row.words} for row in batch.rows]
            connection.execute(text("INSERT INTO search VALUES (:id, CAST(:words AS tsvector))"), words)
            groups = Counter(row.event["group_id"] for row in batch.rows)
            grow = text("UPDATE groups SET n_unresolved = n_unresolved + :n, status = 'unresolved' WHERE id = :id")
            connection.execute(grow, [{"id": group, "n": n} for group, n in sorted(groups.items())])
            for name, counts in batch.counts.items():
                rows = [dict(zip((*_KEYS[name], "n"), (*key, n), strict=True)) for key, n in sorted(counts.items())]
                connection.execute(text(_upsert(name, ":")), rows)

    return store


def orm(engine: Engine) -> Callable[[Batch], object]:
    """Return a store by the ORM as its tutorial shows it: objects, `add_all`, `get` and `+= 1`."""
    models: dict[str, type[GroupSource | GroupHour | SourceHour]] = {
        "group_sources": GroupSource,
        "group_hours": GroupHour,
        "source_hours": SourceHour,
    }

    def store(batch: Batch) -> None:
        wanted = [row.record["message_id"] for row in batch.rows]
        with Session(engine) as session, session.begin():
            known = set(session.scalars(select(Record.message_id).where(Record.message_id.in_(wanted))))
            rows = [row for row in batch.rows if row.record["message_id"] not in known]
            session.add_all([Event(**row.event) for row in rows])
            session.flush()
            session.add_all([Record(**row.record) for row in rows])
            words = text("INSERT INTO search (rowid, words) VALUES (:id, :words)")
            session.execute(words, [{"id": row.event["id"], "words": row.words} for row in rows])
            for row in rows:
                session.get_one(Group, row.event["group_id"]).n_unresolved += 1
            for name, counts in batch.counts.items():
                for key, n in counts.items():
                    found = cast("GroupSource | None", session.get(models[name], key))  # all three count in `n`
                    if found is None:
                        session.add(models[name](**dict(zip(_KEYS[name], key, strict=True)), n=n))
                    else:
                        found.n += n

    return store


def _table(model: type[Any]) -> Table:
    table: Table = model.__table__
    return table


def _raw(values: Values) -> Values:
    return {name: _value(value) for name, value in values.items()}


def _value(value: object) -> object:
    if isinstance(value, dict):
        return json.dumps(value)
    return micros(value) if hasattr(value, "tzinfo") else value  # type: ignore[arg-type] # a time


def _insert(name: str, columns: Iterable[str], place: str) -> str:
    names = list(columns)
    return f"INSERT INTO {name} ({', '.join(names)}) VALUES ({', '.join(place for _ in names)})"  # noqa: S608 - our names


def _upsert(name: str, place: str) -> str:
    names = (*_KEYS[name], "n")
    places = ", ".join(place if place == "?" else f"{place}{each}" for each in names)
    given = f"INSERT INTO {name} ({', '.join(names)}) VALUES ({places})"  # noqa: S608 - our names
    return f"{given} ON CONFLICT ({', '.join(_KEYS[name])}) DO UPDATE SET n = {name}.n + excluded.n"


def _staging(events: Values, records: Values) -> str:
    kinds = [
        f"{name} {table.c[name[2:]].type.compile(dialect=_PG)}"
        for table, names in ((_table(Event), events), (_table(Record), records))
        for name in names
    ]
    return f"CREATE TEMPORARY TABLE staging ({', '.join(kinds)}, words text) ON COMMIT DELETE ROWS"


def _all_in_one(events: Sequence[str], records: Sequence[str]) -> str:
    given_events, given_records = (
        ", ".join(f"{kind}_{name}" for name in names) for kind, names in (("e", events), ("r", records))
    )
    hour = "occurred_at / 3600000000"
    return f"""
        WITH new AS (
          INSERT INTO events ({", ".join(events)}) SELECT {given_events} FROM staging
          ON CONFLICT DO NOTHING RETURNING id, group_id, source_id, producer, occurred_at),
        kept AS (
          INSERT INTO records ({", ".join(records)}) SELECT {given_records} FROM staging JOIN new ON new.id = e_id
          ON CONFLICT DO NOTHING),
        found AS (
          INSERT INTO search (event_id, words) SELECT e_id, words::tsvector FROM staging JOIN new ON new.id = e_id),
        grown AS (
          UPDATE groups SET n_unresolved = n_unresolved + more.n, status = 'unresolved',
            last_seen = greatest(last_seen, more.last)
          FROM (SELECT group_id, count(*) AS n, max(occurred_at) AS last FROM new GROUP BY 1) AS more
          WHERE more.group_id = groups.id),
        by_source AS (
          INSERT INTO group_sources SELECT group_id, source_id, producer, count(*) FROM new GROUP BY 1, 2, 3
          ON CONFLICT (group_id, source_id, producer) DO UPDATE SET n = group_sources.n + excluded.n),
        by_hour AS (
          INSERT INTO group_hours SELECT group_id, {hour}, count(*) FROM new GROUP BY 1, 2
          ON CONFLICT (group_id, hour) DO UPDATE SET n = group_hours.n + excluded.n),
        by_source_hour AS (
          INSERT INTO source_hours SELECT source_id, {hour}, count(*) FROM new GROUP BY 1, 2
          ON CONFLICT (source_id, hour) DO UPDATE SET n = source_hours.n + excluded.n)
        UPDATE sources SET collected_total = collected_total + (SELECT count(*) FROM new)"""  # noqa: S608 - our names


_PG = postgres_insert(_table(Event)).compile().dialect
