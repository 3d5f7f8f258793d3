"""Storing what is pushed at us, by topics, buses, buckets, functions and queues, and what their messages point at."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Engine

from deadletter.actor import WORKER
from deadletter.arrivals import Arrival, is_test, objects_in
from deadletter.collect import Taken, store_each
from deadletter.errors import BadInput, SourceError
from deadletter.event import BUCKET_ARN, QUEUE_ARN, ObjectRef, ReceivedMessage
from deadletter.ports import Clock, ObjectSource, Source, SourceState
from deadletter.store import read, write
from deadletter.store.rows import SourceRow
from deadletter.store.sources import COLLECT, add_source, list_sources_with_senders
from deadletter.visits.objects import read_objects

log = logging.getLogger(__name__)

OpenObjects = Callable[[str], ObjectSource]
"""Makes a prefix of a bucket from its ARN."""

Rows = Mapping[str, SourceRow]
"""Sources by their ARN."""


def collect_pushed(
    engine: Engine, arrivals: Sequence[Arrival], *, pushed_to: str, open_objects: OpenObjects, now: datetime
) -> list[Arrival]:
    """Store what was pushed, before anybody answers; return what is not durable, and has to come again.

    What pushes is a source of its own, known by its ARN from its first push on. The same record pushed twice is stored
    once. Never raises for what was pushed.

    Args:
        engine: The database.
        arrivals: What came, in one call.
        pushed_to: Our own function's ARN: the source of what does not say who pushed it.
        open_objects: Reads the objects that S3's notifications point at.
        now: The time now, UTC.
    """
    rows = _rows(engine, now)
    failed, plain = [], []
    for arrival in arrivals:
        pointed = _pointed(engine, arrival, rows, now)
        if pointed is None:
            plain.append(arrival)
        elif not _is_read(engine, pointed, open_objects, now):
            failed.append(arrival)
    return failed + _store(engine, plain, rows, pushed_to, now)


def _rows(engine: Engine, now: datetime) -> dict[str, SourceRow]:
    with read(engine) as session:
        return {row.arn: row for row in list_sources_with_senders(session, now=now)}


def _pointed(
    engine: Engine, arrival: Arrival, rows: dict[str, SourceRow], now: datetime
) -> Mapping[str, tuple[SourceRow, list[ObjectRef]]] | None:
    """Return the objects that an arrival points at, by the source that they are of; None where it points at none.

    A bucket that pushes by itself becomes a source. Who merely writes to a queue can name any bucket, so that what
    comes another way is read only where a person registered it.
    """
    refs = objects_in(arrival.message)
    if refs and BUCKET_ARN.fullmatch(arrival.source_arn) and _source_of(refs[0], rows) is None:
        rows[arrival.source_arn] = _known(engine, arrival.source_arn, rows, now)
    found = pointed_at(refs, rows)
    return {} if found is None and is_test(arrival.message) else found


def pointed_at(refs: Sequence[ObjectRef], rows: Rows) -> dict[str, tuple[SourceRow, list[ObjectRef]]] | None:
    """Return *refs* by the source that each is of; None where there are none, or one is of no source."""
    found: dict[str, tuple[SourceRow, list[ObjectRef]]] = {}
    for ref in refs:
        row = _source_of(ref, rows)
        if row is None:
            return None
        found.setdefault(row.arn, (row, []))[1].append(ref)
    return found or None


def _source_of(ref: ObjectRef, rows: Rows) -> SourceRow | None:
    """Return the source with the longest prefix that an object's key has."""
    matches = [
        (len(match[2] or ""), row)
        for row in rows.values()
        if (match := BUCKET_ARN.fullmatch(row.arn)) and match[1] == ref.bucket and ref.key.startswith(match[2] or "")
    ]
    return max(matches, key=lambda pair: pair[0])[1] if matches else None


