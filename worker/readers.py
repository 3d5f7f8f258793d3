"""Who reads which source: started when a source is added, ended when it is paused or removed, changed with its mode."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from deadletter.store.rows import SourceRow
from worker.collecting import Collector
from worker.visiting import Visitor


@dataclass(slots=True)
class _Reader:
    """One source's reader, the way in which it reads, and what ends it."""

    reads: Collector | Visitor
    way: str
    stop: threading.Event = field(default_factory=threading.Event)


def way_of(row: SourceRow) -> str | None:
    """Return how a source is to be read now: `receive`, `observe`, `list`; None: not at all."""
    if row.paused_at or row.removed_at or row.kind == "push":
        return None
    return "list" if row.kind == "s3" else "observe" if row.observed else "receive"


class Readers:
    """The readers of all sources. One thread calls `follow`; `stop` may come from any.

    Args:
        receivers: Receivers a source.
        collector: Makes what empties a queue.
        visitor: Makes what visits a queue that is observed, or a prefix.
    """

    def __init__(
        self, receivers: int, *, collector: Callable[[SourceRow], Collector], visitor: Callable[[SourceRow], Visitor]
    ) -> None:
        self._receivers = receivers
        self._make: dict[str, Callable[[SourceRow], Collector | Visitor]] = {
            "receive": collector,
            "observe": visitor,
            "list": visitor,
        }
        self._readers: dict[int, _Reader] = {}
        self._stopped = False

    def follow(self, rows: Sequence[SourceRow]) -> None:
        """Let every one of *rows*, which are all sources, be read as it says, and no other."""
        ways = {row.id: way_of(row) for row in rows}
        for source_id, reader in list(self._readers.items()):
            if ways.get(source_id) != reader.way:
                reader.stop.set()
                if reader.reads.wait(0.0):
                    del self._readers[source_id]  # another may begin: this one has nothing in hand any more
        for row in rows:
            if row.id in self._readers:
                self._readers[row.id].reads.row = row
            elif (way := ways[row.id]) and not self._stopped:
                self._start(row, way)

    def stop(self) -> None:
        """Let all of them end."""
        self._stopped = True
        for reader in self._readers.copy().values():
            reader.stop.set()

    @property
    def collectors(self) -> list[Collector]:
        """Those that empty a queue."""
        return [each.reads for each in self._readers.copy().values() if isinstance(each.reads, Collector)]

    @property
    def idle(self) -> bool:
        """Whether none has anything to do."""
        return all(reader.reads.idle or reader.stop.is_set() for reader in self._readers.values())

    @property
    def errs(self) -> bool:
        """Whether a source's last try ended in an error."""
        return any(reader.reads.errs for reader in self._readers.values())

    @property
    def waits(self) -> list[Callable[[float], bool]]:
        """What waits for each of them to end, for so many seconds."""
        return [reader.reads.wait for reader in self._readers.values()]

    def _start(self, row: SourceRow, way: str) -> None:
        reader = _Reader(self._make[way](row), way)
        self._readers[row.id] = reader
        reader.reads.start(self._receivers, reader.stop)
        if self._stopped:  # `stop` came meanwhile
            reader.stop.set()
