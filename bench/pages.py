"""Every page: its SQL, and the whole of it, as the database grows; against naive SQL, and against pre-fetched rows.

A page's SQL is what it asks the database, caught once and then sent again by the driver alone, all rows fetched.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from flask import Flask, template_rendered
from flask.testing import FlaskClient
from jinja2 import Template
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from bench.rounds import in_turn
from bench.rows import Row, at_least, at_most, under
from bench.sizes import Size
from console.app import create_app
from deadletter.filters import EventFilter
from deadletter.settings import Settings
from deadletter.store import read
from deadletter.store.cursors import write_cursor
from deadletter.store.queries import list_events, list_groups
from tests.statements import counted

MOST_SQL_MS = 20.0
MOST_GROWTH = 2.0
LEAST_OF_PREFETCHED = 0.7
LEAST_TIMES_NAIVE = 50
FLOOR_MS = 1.0
"""What takes less counts as this much when it comes to growth: below it is the machine's noise."""

Asked = Sequence[tuple[str, Any]]


@dataclass
class _Look:
    """What one page took at one size, in milliseconds: its SQL, and all of it."""

    sql: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)


def looks(name: str, settings: Settings, engine: Engine, size: Size) -> Iterator[list[Row]]:
    """Look at every page each time; say at the end how they grew."""
    app = create_app(settings, engine)
    seen: dict[str, dict[int, _Look]] = {}
    for events in size.events:
        paths = _paths(engine)
        for page, path in paths.items():
            seen.setdefault(page, {})[events] = _look(app, engine, path, size.looks)
        if events != size.events[-1]:
            yield []
    rows = [row for page, by_size in seen.items() for row in _grown(name, page, by_size)]
    rows += [_prefetched(app, name, page, paths[page], size.rounds) for page in ("groups", "events")]
    yield rows + (_naive(name, engine) if size.events[-1] >= 1_000_000 else [])  # noqa: PLR2004 - as the bar says


