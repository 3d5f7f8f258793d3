"""Text search: as the events page asks for it, against looking through every event with LIKE."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator

from sqlalchemy import Engine, text

from bench.rows import Row, under
from bench.seeding import WORDS
from bench.sizes import Size
from deadletter.filters import EventFilter
from deadletter.settings import Settings
from deadletter.store import read
from deadletter.store.queries import list_events

MOST_MS = 20.0
MOST_IN_LARGEST_MS = 50.0


def looks(name: str, _settings: Settings, engine: Engine, size: Size) -> Iterator[list[Row]]:
    """Search at every size; say at the end what it takes at the largest."""
    took: dict[str, list[float]] = {}
    for events in size.events:
        for words, chosen in _searches(engine).items():
            took.setdefault(words, []).append(_p50_ms(_search(engine, chosen), size.looks))
        if events != size.events[-1]:
            yield []
    scan_ms = _p50_ms(lambda: _scan(engine), 3)
    yield [_row(name, words, each, size, scan_ms) for words, each in took.items()]


def _searches(engine: Engine) -> dict[str, EventFilter]:
    query = "SELECT group_id FROM group_sources WHERE n > 0 ORDER BY n {}, group_id LIMIT 1"
    with engine.connect() as connection:
        largest, smallest = (connection.scalar(text(query.format(order))) for order in ("DESC", "ASC"))
        last = connection.scalar(text("SELECT max(id) FROM events"))
    common = WORDS[0]
    return {
        "a rare word": EventFilter(text=f"copy{last}"),
        "a word in every 11th event": EventFilter(text=common),
        "a word in every event": EventFilter(text="inventory"),
        "no event's word": EventFilter(text="nowhere"),
        "the beginning of a word": EventFilter(text=common[:3]),
        "an id of two words": EventFilter(text="ord-77"),
        "two common words": EventFilter(text=f"refused {common}"),
        "a common word in the largest group": EventFilter(text=common, group=largest),
        "a common word in the smallest group": EventFilter(text=common, group=smallest),
    }


def _search(engine: Engine, chosen: EventFilter) -> Callable[[], object]:
    def search() -> None:
        with read(engine) as session:
            list_events(session, chosen)

    return search


def _scan(engine: Engine) -> None:
    query = text("SELECT id FROM events WHERE error_message LIKE '%nowhere%' ORDER BY id DESC LIMIT 51")
    with engine.connect() as connection:
        connection.execute(query).all()


def _p50_ms(act: Callable[[], object], times: int) -> float:
    act()
    return statistics.median(_ms(act) for _ in range(times))


def _ms(act: Callable[[], object]) -> float:
    at = time.perf_counter()
    act()
    return (time.perf_counter() - at) * 1000


def _row(database: str, words: str, took: list[float], size: Size, scan_ms: float) -> Row:
    bar = MOST_IN_LARGEST_MS if "group" in words else MOST_MS
    said = ", ".join(f"{events:,}: {ms:.1f}" for events, ms in zip(size.events, took, strict=True))
    name = f"search for {words}, {database}, p50 at {size.events[-1]:,}"
    return under(bar, name, took[-1], "ms", f"ms at {said}; LIKE takes {scan_ms:.0f}")
