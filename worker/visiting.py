"""Visiting a source that nothing is taken from by being received: one thread, a piece of work a turn."""

from __future__ import annotations

import threading
from collections.abc import Callable

from sqlalchemy import Engine

from deadletter.errors import SourceError
from deadletter.ports import Clock
from deadletter.store.rows import SourceRow
from deadletter.visits import Visit
from worker.threads import keep_doing
from worker.trouble import back_off

OpenVisit = Callable[[SourceRow, Callable[[], bool]], Visit]
"""Opens the visit of a source, given what says whether to end a piece of work early."""


class Visitor:
    """Visits one source, for as long as it is told to; to the worker it looks like a `Collector`."""

    def __init__(self, row: SourceRow, *, open_visit: OpenVisit, engine: Engine, clock: Clock) -> None:
        self.row = row
        self._open_visit = open_visit
        self._visit: Visit | None = None
        self._engine = engine
        self._clock = clock
        self._errors = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, _receivers: int, stop: threading.Event) -> None:
        """Start the thread."""
        self._stop = stop
        self._thread = keep_doing(self._turn, name=f"visit {self.row.name}", until=stop)

    @property
    def idle(self) -> bool:
        """Whether all that lay there has been looked at, or it errs."""
        return self._errors > 0 or (self._visit is not None and self._visit.complete)

    @property
    def errs(self) -> bool:
        """Whether the last try ended in an error."""
        return self._errors > 0

    def wait(self, timeout_s: float) -> bool:
        """Wait until the thread has ended; return whether that was so in time."""
        if self._thread is None:
            return True
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _turn(self) -> float:
        try:
            if self._visit is None:
                self._visit = self._open_visit(self.row, self._stop.is_set)
            rest_s = self._visit.turn(self.row)
        except SourceError as error:
            self._errors += 1
            return back_off(self._engine, self._clock, self.row, error, errors=self._errors)
        self._errors = 0
        return rest_s
