"""The helping processes of a worker: started when there is more to collect than one process carries, kept alive, ended.

One process is one core, because Python's threads share one lock. Helpers start only when a source has been flowing for
a while: a quiet night costs one process and one long poll a source.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

log = logging.getLogger(__name__)

AFTER_S = 2.0
"""How long a source flows before helpers are started."""

TELL_EVERY_S = 0.2
_LONGEST_REST_S = 30.0
_MOST_TOLD = 300
"""Ids in one line: a pipe takes up to 4,096 bytes whole or not at all."""

_WELL_AFTER_S = 60.0

Start = Callable[[], "subprocess.Popen[bytes]"]


@dataclass(slots=True)
class _Place:
    """One helper's place: its process, if it lives, and when to start the next."""

    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    not_before: float = 0.0
    deaths: int = field(default=0)


class Helpers:
    """Up to *wanted* helping processes. `turn` is called again and again by one thread.

    Args:
        wanted: How many, 0 for none.
        start: Starts one; its stdin takes our orders.
        flowing: Says which sources have more than this process carries, by id.
        after_s: How long one has to flow before there are helpers.
    """

    def __init__(
        self, wanted: int, *, start: Start, flowing: Callable[[], Collection[int]], after_s: float = AFTER_S
    ) -> None:
        self._places = [_Place() for _ in range(wanted)]
        self._start = start
        self._flowing = flowing
        self._after_s = after_s
        self._since: float | None = None
        self._needed = False

    def turn(self) -> float:
        """Start those that are needed and not there, and tell all of them which sources flow."""
        flowing, now = sorted(self._flowing()), time.monotonic()
        self._since = (self._since or now) if flowing else None
        self._needed = self._needed or (self._since is not None and now - self._since >= self._after_s)
        for place in self._places if self._needed else ():
            self._tend(place, flowing, now)
        return TELL_EVERY_S

    def stop(self) -> None:
        """Let every helper know, by the end of its orders, that it should end."""
        for place in self._places:
            _close(place.process)

    def wait(self, timeout_s: float) -> bool:
        """Wait until all have ended; kill who has not in time. Return whether all ended well. Call `stop` first."""
        deadline = time.monotonic() + timeout_s
        ended = [_ended(place.process, deadline) for place in self._places if place.process]
        return all(ended)

    def _tend(self, place: _Place, flowing: Sequence[int], now: float) -> None:
        if place.process and (code := place.process.poll()) is not None:
            self._bury(place, code, now)
        if place.process is None and now >= place.not_before:
            place.process, place.started = self._start(), now
            if place.process.stdin:
                os.set_blocking(place.process.stdin.fileno(), False)
        if place.process and place.process.stdin and not place.process.stdin.closed:
            with suppress(OSError):  # it is full (its reader is busy) or broken (the next turn sees why)
                os.write(place.process.stdin.fileno(), json.dumps(flowing[:_MOST_TOLD]).encode() + b"\n")

    def _bury(self, place: _Place, code: int, now: float) -> None:
        place.deaths = 1 if now - place.started > _WELL_AFTER_S else place.deaths + 1
        rest_s = min(_LONGEST_REST_S, 0.5 * 2.0 ** min(place.deaths - 1, 10))
        _close(place.process)
        place.process, place.not_before = None, now + rest_s
        log.warning(
            "a helping process ended, and another one starts: what it held comes again",
            extra={"exit": code, "rest_s": rest_s},
        )


def start_helper(lead: str) -> subprocess.Popen[bytes]:
    """Start a helper of the worker *lead*, with our environment and our stderr."""
    command = [sys.executable, "-m", "worker", "--helper-of", lead]
    return subprocess.Popen(command, stdin=subprocess.PIPE, bufsize=0)  # noqa: S603 - our own program


def _close(process: subprocess.Popen[bytes] | None) -> None:
    if process and process.stdin:
        with suppress(OSError):
            process.stdin.close()


def _ended(process: subprocess.Popen[bytes], deadline: float) -> bool:
    try:
        return process.wait(max(0.0, deadline - time.monotonic())) == 0
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return False
