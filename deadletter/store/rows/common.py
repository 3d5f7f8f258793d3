"""What every list has: a page of rows, a count, and counts by status."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows, and the opaque cursor of the next page (None on the last)."""

    rows: Sequence[T]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """How many; `exact` is False when counting stopped at a limit ("1,000+")."""

    n: int
    exact: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusCounts:
    """Events by status."""

    unresolved: int = 0
    redriving: int = 0
    resolved: int = 0
    archived: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.unresolved + self.redriving + self.resolved + self.archived
