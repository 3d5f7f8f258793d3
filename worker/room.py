"""How much a worker may hold in memory: who has no room waits, and what waits stays safe in its queue."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence

from deadletter.event import ReceivedMessage

MOST_BYTES = 64 * 1024 * 1024
"""Bytes of messages that one process holds; parsed, on their way to the database, they take about three times that."""

_SHARE = 2
_OVERHEAD = 2_000


class Room:
    """What is received and not deleted yet, in bytes, by source.

    No source may have more than half of it, so that one whose deletions hang does not starve the others; and a source
    that holds nothing may always receive once.
    """

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._most = most
        self._held: Counter[int] = Counter()
        self._changed = threading.Condition()

    def wait(self, source_id: int, timeout_s: float) -> bool:
        """Wait until a source may receive; return whether it may."""
        with self._changed:
            return self._changed.wait_for(lambda: self._is_free(source_id), timeout_s)

    def take(self, source_id: int, messages: Sequence[ReceivedMessage]) -> None:
        """Note what came."""
        with self._changed:
            self._held[source_id] += _size(messages)

    def give(self, source_id: int, messages: Sequence[ReceivedMessage]) -> None:
        """Note what is held no more."""
        with self._changed:
            self._held[source_id] -= _size(messages)
            self._changed.notify_all()

    def _is_free(self, source_id: int) -> bool:
        own = self._held[source_id]
        return own <= 0 or (own < self._most // _SHARE and self._held.total() < self._most)


def _size(messages: Sequence[ReceivedMessage]) -> int:
    return sum(len(message.body) + _OVERHEAD for message in messages)
