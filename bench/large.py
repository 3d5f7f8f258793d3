"""What depends on how many events there are, on databases that grow in between; `PARTS` says what is looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from sqlalchemy import Engine

from bench import bulk, exports, pages, plans, search, seeding
from bench.databases import databases
from bench.rows import Row
from bench.sizes import Size
from deadletter.settings import Settings, SignIn

Part = Callable[[str, Settings, Engine, Size], Iterator[list[Row]]]
"""Looks at a database each time that it is resumed, smallest first; yields what it can say by then."""

PARTS: dict[str, Part] = {
    "pages": pages.looks,
    "search": search.looks,
    "plan": plans.looks,
    "export": exports.looks,
    "bulk": bulk.looks,
}


def measure(size: Size, parts: Sequence[str]) -> Iterator[Row]:
    """Yield the rows of *parts* (names of `PARTS`), on both databases."""
    with databases() as found:
        for name, settings in found.items():
            own = replace(settings, sign_in=SignIn.OFF, data_dir=settings.data_dir / "large")
            engine = seeding.first(own)
            looking = [PARTS[part](name, own, engine, size) for part in parts]
            for events in size.events:
                seeding.grow(engine, events)
                yield from (row for part in looking for row in next(part))
            seeding.check(engine)
            engine.dispose()
