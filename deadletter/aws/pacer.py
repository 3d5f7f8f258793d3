"""A pace for calls to AWS's control plane, which deployments need too."""

from __future__ import annotations

import time
from collections.abc import Callable

CALLS_PER_S = 5.0
"""A third of what Lambda allows all control-plane calls of an account together: 15 a second (Lambda quotas)."""


class Pacer:
    """Lets a call begin each ``1 / rate`` seconds, counts them, and knows how long it has been at it.

    *clock* returns seconds of any monotonic clock, *sleep* waits for some.
    """

    def __init__(
        self,
        rate: float = CALLS_PER_S,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._gap_s = 1 / rate
        self._clock = clock
        self._sleep = sleep
        self._began = self._next = clock()
        self.calls = 0

    @property
    def seconds(self) -> float:
        """Seconds since the pacer was made."""
        return self._clock() - self._began

    def wait(self) -> None:
        """Wait until the next call may begin, and count it."""
        self.pause(self._next - self._clock())
        self._next = self._clock() + self._gap_s
        self.calls += 1

    def pause(self, seconds: float) -> None:
        """Wait for *seconds*; not at all for none or fewer."""
        if seconds > 0:
            self._sleep(seconds)
