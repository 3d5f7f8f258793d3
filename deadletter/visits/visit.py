"""What every visit has in common."""

from __future__ import annotations

from typing import Protocol

from deadletter.collect import Kept
from deadletter.errors import SourceError
from deadletter.store.rows import SourceRow


class Visit(Protocol):
    """A way to read one source, a piece at a time."""

    complete: bool
    """Whether everything that lay there has been looked at, at least once, and no more is known to wait."""

    def turn(self, row: SourceRow) -> float:
        """Read a piece of the source that *row* describes now; return how many seconds to stay away.

        Raises:
            SourceError: It cannot be read now, or not all of it.
        """
        ...


def check_kept(kept: Kept) -> None:
    """Raise what kept messages from being stored, as a sentence about the source."""
    if kept.error:
        raise SourceError(
            f"What came could not be stored, so it was left where it lies: {type(kept.error).__name__}. "
            "See the worker's log, and whether the database is well."
        ) from kept.error
