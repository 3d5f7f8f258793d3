"""A database of very many events, quickly: some thousands stored by the product, and the rest copied of them in SQL.

The copies are told apart by their ids, request ids, message ids, times and one searched word each. The counters are
then made from the rows by the statements below, so that `redrive db check` finds nothing.
"""

from __future__ import annotations

import json
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, Engine, inspect, text

from deadletter.actor import Actor
from deadletter.collect import parse_batch
from deadletter.event import ReceivedMessage, TargetKind, TargetRef
from deadletter.outcome import EventStatus
from deadletter.settings import Settings
from deadletter.store import make_engine, read, upgrade, write
from deadletter.store.check import recount
from deadletter.store.ingest import store_messages
from deadletter.store.sources import add_source, list_sources

FIRST = 10_000
"""Events that the product itself stores: what the others are copied from."""

GROUPS = 2_000
LARGEST_OF_100 = 34
"""The largest group's events of each hundred."""

SOURCES = ("orders-failures", "payments-dlq", "notify-failures")
TARGET = "arn:aws:sqs:eu-west-1:123456789012:orders"
BY = Actor("bench", "bench")
COPY_EVERY_S = 420
"""So much later than those that it is copied from is each copy."""

_AT_ONCE = 1_000
_SERIES = {
    "sqlite": "(WITH RECURSIVE s(k) AS (SELECT :low UNION ALL SELECT k + 1 FROM s WHERE k < :high) SELECT k FROM s)",
    "postgresql": "(SELECT generate_series(CAST(:low AS bigint), CAST(:high AS bigint)) AS k)",
}
_WORDS = {
    "sqlite": f"""
        INSERT INTO search (rowid, words)
        SELECT search.rowid + k * {FIRST}, words || ' copy' || (search.rowid + k * {FIRST}) FROM search, {{series}} AS s
        WHERE search.rowid <= {FIRST}
    """,  # noqa: S608 - our own names
    "postgresql": f"""
        INSERT INTO search (event_id, words)
        SELECT event_id + k * {FIRST}, words || to_tsvector('simple', 'copy' || (event_id + k * {FIRST}))
        FROM search, {{series}} AS s WHERE event_id <= {FIRST}
    """,  # noqa: S608 - our own names
}


def first(settings: Settings) -> Engine:
    """Make the database, and let the product store the first `FIRST` events; return the engine."""
    upgrade(settings)
    engine = make_engine(settings)
    now = datetime.now(UTC)
    with write(engine) as session:
        for name in SOURCES:
            arn = f"arn:aws:sqs:eu-west-1:123456789012:{name}"
            add_source(session, arn, target=TargetRef(TargetKind.SQS, TARGET), by=BY, now=now)
    with read(engine) as session:
        sources = list_sources(session, now=now)
    for start in range(0, FIRST, _AT_ONCE):
        numbers = range(start, start + _AT_ONCE)
        with write(engine) as session:
            for place, source in enumerate(sources):
                mine = [_message(n, now) for n in numbers if _group_of(n) % len(sources) == place]
                store_messages(session, source.id, parse_batch(mine, source), now=now)
    with engine.begin() as connection:
        connection.execute(text(_STATUSES))
        _count(connection)
    _analyze(engine)
    return engine


