"""Reading the objects under a prefix: listed again and again, each of them read once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from sqlalchemy import Engine

from deadletter.collect import Taken, store_each
from deadletter.errors import ObjectRefused
from deadletter.event import ObjectRef, ReceivedMessage
from deadletter.ports import Clock, ObjectSource, Skip
from deadletter.store import read, write
from deadletter.store.left import get_cursor, note_cursor, note_skipped, skipped_messages, stored_messages
from deadletter.store.rows import SourceRow
from deadletter.store.sources import note_collected
from deadletter.visits.visit import check_kept

PAGE = 1_000
"""Keys a turn."""

LEAST_REST_S, LONGEST_REST_S = 30.0, 3_600.0
_TIMES_AS_LONG = 10
_BYTES_AT_ONCE = 32 * 2**20
_OBJECTS_AT_ONCE = 100


class ObjectVisit:
    """Lists a prefix from its beginning to its end, and begins anew after a rest ten times as long as that took.

    Keys do not come in the order of time (a function's name stands before the date), so that every pass begins at the
    beginning. How far it has come is in the database: whoever goes on, goes on from there.

    Args:
        engine: The database.
        source: The prefix.
        clock: The time.
        stopping: Whether to read no more objects.
        page: How many keys a turn; a test's choice.
    """

    def __init__(
        self, engine: Engine, source: ObjectSource, *, clock: Clock, stopping: Callable[[], bool], page: int = PAGE
    ) -> None:
        self._engine = engine
        self._source = source
        self._clock = clock
        self._stopping = stopping
        self._page = page
        self._began_at = time.monotonic()
        self.complete = False

    def turn(self, row: SourceRow) -> float:
        """Deal with one page of keys; return 0 where there are more."""
        with read(self._engine) as session:
            after = get_cursor(session, row.id)
        if not after:
            self._began_at = time.monotonic()
        refs = self._source.list_after(after, most=self._page)
        refused = read_objects(self._engine, self._source, row, refs, now=self._clock.now(), stopping=self._stopping)
        if self._stopping():
            return LEAST_REST_S  # not all of the page was read: whoever comes next begins with it
        more = len(refs) == self._page
        with write(self._engine) as session:
            note_cursor(session, row.id, refs[-1].key if more else "")
            note_collected(session, row.id, now=self._clock.now())
        if refused:
            raise refused
        self.complete = self.complete or not more
        took_s = time.monotonic() - self._began_at
        return 0.0 if more else min(LONGEST_REST_S, max(LEAST_REST_S, took_s * _TIMES_AS_LONG))


def read_objects(  # noqa: PLR0913 - what it works with, each by its name
    engine: Engine,
    source: ObjectSource,
    row: SourceRow,
    refs: Sequence[ObjectRef],
    *,
    now: datetime,
    stopping: Callable[[], bool] = lambda: False,
) -> ObjectRefused | None:
    """Read and store those of *refs* that are new; delete what is stored if the source is told to (`collect`).

    Returns:
        Why one of them may not be read, if there is one; the others are stored all the same.

    Raises:
        SourceError: Nothing can be read, stored or deleted now.
    """
    stored, new = _tell_apart(engine, row, refs)
    collects = row.kind == "s3" and not row.observed  # what is pushed is never deleted
    if collects:
        source.delete(stored)
    refused: list[ObjectRefused] = []
    for messages, skips in _fetched(source, new, refused, stopping):
        kept = store_each(engine, [Taken(row, messages)], now=now)[0]
        with write(engine) as session:
            note_skipped(session, row.id, skips, now)
        if collects:
            durable = {message.message_id for message in kept.messages}
            source.delete([ref for ref in new if ref.message_id in durable])
        check_kept(kept)
    return refused[0] if refused else None


def _tell_apart(
    engine: Engine, row: SourceRow, refs: Sequence[ObjectRef]
) -> tuple[Sequence[ObjectRef], Sequence[ObjectRef]]:
    """Return which objects are stored, and which nobody has looked at. Those without a byte are folders: neither."""
    ids = [ref.message_id for ref in refs]
    with read(engine) as session:
        stored, skipped = stored_messages(session, row.id, ids), skipped_messages(session, row.id, ids)
    told = [ref for ref in refs if ref.size != 0]
    new = [ref for ref in told if ref.message_id not in stored and ref.message_id not in skipped]
    return [ref for ref in told if ref.message_id in stored], new


def _fetched(
    source: ObjectSource, refs: Sequence[ObjectRef], refused: list[ObjectRefused], stopping: Callable[[], bool]
) -> Iterator[tuple[list[ReceivedMessage], list[Skip]]]:
    """Yield what the objects hold, and what is left alone, in parts that fit into memory."""
    messages: list[ReceivedMessage] = []
    skips: list[Skip] = []
    size = 0
    for ref in refs:
        if stopping():
            break
        found = _fetch(source, ref, refused)
        if isinstance(found, Skip):
            skips.append(found)
        elif found is not None:
            messages.append(found)
            size += len(found.body)
        if size > _BYTES_AT_ONCE or len(messages) >= _OBJECTS_AT_ONCE:
            yield messages, skips
            messages, skips, size = [], [], 0
    if messages or skips:
        yield messages, skips


def _fetch(source: ObjectSource, ref: ObjectRef, refused: list[ObjectRefused]) -> ReceivedMessage | Skip | None:
    try:
        return source.fetch(ref)
    except ObjectRefused as error:
        refused.append(error)
        return None
