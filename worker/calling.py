"""Calls that are out, made by threads that are hired as needed, so that a slow target keeps none from another."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from time import monotonic

from deadletter.redrive.sending import Where
from deadletter.store.redrives.claims import Claimed
from deadletter.store.redrives.outcomes import Report
from worker.threads import keep_doing

LINGER_S = 0.005
"""How long to wait for further answers once there is one."""

LINGER_BATCH_S = 0.02
"""And where a call carries several events: a transaction of eight such calls costs less than twice one of a single."""

MANY = 256
"""Calls out at once, to all targets, that a worker shares out: as many as boto3 keeps connections."""

Make = Callable[[float, Where, Sequence[Claimed]], Sequence[Report]]
"""Makes one call with what was claimed at a moment of `time.monotonic`; must not raise: what was sent is not known."""


class Calls:
    """So many calls at once for each redrive to each of its targets; one thread submits and gathers.

    None of them waits for another's: the slowest target of the slowest redrive holds its own threads only. Where there
    are very many, each has a smaller share, and always one.

    Args:
        make: Makes one call.
        each: Calls at once for one redrive to one target.
    """

    def __init__(self, make: Make, *, each: int) -> None:
        self._make = make
        self._each = each
        self._todo: SimpleQueue[tuple[float, Where, Sequence[Claimed]] | None] = SimpleQueue()
        self._done: SimpleQueue[tuple[Where, Sequence[Report]]] = SimpleQueue()
        self._out: Counter[tuple[int, str]] = Counter()
        self._hired = 0
        self._closed = threading.Event()

    @property
    def out(self) -> int:
        """How many calls are out."""
        return self._out.total()

    def free(self, redrive_id: int, arn: str, *, among: int) -> int:
        """Return how many more calls one redrive may make to one target, *among* so many such pairs."""
        share = max(1, min(self._each, MANY // max(1, among)))
        return max(0, share - self._out[redrive_id, arn])

    def submit(self, where: Where, claims: Sequence[Claimed]) -> None:
        """Have one call made, at once."""
        self._out[_pair(where)] += 1
        self._todo.put((monotonic(), where, claims))
        if self.out > self._hired:
            keep_doing(self._call, name=f"call {self._hired}", until=self._closed)
            self._hired += 1

    def gather(self, timeout_s: float) -> Iterator[tuple[int, Sequence[Report]]]:
        """Wait for the first call to come back, then a moment for others: recording one costs as much as ten.

        Yields each one's redrive, and its reports.
        """
        wait_until = monotonic() + timeout_s
        with suppress(Empty):
            while self.out:
                where, reports = self._done.get(timeout=max(0.0, wait_until - monotonic()))
                self._out[_pair(where)] -= 1
                wait_until = min(wait_until, monotonic() + (LINGER_BATCH_S if len(reports) > 1 else LINGER_S))
                yield where[0], reports

    def close(self) -> None:
        """Let the threads end, once no call is out."""
        self._closed.set()
        for _ in range(self._hired):
            self._todo.put(None)
        self._hired = 0

    def _call(self) -> float:
        """Make one call, as soon as there is one to make: the turn of each thread."""
        if todo := self._todo.get():
            claimed_at, where, claims = todo
            reports: Sequence[Report] = []
            try:
                reports = self._make(claimed_at, where, claims)
            finally:  # whatever goes wrong, the place is free again; what nobody reports on is unknown, by its lease
                self._done.put((where, reports))
        return 0.0


def _pair(where: Where) -> tuple[int, str]:
    redrive_id, target, _ = where
    return redrive_id, target.arn
