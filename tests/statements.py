"""Counting the statements that a page or a write takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event


@contextmanager
def counted(engine: Engine) -> Iterator[list[tuple[str, Any]]]:
    """Gather every statement that goes to the database, with its parameters, BEGIN left out."""
    gathered: list[tuple[str, Any]] = []

    def gather(*arguments: Any) -> None:
        _, _, statement, parameters, *_ = arguments
        if not statement.startswith("BEGIN"):
            gathered.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", gather)
    try:
        yield gathered
    finally:
        event.remove(engine, "before_cursor_execute", gather)
