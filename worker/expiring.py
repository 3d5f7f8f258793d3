"""Retention, by the clock: small batches with pauses between them, so that nobody who writes waits for long."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from sqlalchemy import Engine

from deadletter.ports import Clock
from deadletter.store import read, write
from deadletter.store.retention import Cursor, Due, due, expire

log = logging.getLogger(__name__)

EVERY_S = 600.0
PAUSE_S = 0.05


class Expirer:
    """Deletes what the rules of retention no longer keep."""

    def __init__(self, engine: Engine, *, clock: Clock, stopping: Callable[[], bool] = lambda: False) -> None:
        self._engine = engine
        self._clock = clock
        self._stopping = stopping
        self._batches: Iterator[int] = iter(())

    def turn(self) -> float:
        """Delete one batch; return how long to wait before the next."""
        if self._stopping():
            return EVERY_S
        if next(self._batches, None) is not None:
            return PAUSE_S
        self._batches = self._run()
        return PAUSE_S if next(self._batches, None) is not None else EVERY_S

    def _run(self) -> Iterator[int]:
        """Yield after each batch how many events it deleted."""
        with read(self._engine) as session:
            found = list(due(session, now=self._clock.now()))
        for one in found:
            yield from self._expire(one)

    def _expire(self, one: Due) -> Iterator[int]:
        gone, after = self._batch(one, None)
        total = gone
        while after is not None:
            yield gone
            gone, after = self._batch(one, after)
            total += gone
        if total:
            log.info("events expired", extra={"events": total, "source": one.source_id, "status": one.rule.status})
            yield gone

    def _batch(self, one: Due, after: Cursor | None) -> tuple[int, Cursor | None]:
        with write(self._engine) as session:
            return expire(session, one, after=after, now=self._clock.now())
