"""Group commit: whatever receivers have in hand when a transaction ends goes into the next one together."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue

from sqlalchemy import Engine

from deadletter.collect import Kept, Taken, store_each
from deadletter.ports import Clock
from worker.activity import Activity

_WAIT_S = 0.5
_LINGER_S = 0.05
_MOST = 50
"""Receives that one transaction holds: 500 messages."""


class Committer:
    """Stores what receivers take. One thread calls `turn`; any number of others call `submit`."""

    def __init__(self, engine: Engine, clock: Clock, activity: Activity | None = None) -> None:
        self._engine = engine
        self._clock = clock
        self._activity = activity or Activity()
        self._waiting: SimpleQueue[tuple[Taken, Future[Kept]]] = SimpleQueue()

    def submit(self, taken: Taken) -> Future[Kept]:
        """Return what will say, once the transaction has ended, which of the messages are durable."""
        done: Future[Kept] = Future()
        self._waiting.put((taken, done))
        return done

    def turn(self) -> float:
        """Store everything that waits, in one transaction."""
        hands = self._take()
        if hands:
            with self._activity.during(f"storing {sum(len(taken.messages) for taken, _ in hands)}"):
                kept = store_each(self._engine, [taken for taken, _ in hands], now=self._clock.now())
            for (_, done), one in zip(hands, kept, strict=True):
                done.set_result(one)
        return 0.0

    def _take(self) -> Sequence[tuple[Taken, Future[Kept]]]:
        """Wait for the first, then a moment for what comes with it: half of a small transaction's cost is fixed."""
        hands: list[tuple[Taken, Future[Kept]]] = []
        wait_until = time.monotonic() + _WAIT_S
        with suppress(Empty):
            while len(hands) < _MOST:
                hands.append(self._waiting.get(timeout=max(0.0, wait_until - time.monotonic())))
                if len(hands) == 1:
                    wait_until = time.monotonic() + _LINGER_S
        return hands
