"""What was decided, put aside while a plan is made event by event: in memory, and beyond some in a file of no name.

So a plan of a million events needs little memory, and the database waits for no network with half a plan in it.
Edited payloads lie there as they will in the database: compressed, and sealed where there is a key.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from tempfile import SpooledTemporaryFile, gettempdir
from types import TracebackType
from typing import IO, Any, Self

from deadletter.errors import RedriveError
from deadletter.event import TargetKind, TargetRef
from deadletter.planned import PlannedItem
from deadletter.preflight import Protection
from deadletter.store.packed import pack, unpack

IN_MEMORY = 4 * 1024 * 1024
"""Bytes of each of the two, before they go to a file."""


class Aside:
    """Items and edited payloads, read in the order in which they were added."""

    def __init__(self, in_memory: int = IN_MEMORY) -> None:
        """Begin with nothing; beyond *in_memory* bytes it goes to a file, which is gone when this is closed."""
        with ExitStack() as stack:
            self._items = stack.enter_context(SpooledTemporaryFile(max_size=in_memory))
            self._edits = stack.enter_context(SpooledTemporaryFile(max_size=in_memory))
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """Throw away what was put aside."""
        self._stack.close()

    def add(self, items: Iterable[PlannedItem], payloads: Mapping[int, str]) -> None:
        """Put items aside, and edited payloads by event id.

        Raises:
            RedriveError: The disk is full.
        """
        try:
            self._items.writelines(_line(_row(item)) for item in items)
            self._edits.writelines(_line([event_id, _packed(text)]) for event_id, text in payloads.items())
        except OSError as error:
            raise RedriveError(
                f"No room to make the plan: {gettempdir()} says {error.strerror}. Make room there, set TMPDIR to a "
                "folder that has more, or plan fewer events at once."
            ) from error

    def items(self) -> Iterator[PlannedItem]:
        """Yield the items."""
        for event_id, kind, arn, skip, protection, *rest in _lines(self._items):
            target = None if kind is None else TargetRef(TargetKind(kind), arn)
            yield PlannedItem(event_id, target, skip, None if protection is None else Protection(protection), *rest)

    def edits(self) -> Iterator[tuple[int, str]]:
        """Yield event ids with their edited payloads."""
        for event_id, packed in _lines(self._edits):
            yield event_id, unpack(b64decode(packed)).decode("utf-8", "surrogatepass")


def _row(item: PlannedItem) -> list[Any]:
    target = (item.target.kind.value, item.target.arn) if item.target else (None, None)
    said = (item.skip, item.protection, item.protection_reason, item.edited, item.message_group, item.message_order)
    return [item.event_id, *target, *said]


def _packed(payload: str) -> str:
    return b64encode(pack(payload.encode("utf-8", "surrogatepass"))).decode()


def _line(values: list[Any]) -> bytes:
    return json.dumps(values).encode() + b"\n"


def _lines(file: IO[bytes]) -> Iterator[list[Any]]:
    file.seek(0)
    return (json.loads(line) for line in file)