def _is_read(
    engine: Engine, pointed: Mapping[str, tuple[SourceRow, list[ObjectRef]]], open_objects: OpenObjects, now: datetime
) -> bool:
    """Read and store objects; return whether all of them are durable, or are left alone for good."""
    try:
        refused = [read_objects(engine, open_objects(arn), row, refs, now=now) for arn, (row, refs) in pointed.items()]
    except SourceError as error:
        log.warning("objects that were told of could not be read: they are told of again", extra={"error": str(error)})
        return False
    for refusal in filter(None, refused):
        log.warning("an object may not be read: it is told of again", extra={"error": str(refusal)})
    return not any(refused)


def _store(
    engine: Engine, arrivals: Sequence[Arrival], rows: dict[str, SourceRow], pushed_to: str, now: datetime
) -> list[Arrival]:
    """Store messages, those of all sources in one transaction; return those that are not durable."""
    by_source: dict[str, list[Arrival]] = {}
    for arrival in arrivals:
        row = _row(engine, arrival.source_arn, rows, pushed_to, now)
        by_source.setdefault(row.arn, []).append(arrival)
    taken = [
        Taken(replace(rows[arn], mode=COLLECT), [arrival.message for arrival in some])
        for arn, some in by_source.items()
    ]
    failed = []
    for some, kept in zip(by_source.values(), store_each(engine, taken, now=now), strict=True):
        durable = {message.message_id for message in kept.messages}
        failed += [arrival for arrival in some if arrival.message.message_id not in durable]
    return failed


def _row(engine: Engine, arn: str, rows: dict[str, SourceRow], pushed_to: str, now: datetime) -> SourceRow:
    try:
        return _known(engine, arn, rows, now)
    except BadInput:  # it calls itself what is no ARN of AWS's
        return _known(engine, pushed_to, rows, now)


def _known(engine: Engine, arn: str, rows: dict[str, SourceRow], now: datetime) -> SourceRow:
    """Return the source with that ARN, registered with its first push."""
    if arn not in rows:
        kind = "push" if QUEUE_ARN.fullmatch(arn) or BUCKET_ARN.fullmatch(arn) else None
        with write(engine) as session:
            rows[arn] = add_source(session, arn, target=None, by=WORKER, now=now, kind=kind)
    return rows[arn]


class PointingSource:
    """A queue among whose messages are S3's notifications of failures: these are read where they point, and deleted.

    Only objects under a prefix that is registered are read; every other message is handed on as it is.

    Args:
        source: The queue.
        engine: The database.
        open_objects: Makes a prefix from its ARN.
        clock: The time.
    """

    def __init__(self, source: Source, engine: Engine, *, open_objects: OpenObjects, clock: Clock) -> None:
        self._source = source
        self._engine = engine
        self._open_objects = open_objects
        self._clock = clock

    def receive(self, *, most: int, wait_s: float) -> Sequence[ReceivedMessage]:
        """Receive, and keep what points elsewhere; see `Source.receive`."""
        messages = self._source.receive(most=most, wait_s=wait_s)
        refs = {message.message_id: objects_in(message) for message in messages}
        tests = [message for message in messages if is_test(message)]
        if not tests and not any(refs.values()):
            return messages
        rows = _rows(self._engine, self._clock.now())
        pointed = {message_id: found for message_id, some in refs.items() if (found := pointed_at(some, rows))}
        done = [message for message in messages if message.message_id in pointed and self._is_read(pointed, message)]
        if done + tests:
            self._source.delete(done + tests)
        return [message for message in messages if message.message_id not in pointed and message not in tests]

    def _is_read(
        self, pointed: Mapping[str, dict[str, tuple[SourceRow, list[ObjectRef]]]], message: ReceivedMessage
    ) -> bool:
        return _is_read(self._engine, pointed[message.message_id], self._open_objects, self._clock.now())

    def delete(self, messages: Sequence[ReceivedMessage]) -> Sequence[str]:
        """Delete; see `Source.delete`."""
        return self._source.delete(messages)

    def state(self) -> SourceState:
        """Return how full it is; see `Source.state`."""
        return self._source.state()