def _paths(engine: Engine) -> dict[str, str]:
    """Return the address of every page that shows events, or counts them, by a name."""
    with engine.connect() as connection:
        largest = connection.scalar(text("SELECT group_id FROM group_sources ORDER BY n DESC, group_id LIMIT 1"))
        n, last = connection.execute(text("SELECT count(*), max(id) FROM events")).one()
        function = connection.scalar(text("SELECT function_name FROM groups WHERE id = :id"), {"id": largest})
    with read(engine) as session:
        middle = list_events(session, EventFilter(), cursor=_middle(engine, n // 2), limit=1).next_cursor
    return {
        "overview": "/overview",
        "groups": "/groups",
        "groups, every status": "/groups?status=all",
        "groups by events": "/groups?sort=events",
        "groups of a function, 24 h": f"/groups?function={function}&since=24h",
        "largest group": f"/groups/{largest}",
        "events": "/events",
        "events, deep": f"/events?cursor={middle}",
        "events of a status": "/events?status=archived",
        "events of a function and error": f"/events?function={function}&error_type=Refused0&since=7d",
        "events of the largest group, resolved": f"/events?group={largest}&status=resolved",
        "events of a source, 24 h": "/events?source=1&since=24h",
        "events with a common word": "/events?text=amber",
        "events with a rare word": f"/events?text=copy{last}",
        "one event": f"/events/{last}",
        "redrives": "/redrives",
        "sources": "/sources",
        "report of 24 h": "/reports?since=24h",
    }


def _middle(engine: Engine, offset: int) -> str:
    """Return the cursor of the page in the middle of the list."""
    query = text("SELECT occurred_at, id FROM events ORDER BY occurred_at DESC, id DESC LIMIT 1 OFFSET :n")
    with engine.connect() as connection:
        at, event_id = connection.execute(query, {"n": offset}).one()
    return write_cursor("occurred", (at, event_id))


def _look(app: Flask, engine: Engine, path: str, times: int) -> _Look:
    client, look = app.test_client(), _Look()
    _get(client, path)  # what is compiled and cached once
    with counted(engine) as asked:
        _get(client, path)
    for _ in range(times):
        look.whole.append(_ms(lambda: _get(client, path)))
    replay = _replay(engine, [(statement, given) for statement, given in asked])
    look.sql += [_ms(replay) for _ in range(times)]
    return look


def _get(client: FlaskClient, path: str) -> bytes:
    answer = client.get(path)
    if answer.status_code != 200:  # noqa: PLR2004 - HTTP's
        raise RuntimeError(f"{path} answers {answer.status}.")
    return answer.get_data()


def _replay(engine: Engine, asked: Asked) -> Callable[[], None]:
    def replay() -> None:
        connection = engine.raw_connection()
        try:
            cursor = connection.cursor()
            for statement, given in asked:
                cursor.execute(statement, given)
                if cursor.description:
                    cursor.fetchall()
            connection.rollback()
        finally:
            connection.close()

    return replay


def _ms(act: Callable[[], object]) -> float:
    at = time.perf_counter()
    act()
    return (time.perf_counter() - at) * 1000


def _p(values: Sequence[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def _grown(database: str, page: str, by_size: dict[int, _Look]) -> list[Row]:
    said = ", ".join(
        f"{events:,}: SQL {_p(look.sql, 50):.1f}/{_p(look.sql, 95):.1f}, "
        f"page {_p(look.whole, 50):.0f}/{_p(look.whole, 95):.0f}"
        for events, look in by_size.items()
    )
    *_, (smaller, before), (larger, after) = by_size.items()
    growth = max(_p(after.sql, 50), FLOOR_MS) / max(_p(before.sql, 50), FLOOR_MS)
    return [
        under(
            MOST_SQL_MS,
            f"{page}, {database}, SQL p50 at {larger:,}",
            _p(after.sql, 50),
            "ms",
            f"p50/p95 in ms at {said}",
        ),
        at_most(
            MOST_GROWTH, f"{page}, {database}, growth {smaller:,} to {larger:,}", growth, "times", "of its SQL's p50"
        ),
    ]


def _prefetched(app: Flask, database: str, page: str, path: str, rounds: int) -> Row:
    """Compare a page with the same page whose rows and facts are there already."""
    client, caught = app.test_client(), []

    def catch(_app: Flask, template: Template, context: dict[str, Any], **_: object) -> None:
        caught.append((template, context))

    with template_rendered.connected_to(catch, app):
        _get(client, path)
    template, context = caught[0]
    again = create_app(app.extensions["redrive"].settings, app.extensions["redrive"].engine)
    view = app.url_map.bind("").match(path)[0]
    again.view_functions[view] = lambda: template.render(context)
    fetched = again.test_client()
    times = 10
    found = in_turn(
        {
            "page": lambda: 1000 * times / sum(_ms(lambda: _get(client, path)) for _ in range(times)),
            "pre-fetched": lambda: 1000 * times / sum(_ms(lambda: _get(fetched, path)) for _ in range(times)),
        },
        rounds=rounds,
    )
    name = f"{page} page / the same pre-fetched, {database}"
    return at_least(
        LEAST_OF_PREFETCHED, name, found.ratio("page", "pre-fetched"), note=found.note("page", "pre-fetched")
    )


def _naive(database: str, engine: Engine) -> list[Row]:
    """Compare the SQL of two lists with how it is written without rollups and cursors."""
    now = datetime.now(UTC)
    cursor = _middle(engine, _NAIVE_OFFSET)
    pairs: dict[str, tuple[Callable[[Session], object], Asked]] = {
        "groups / GROUP BY over the events": (
            lambda session: list_groups(session, EventFilter(), now=now),
            _NAIVE_GROUPS,
        ),
        "events, deep / OFFSET": (lambda session: list_events(session, EventFilter(), cursor=cursor), _NAIVE_PAGE),
    }
    rows = []
    for name, (page, naive) in pairs.items():
        with counted(engine) as asked, read(engine) as session:
            page(session)
        replay = _replay(engine, [(statement, given) for statement, given in asked])
        ours_ms = statistics.median(_ms(replay) for _ in range(20))
        naive_ms = statistics.median(_ms(_replay(engine, naive)) for _ in range(3))
        note = f"{ours_ms:.1f} against {naive_ms:,.0f} ms"
        rows.append(at_least(LEAST_TIMES_NAIVE, f"{name}, {database}", naive_ms / ours_ms, "times", note))
    return rows


_NAIVE_OFFSET = 500_000
_GROUPS = """
    SELECT group_id, count(*) AS n, min(occurred_at) AS first_seen, max(last_failed_at) AS last_seen,
        count(CASE WHEN status = 'unresolved' THEN 1 END) AS open
    FROM events GROUP BY group_id ORDER BY last_seen DESC LIMIT 51
"""
_POINTS = f"""
    SELECT group_id, occurred_at / 14400000000 AS point, count(*) FROM events
    WHERE group_id IN (SELECT group_id FROM ({_GROUPS}) AS shown) GROUP BY group_id, point
"""  # noqa: S608 - our own
_NAIVE_GROUPS: Asked = [(_GROUPS, ()), (_POINTS, ())]
_PAGE = f"""
    SELECT e.*, g.title, s.arn FROM events AS e JOIN groups AS g ON g.id = e.group_id
    JOIN sources AS s ON s.id = e.source_id ORDER BY e.occurred_at DESC, e.id DESC LIMIT 51 OFFSET {_NAIVE_OFFSET}
"""  # noqa: S608 - our own
_NAIVE_PAGE: Asked = [(_PAGE, ())]
