"""Observing a queue: its messages are copied, and seen by everybody else again at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Engine

from deadletter.collect import Taken, store_each
from deadletter.event import ReceivedMessage
from deadletter.expiry import sent_at
from deadletter.ports import Clock, ObservedSource, SourceState
from deadletter.store import read, write
from deadletter.store.left import stored_messages
from deadletter.store.rows import SourceRow
from deadletter.store.sources import note_collected, note_state
from deadletter.visits.visit import check_kept

BATCH = 10
LEAST_HIDDEN_S, LONGEST_HIDDEN_S = 30, 900
A_SECOND = 100
"""Messages that a pass surely reads in a second: how long a deep queue's are hidden depends on it."""

_STORED_AT_ONCE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often a queue is looked at (which counts nothing), and how often read through (each receive counts).

    In seconds: `look_s` from one look to the next; at least `least_s` from one pass to the next, and twice as long
    after each that found nothing new, up to `most_s`; then it is read again although its depth is the same. `wait_s` is
    the long poll of each receive: with a second, SQS asks all of its servers.
    """

    look_s: float = 5.0
    least_s: float = 15.0
    most_s: float = 300.0
    wait_s: float = 1.0


class ObservedVisit:
    """Reads one queue through, pass by pass, and leaves everything in it.

    During a pass what was received is hidden, so that it does not come again; at its end all of it is released.

    Args:
        engine: The database.
        source: The queue.
        clock: The time.
        stopping: Whether to end a pass early.
        pace: How often.
        ticks: Seconds that only go forward.
    """

    def __init__(  # noqa: PLR0913 - what it works with, each by its name
        self,
        engine: Engine,
        source: ObservedSource,
        *,
        clock: Clock,
        stopping: Callable[[], bool],
        pace: Pace | None = None,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._source = source
        self._clock = clock
        self._stopping = stopping
        self._pace = pace or Pace()
        self._ticks = ticks
        self._rest_s = self._pace.least_s
        self._passed_at: float | None = None
        self._depth = -1
        self.complete = False

    def turn(self, row: SourceRow) -> float:
        """Look how full the queue is; read it through if that has changed, or it has been long ago."""
        state = self._source.state()
        with write(self._engine) as session:
            note_state(session, row.id, state, self._clock.now())
        if self._is_due(state):
            new = self._pass(replace(row, retention_s=state.retention_s), state)
            self._depth, self._passed_at = state.depth, self._ticks()
            self._rest_s = self._pace.least_s if new else min(self._rest_s * 2, self._pace.most_s)
            self.complete = not self._stopping()
        return self._pace.look_s

    def _is_due(self, state: SourceState) -> bool:
        if self._passed_at is None:
            return True
        since_s = self._ticks() - self._passed_at
        changed = state.depth != self._depth and since_s >= self._pace.least_s
        return changed or since_s >= max(self._rest_s, self._pace.least_s)

    def _pass(self, row: SourceRow, state: SourceState) -> int:
        """Read the queue through; return how many messages were new. Whatever happens, all of them are released."""
        hide_s = min(LONGEST_HIDDEN_S, LEAST_HIDDEN_S + state.depth // A_SECOND)
        ends_at = self._ticks() + hide_s * 0.8  # before the first of them comes again by itself
        held: dict[str, ReceivedMessage] = {}
        new = 0
        try:
            while not self._stopping() and self._ticks() < ends_at:
                some = self._receive(hide_s, held)
                if not some:
                    break
                new += self._store(row, some)
        finally:
            self._release(list(held.values()))
        self._note(row, held.values())
        return new

    def _receive(self, hide_s: int, held: dict[str, ReceivedMessage]) -> list[ReceivedMessage]:
        """Receive what can be stored at once; nothing at the end, which is also where messages come a second time."""
        some: list[ReceivedMessage] = []
        while len(some) < _STORED_AT_ONCE:
            messages = self._source.receive(most=BATCH, wait_s=self._pace.wait_s, hide_s=hide_s)
            fresh = [message for message in messages if message.message_id not in held]
            held.update((message.message_id, replace(message, body="")) for message in messages)
            some += fresh
            if not fresh:
                break
        return some

    def _store(self, row: SourceRow, some: Sequence[ReceivedMessage]) -> int:
        with read(self._engine) as session:
            known = stored_messages(session, row.id, [message.message_id for message in some])
        new = [message for message in some if message.message_id not in known]
        if new:
            check_kept(store_each(self._engine, [Taken(row, new)], now=self._clock.now())[0])
        return len(new)

    def _release(self, held: Sequence[ReceivedMessage]) -> None:
        for start in range(0, len(held), BATCH):
            self._source.release(held[start : start + BATCH])

    def _note(self, row: SourceRow, held: Iterable[ReceivedMessage]) -> None:
        oldest = min(filter(None, map(sent_at, held)), default=None)
        with write(self._engine) as session:
            note_collected(session, row.id, now=self._clock.now(), oldest_sent_at=oldest)
