"""Storing (dedupe, events, records, counters, rollups, search) against the raw drivers doing the same, and the ORM.

Every contender has a database of its own with our schema, and gets the same messages in transactions of 500. We start
from parsed messages, whose columns and words are worked out outside of the transaction; the others get finished values.
"""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import TypeVar

from sqlalchemy import Engine

from bench import peers
from bench.databases import databases
from bench.messages import make_record
from bench.rounds import in_turn
from bench.rows import Row, at_least
from bench.sizes import Size
from deadletter.actor import Actor
from deadletter.collect import parse_batch
from deadletter.event import ReceivedMessage
from deadletter.settings import Settings
from deadletter.store import make_engine, read, upgrade, write
from deadletter.store.groups import ensure_groups
from deadletter.store.incoming import Parsed, incoming
from deadletter.store.ingest import store_all
from deadletter.store.search import tsvector
from deadletter.store.sources import add_source, list_sources
from deadletter.store.words import words_of
from tests.conftest import make_postgres_database

T = TypeVar("T")

AT_ONCE = 500
ARN = "arn:aws:sqs:eu-west-1:000000000000:bench"
BARS = {
    "SQLite": ((0.6, "raw sqlite3"), (2.5, "ORM add_all")),
    "PostgreSQL": ((0.7, "COPY and one statement"), (4.0, "Core RETURNING")),
}
PEERS: Mapping[str, peers.Peer] = {
    "raw sqlite3": peers.raw_sqlite,
    "ORM add_all": peers.orm,
    "COPY and one statement": peers.copy_and_one_statement,
    "Core RETURNING": peers.core_returning,
}


def measure(size: Size) -> list[Row]:
    """Return a row for each database and peer."""
    with databases() as found:
        return [row for name, settings in found.items() for row in _rows(name, settings, size)]


def _rows(database: str, settings: Settings, size: Size) -> list[Row]:
    names = [peer for _, peer in BARS[database]]
    with ExitStack() as ending:
        feed = _Feed(size.rows)
        things: dict[str, Callable[[], float]] = {}
        for name in ("ours", *names):
            engine = ending.enter_context(_empty(settings, name))
            things[name] = _ours(engine, feed) if name == "ours" else _peer(engine, feed, PEERS[name])
        rounds = in_turn(things, rounds=size.rounds)
    return [
        at_least(bar, f"store / {peer}, {database}", rounds.ratio("ours", peer), note=rounds.note("ours", peer))
        for bar, peer in BARS[database]
    ]


class _Feed:
    """Messages that nobody has stored yet, parsed: the same ones for everybody in the same round."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._rounds: list[list[Parsed]] = []

    def round(self, number: int, engine: Engine) -> list[Parsed]:
        while len(self._rounds) <= number:
            with read(engine) as session:
                source = list_sources(session, now=datetime.now(UTC))[0]
            self._rounds.append(parse_batch([_message(n) for n in range(self._rows)], source))
        return self._rounds[number]


def _message(number: int) -> ReceivedMessage:
    attributes = {"SentTimestamp": "1795402800000", "ApproximateReceiveCount": "1", "SenderId": "AIDAEXAMPLE"}
    return ReceivedMessage(str(uuid.uuid4()), make_record(number), attributes, {}, "handle")


def _ours(engine: Engine, feed: _Feed) -> Callable[[], float]:
    rounds = count()

    def store(messages: Sequence[Parsed]) -> None:
        with write(engine) as session:
            store_all(session, {1: messages}, now=datetime.now(UTC))

    return lambda: _timed(_parts(feed.round(next(rounds), engine)), store)


def _peer(engine: Engine, feed: _Feed, peer: peers.Peer) -> Callable[[], float]:
    rounds, ids, store = count(), count(1), peer(engine)

    def run() -> float:
        messages = feed.round(next(rounds), engine)
        with write(engine) as session:
            groups = ensure_groups(
                session, [(each.fingerprint, datetime.now(UTC)) for each in messages], now=datetime.now(UTC)
            )
        return _timed([_finished(some, groups, ids, engine) for some in _parts(messages)], store)

    return run


def _finished(messages: Sequence[Parsed], groups: Mapping[str, int], ids: Iterator[int], engine: Engine) -> peers.Batch:
    join = " ".join if engine.dialect.name == "sqlite" else tsvector
    rows = []
    for parsed in messages:
        message, number = incoming(parsed, 1, datetime.now(UTC)), next(ids)
        group = groups[parsed.fingerprint.value]
        message.event |= {"id": number, "group_id": group, "record_id": number}
        message.record |= {"id": number, "group_id": group, "event_id": number}
        rows.append(peers.Finished(message.event, message.record, join(words_of(message.search_text))))
    return peers.Batch(rows, [row.raw for row in rows])


def _parts(messages: Sequence[Parsed]) -> list[Sequence[Parsed]]:
    return [messages[start : start + AT_ONCE] for start in range(0, len(messages), AT_ONCE)]


def _timed(batches: Sequence[T], store: Callable[[T], object]) -> float:
    at = time.perf_counter()
    for batch in batches:
        store(batch)
    return len(batches) * AT_ONCE / (time.perf_counter() - at)


@contextmanager
def _empty(settings: Settings, name: str) -> Iterator[Engine]:
    """Yield an engine on an empty database of its own with one source."""
    own = replace(settings, data_dir=settings.data_dir / name.replace(" ", "-"))
    if settings.database_url:
        own = replace(
            own, database_url=make_postgres_database(settings.database_url, f"bench_{name.replace(' ', '_')}".lower())
        )
    upgrade(own)
    engine = make_engine(own)
    with write(engine) as session:
        add_source(session, ARN, target=None, by=Actor("bench", "bench"), now=datetime.now(UTC))
    yield engine
    engine.dispose()
