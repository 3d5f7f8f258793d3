"""A search reads little, however many events there are, and whatever the words are: rare, common, or of few events."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from deadletter.filters import EventFilter
from deadletter.store import hits, read, write
from deadletter.store.queries import count_events, list_events
from tests.factories import make_event, make_parsed, store_some

MANY = 20_000
MOST_ROWS = 6_000
"""Rows that a plan may read in all: far below `MANY`."""

_FILLER = " ".join(f"filler{n}:{n}" for n in range(3, 40))  # as long as an event's words are
_OTHERS = {
    "sqlite": """
        WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < :n)
        INSERT INTO search (rowid, words) SELECT 1000 + n, 'common other' FROM s
    """,
    "postgresql": f"""
        INSERT INTO search SELECT 1000 + n, CAST('common:1 other:2 {_FILLER}' AS tsvector)
        FROM generate_series(1, :n) AS n
    """,  # noqa: S608 - our own words
}


@pytest.fixture
def crowded(engine: Engine) -> Engine:
    """Three events, one of which says `singular`, under `MANY` entries of the index that are of other events."""
    with write(engine) as session:
        for word in ("singular", "common", "common"):
            store_some(session, make_parsed(make_event(error_message=f"it was {word}")))
        session.execute(text(re.sub(r":(?=\d)", r"\:", _OTHERS[engine.dialect.name])), {"n": MANY})
    with engine.begin() as connection:
        connection.execute(text("ANALYZE"))
    return engine


@contextmanager
def counted_rows(engine: Engine) -> Iterator[Callable[[], int]]:
    """Count what the database reads: rows on PostgreSQL, and on SQLite its steps, of which a row takes ten or so."""
    done: list[int] = []

    def watch(connection: Any, _cursor: Any, statement: str, given: Any, *_: Any) -> None:
        raw = connection.connection.driver_connection
        if engine.dialect.name == "sqlite":
            raw.set_progress_handler(lambda: done.append(10), 100)
        elif statement.startswith(("SELECT", "WITH")):
            explained = raw.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", given).fetchone()
            done.append(_rows(explained[0][0]["Plan"]))

    event.listen(engine, "before_cursor_execute", watch)
    yield lambda: sum(done)
    event.remove(engine, "before_cursor_execute", watch)
    if engine.dialect.name == "sqlite":
        engine.dispose()


def _rows(plan: dict[str, Any]) -> int:
    own = (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)) * plan["Actual Loops"]
    return int(own) + sum(_rows(part) for part in plan.get("Plans", ()))


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        (EventFilter(text="singular"), 1),
        (EventFilter(text="nowhere"), 0),
        (EventFilter(text="common", function="orders-capture"), 2),
        (EventFilter(text="common", group=1), 0),
    ],
    ids=["a rare word", "no word", "a common word of a function's few events", "a common word of a small group"],
)
def test_a_search_reads_little_however_many_events_there_are(crowded: Engine, chosen: EventFilter, found: int) -> None:
    with counted_rows(crowded) as rows, read(crowded) as session:
        page, total = list_events(session, chosen), count_events(session, chosen)

    assert (len(page.rows), total.n, total.exact) == (found, found, True)
    assert rows() < MOST_ROWS


def test_hits_are_paged_whichever_way_they_are_found(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hits, "NEWEST", 4)
    with write(engine) as session:
        for number in range(12):
            word = "odd" if number % 2 else "even"
            store_some(session, make_parsed(make_event(error_message=f"{word} {number}", error_type=word)))
    for few in (hits.FEW, 0):
        monkeypatch.setattr(hits, "FEW", few)
        with read(engine) as session:
            for chosen in (EventFilter(text="odd"), EventFilter(text="odd", error_type="odd")):
                seen, cursor, pages = [], None, 0
                while pages == 0 or cursor:
                    page = list_events(session, chosen, cursor=cursor, limit=2)
                    seen += [row.id for row in page.rows]
                    cursor, pages = page.next_cursor, pages + 1
                assert seen == [12, 10, 8, 6, 4, 2]
                assert count_events(session, chosen).n == 6