def grow(engine: Engine, events: int) -> None:
    """Copy until there are *events* of them, a multiple of `FIRST`."""
    with engine.begin() as connection:
        there = int(connection.scalar(text("SELECT count(*) FROM events")) or 0)
    if there >= events:
        return
    at = time.perf_counter()
    with _without_indexes(engine):
        for low in range(there // FIRST, events // FIRST, 10):
            with engine.begin() as connection:
                _copy(connection, low, min(low + 9, events // FIRST - 1))
    with engine.begin() as connection:
        _count(connection)
    _analyze(engine)
    sys.stderr.write(f"{events:,} events ({engine.dialect.name}) in {time.perf_counter() - at:.0f} s\n")


def check(engine: Engine) -> None:
    """Raise RuntimeError unless the product's own recount finds nothing to set right."""
    with read(engine) as session:
        if found := recount(session):
            raise RuntimeError(f"The seeded database is not right: {'; '.join(map(str, found[:5]))}.")


def _copy(connection: Connection, low: int, high: int) -> None:
    series, given = _SERIES[connection.dialect.name], {"low": low, "high": high}
    later = f"+ k * {COPY_EVERY_S * 1_000_000}"
    shifted = {
        "id": f"+ k * {FIRST}",
        "event_id": f"+ k * {FIRST}",
        "record_id": f"+ k * {FIRST}",
        "request_id": "|| '-' || k",
        "message_id": "|| '-' || k",
        "occurred_at": later,
        "last_failed_at": later,
    }
    for table in ("events", "records"):
        names = [column["name"] for column in inspect(connection).get_columns(table)]
        values = ", ".join(f"o.{name} {shifted.get(name, '')}" for name in names)
        copy = f"INSERT INTO {table} ({', '.join(names)}) SELECT {values} FROM {table} AS o, {series} AS s"  # noqa: S608
        connection.execute(text(f"{copy} WHERE o.id <= {FIRST}"), given)
    connection.execute(text(_WORDS[connection.dialect.name].format(series=series)), given)


@contextmanager
def _without_indexes(engine: Engine) -> Iterator[None]:
    """Take the indexes away that rows can do without, and make them anew at the end: sorting once is cheaper."""
    with engine.begin() as connection:
        found = _indexes(connection)
        for name in found:
            connection.execute(text(f"DROP INDEX {name}"))
    yield
    with engine.begin() as connection:
        for made in found.values():
            connection.execute(text(made))


def _indexes(connection: Connection) -> dict[str, str]:
    """Return what makes each index of the large tables anew, by name; not those that are there for a constraint."""
    if connection.dialect.name == "sqlite":
        query = (
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL "
            "AND tbl_name IN ('events', 'records')"
        )
    else:
        query = (
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename IN ('events', 'records', 'search') "
            "AND schemaname = current_schema() AND indexname NOT IN (SELECT conname FROM pg_constraint)"
        )
    return {
        name: made for name, made in connection.execute(text(query)).tuples() if not name.startswith(("pk_", "uq_"))
    }


def _count(connection: Connection) -> None:
    for statement in _COUNTS:
        connection.execute(text(statement))
    if connection.dialect.name == "postgresql":
        for table in ("events", "records"):
            last = connection.scalar(text(f"SELECT max(id) FROM {table}"))  # noqa: S608 - our own names
            connection.execute(text("SELECT setval(pg_get_serial_sequence(:t, 'id'), :n)"), {"t": table, "n": last})


def _analyze(engine: Engine) -> None:
    """Do what autovacuum does by itself, only at once. Nobody does it on SQLite, so nor do we."""
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM (ANALYZE)"))


def _group_of(number: int) -> int:
    """Return which cause the event has: the first has `LARGEST_OF_100` of a hundred, the others one in turn."""
    return 0 if number % 100 < LARGEST_OF_100 else 1 + number * 7 % (GROUPS - 1)


def _message(number: int, now: datetime) -> ReceivedMessage:
    """Return an on-failure record of the week that ended before all the copies."""
    cause, hours = _group_of(number), number * 37 % (7 * 24 * 60) / 60
    at = now - timedelta(days=8, hours=-hours)
    request_id = str(uuid.UUID(int=number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128, version=4))
    record = {
        "version": "1.0",
        "timestamp": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "requestContext": {
            "requestId": request_id,
            "functionArn": f"arn:aws:lambda:eu-west-1:123456789012:function:orders-{cause % 40}:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": {
            "orderId": f"ord-{number}",
            "note": f"{WORDS[number % len(WORDS)]} {'x' * 200}",
        },
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": {
            "errorMessage": f"inventory refused order ord-{number}",
            "errorType": f"Refused{cause % 12}",
            "stackTrace": [f'  File "/var/task/app.py", line {31 + cause}, in step_{cause}\n    reserve(event)\n'],
        },
    }
    sent = {"SentTimestamp": str(int(at.timestamp() * 1000)), "ApproximateReceiveCount": "1"}
    return ReceivedMessage(f"m-{request_id}", json.dumps(record), sent)


WORDS = ("amber", "basalt", "cedar", "delta", "ember", "flint", "garnet", "harbor", "indigo", "juniper", "kelp")
"""What payloads say besides `ord-N`: words for a search, each in every eleventh event."""

_STATUSES = """
    UPDATE events SET status =
        CASE WHEN id % 10 < 7 THEN 'unresolved' WHEN id % 10 < 9 THEN 'resolved' ELSE 'archived' END
"""

_HOUR = "occurred_at / 3600000000"


_BY_STATUS = ", ".join(f"sum(CASE WHEN status = '{status}' THEN 1 ELSE 0 END) AS {status}" for status in EventStatus)
_COUNTS = (
    f"""
    UPDATE groups SET {", ".join(f"n_{status} = c.{status}" for status in EventStatus)}, first_seen = c.first,
        last_seen = c.last, regressed_at = NULL, status = CASE WHEN c.unresolved > 0 THEN 'unresolved'
        WHEN c.redriving > 0 THEN 'redriving' WHEN c.resolved > 0 THEN 'resolved' ELSE 'archived' END
    FROM (SELECT group_id, {_BY_STATUS}, min(occurred_at) AS first, max(last_failed_at) AS last
          FROM events GROUP BY group_id) AS c WHERE c.group_id = groups.id
    """,  # noqa: S608 - our own names
    "DELETE FROM group_sources",
    "INSERT INTO group_sources SELECT group_id, source_id, producer, count(*) FROM events GROUP BY 1, 2, 3",
    "DELETE FROM group_hours",
    f"INSERT INTO group_hours SELECT group_id, {_HOUR} AS hour, count(*) FROM records GROUP BY 1, 2",  # noqa: S608
    "DELETE FROM source_hours",
    f"INSERT INTO source_hours SELECT source_id, {_HOUR} AS hour, count(*) FROM records GROUP BY 1, 2",  # noqa: S608
    "UPDATE sources SET collected_total = (SELECT count(*) FROM records WHERE records.source_id = sources.id)",
)
