"""Threads that go on: whatever goes wrong in one turn is logged, and the next turn comes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime

log = logging.getLogger(__name__)

AFTER_ERROR_S = 1.0
"""How long a thread rests after a turn that went wrong."""


class SystemClock:
    """The real time."""

    def now(self) -> datetime:
        """Return the time now: aware, UTC."""
        return datetime.now(UTC)


def keep_doing(turn: Callable[[], float], *, name: str, until: threading.Event) -> threading.Thread:
    """Start a thread that calls *turn* until told to stop; *turn* returns how many seconds to rest before the next.

    It is a daemon: a call that does not come back must not keep the process from ending.
    """

    def run() -> None:
        while not until.is_set():
            try:
                rest_s = turn()
            except Exception:
                log.exception("a turn went wrong", extra={"doing": name})
                rest_s = AFTER_ERROR_S
            if rest_s:
                until.wait(rest_s)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    return thread
