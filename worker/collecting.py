"""Emptying one source: several receivers, each of which deletes only what is durable."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from deadletter.collect import Kept, Taken, parse_batch
from deadletter.errors import SourceError
from deadletter.ports import Clock, Source
from deadletter.store import write
from deadletter.store.rows import SourceRow
from deadletter.store.sources import note_error
from worker.committer import Committer
from worker.threads import keep_doing

log = logging.getLogger(__name__)

BATCH = 10
LONGEST_PAUSE_S = 300.0
"""The longest that a source that errs is left alone."""

_HELPER_WAIT_S = 0.5
_FIRST_PAUSE_S = 1.0
_EMPTY_ENOUGH = 2


class Collector:
    """Receivers of one source.

    The first of them polls all the time; the others help while there is more than one can carry, so that an idle source
    costs one long poll. While the source errs, the first alone tries it, ever more rarely.
    """

    def __init__(  # noqa: PLR0913 - what it works with, each by its name
        self,
        row: SourceRow,
        *,
        open_source: Callable[[str], Source],
        committer: Committer,
        engine: Engine,
        clock: Clock,
        wait_s: float,
    ) -> None:
        self.row = row
        self._open_source = open_source
        self._source: Source | None = None
        self._committer = committer
        self._engine = engine
        self._clock = clock
        self._wait_s = wait_s
        self._flowing = threading.Event()
        self._errors = 0
        self._empty = 0
        self._in_hand = 0
        self._hands = threading.Lock()
        self._receivers: list[threading.Thread] = []

    def start(self, receivers: int, stop: threading.Event) -> None:
        """Start the receivers."""
        turns = [self._lead, *[self._help] * (receivers - 1)]
        self._receivers = [
            keep_doing(turn, name=f"receive {self.row.name} {n}", until=stop) for n, turn in enumerate(turns)
        ]

    @property
    def idle(self) -> bool:
        """Whether the source answered empty twice in a row, or errs; and nothing of it is in hand."""
        return (self._empty >= _EMPTY_ENOUGH or self._errors > 0) and not self._in_hand

    @property
    def errs(self) -> bool:
        """Whether the last try ended in an error."""
        return self._errors > 0

    def wait(self, timeout_s: float) -> bool:
        """Wait until every receiver has ended; return whether that was so in time.

        Also for one whose long poll is still out: what its answer brings would be hidden from everybody, until the
        queue's visibility timeout, if nobody were there to take it.
        """
        deadline = time.monotonic() + timeout_s
        for receiver in self._receivers:
            receiver.join(max(0.0, deadline - time.monotonic()))
        return not any(receiver.is_alive() for receiver in self._receivers)

    def _lead(self) -> float:
        try:
            self._take(self._wait_s)
        except SourceError as error:
            return self._back_off(error)
        self._errors = 0
        return 0.0

    def _help(self) -> float:
        if not self._flowing.wait(_HELPER_WAIT_S):
            return 0.0
        try:
            self._take(0.0)
        except SourceError:
            self._flowing.clear()  # the first receiver meets the same error, and says so
        return 0.0

    def _take(self, wait_s: float) -> None:
        """Receive once, store, delete. Nothing is deleted that is not durable."""
        if self._source is None:
            self._source = self._open_source(self.row.arn)
        messages = self._source.receive(most=BATCH, wait_s=wait_s)
        if not messages:
            self._note_empty()
            return
        self._hold(1)
        try:
            self._empty = 0
            if len(messages) == BATCH:
                self._flowing.set()
            kept = self._committer.commit(Taken(self.row.id, parse_batch(messages, self.row)))
            self._let_go(self._source, kept)
        finally:
            self._hold(-1)

    def _let_go(self, source: Source, kept: Kept) -> None:
        if kept.messages and (left := source.delete(kept.messages)):
            log.warning("stored, but not deleted: they will come again", extra={"arn": self.row.arn, "left": len(left)})
        if kept.error:
            raise SourceError(
                f"What came could not be stored, so it was left in the queue: {type(kept.error).__name__}. "
                "See the worker's log, and whether the database is well."
            ) from kept.error

    def _note_empty(self) -> None:
        self._flowing.clear()
        kept = self._committer.commit(Taken(self.row.id, []))
        if kept.error is None:
            self._empty += 1

    def _back_off(self, error: SourceError) -> float:
        """Write the error down for people to see; return how long to leave the source alone."""
        self._errors += 1
        self._flowing.clear()
        longest = min(LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(self._errors - 1, 10))
        pause_s = max(longest * random.uniform(0.5, 1.0), error.retry_after_s or 0.0)  # noqa: S311 - no secret
        now = self._clock.now()
        log.warning("a source errs", extra={"arn": self.row.arn, "error": str(error), "pause_s": round(pause_s, 1)})
        try:
            with write(self._engine) as session:
                note_error(session, self.row.id, str(error), now, now + timedelta(seconds=pause_s))
        except DBAPIError:
            log.exception("a source's error could not be written down", extra={"arn": self.row.arn})
        return pause_s

    def _hold(self, change: int) -> None:
        with self._hands:
            self._in_hand += change
