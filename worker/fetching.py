"""Asking for what records leave out, while AWS still knows it: beside receiving, never in its way."""

from __future__ import annotations

import logging
from collections.abc import Callable

from sqlalchemy import Engine

from deadletter.lookup import look_up
from deadletter.parse import parse_message
from deadletter.ports import Clock, Lookups
from deadletter.store import read, write
from deadletter.store.lookups import Due, is_due, is_waiting, record, take_due

log = logging.getLogger(__name__)

REST_S = 1.0
"""How often to look for something to ask, when there is nothing."""

_BATCH = 10


class Fetcher:
    """Takes what is due, asks, and writes down what was found; several workers share the work."""

    def __init__(
        self, engine: Engine, *, open_lookups: Callable[[], Lookups], clock: Clock, stopping: Callable[[], bool]
    ) -> None:
        self._engine = engine
        self._open = open_lookups
        self._lookups: Lookups | None = None
        self._clock = clock
        self._stopping = stopping

    def turn(self) -> float:
        """Ask for what is due now."""
        with read(self._engine) as session:
            if self._stopping() or not is_due(session, self._clock.now()):
                return REST_S
        with write(self._engine) as session:
            due = take_due(session, most=_BATCH, now=self._clock.now())
        for each in due:
            if self._stopping():
                return REST_S  # it comes up again
            self._ask(each)
        return 0.0 if due else REST_S

    def _ask(self, due: Due) -> None:
        if self._lookups is None:
            self._lookups = self._open()
        event = parse_message(due.message)
        found = look_up(event, self._lookups, tries=due.tries, now=self._clock.now())
        level = logging.WARNING if found.retry_after_s else logging.INFO
        log.log(level, "looked up", extra={"event": due.event_id, "status": found.status.value, "said": found.said})
        with write(self._engine) as session:
            record(session, due.event_id, found, now=self._clock.now())

    def is_done(self) -> bool:
        """Return whether everything that can be asked now was asked."""
        with read(self._engine) as session:
            return not is_waiting(session)
