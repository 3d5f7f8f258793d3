"""Pages read indexes and counters: as many statements for much as for little, and never the whole of the events."""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import combinations, product
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from deadletter.errors import BadInput, NotFound
from deadletter.event import Producer
from deadletter.filters import EventFilter
from deadletter.outcome import EventStatus
from deadletter.store import read, write
from deadletter.store.check import recount
from deadletter.store.ingest import store_messages
from deadletter.store.queries import (
    archive_events,
    count_events,
    count_groups,
    facets,
    get_event,
    get_group,
    group_hours,
    iter_events,
    list_events,
    list_groups,
    list_workers,
    overall_hours,
    report_facts,
    status_counts,
    unarchive_events,
)
from deadletter.store.rows import EventRow
from deadletter.store.sources import list_sources
from tests.factories import ACCOUNT, ADA, NOW, make_parsed, make_source
from tests.statements import counted

HOURS = timedelta(hours=1)


def fill(session: Session, n: int, *, seed: int = 1) -> None:
    """Store *n* failures of four functions with five errors over three days, from two sources; archive a third."""
    chance = random.Random(seed)  # noqa: S311 - test data
    sources = [make_source(session, name).id for name in ("orders-dlq", "billing-dlq")]
    for source_id in sources:
        batch = [
            make_parsed(
                producer=chance.choice([Producer.LAMBDA_DESTINATION, Producer.LAMBDA_ASYNC_DLQ]),
                function_arn=ACCOUNT.format("lambda", f"function:shop-{chance.randrange(4)}"),
                error_type=f"Error{chance.randrange(5)}",
                error_message=chance.choice(["card was declined", "no answer"]),
                occurred_at=NOW - timedelta(minutes=chance.randrange(3 * 24 * 60)),
            )
            for _ in range(n // 2)
        ]
        batch[::5] = [replace(each, expires_at=NOW + n * timedelta(hours=1)) for n, each in enumerate(batch[::5])]
        store_messages(session, source_id, batch, now=NOW)
    archive_events(session, [row.id for row in list_events(session, EventFilter(), limit=n // 3).rows], by=ADA, now=NOW)


PARTS: dict[str, Any] = {
    "status": EventStatus.UNRESOLVED,
    "group": 2,
    "groups": (1, 3, 4),
    "source": 2,
    "function": "shop-1",
    "error_type": "Error3",
    "producer": Producer.LAMBDA_ASYNC_DLQ,
    "since": NOW - timedelta(hours=30),
    "until": NOW - timedelta(hours=6),
    "text": "declined",
    "expires": (NOW, NOW + timedelta(hours=5)),
}
FILTERS = [EventFilter(), *(EventFilter(**{a: PARTS[a], b: PARTS[b]}) for a, b in combinations(PARTS, 2))]
FILTERS += [EventFilter(**{name: value}) for name, value in PARTS.items()]


def means(chosen: EventFilter, row: EventRow) -> bool:
    """Say by hand whether *chosen* lets *row* through."""
    checks = {
        "status": row.status == chosen.status,
        "group": row.group_id == chosen.group,
        "groups": row.group_id in (chosen.groups or ()),
        "source": row.source_id == chosen.source,
        "function": row.function_name == chosen.function,
        "error_type": row.error_type == chosen.error_type,
        "producer": row.producer == chosen.producer,
        "since": chosen.since is None or row.occurred_at >= chosen.since,
        "until": chosen.until is None or row.occurred_at < chosen.until,
        "text": (chosen.text or "") in (row.error_message or ""),
        "expires": bool(chosen.expires and row.expires_at and chosen.expires[0] <= row.expires_at < chosen.expires[1]),
    }
    return all(met for name, met in checks.items() if getattr(chosen, name) is not None)


@pytest.fixture
def shelf(engine: Engine) -> Engine:
    with write(engine) as session:
        fill(session, 240)
    return engine


def test_filters_combine_and_pages_hold_every_event_once_in_order(shelf: Engine) -> None:
    with read(shelf) as session:
        everything = list_events(session, EventFilter(), limit=1_000).rows
        for chosen in FILTERS:
            expected = {row.id for row in everything if means(chosen, row)}
            paged = page_through(lambda cursor, chosen=chosen: list_events(session, chosen, cursor=cursor, limit=37))
            assert [row.id for row in paged if row.id not in expected] == [], chosen
            assert len(paged) == len(expected), chosen
            assert {row.id for row in iter_events(session, chosen)} == expected, chosen
            assert count_events(session, chosen).n == len(expected), chosen
        assert [row.occurred_at for row in everything] == sorted((row.occurred_at for row in everything), reverse=True)


def page_through(read_page: Callable[[str | None], Any]) -> list[Any]:
    page = read_page(None)
    rows = list(page.rows)
    while page.next_cursor:
        page = read_page(page.next_cursor)
        rows += page.rows
    return rows


def test_groups_are_paged_by_every_order(shelf: Engine) -> None:
    with read(shelf) as session:
        for sort, key in (
            ("last_seen", lambda row: row.last_seen),
            ("first_seen", lambda row: row.first_seen),
            ("events", lambda row: row.counts.total),
        ):
            rows = page_through(
                lambda cursor, sort=sort: list_groups(
                    session, EventFilter(), sort=sort, cursor=cursor, limit=7, now=NOW
                )
            )
            assert len({row.id for row in rows}) == len(rows) == sum(count_groups(session, EventFilter()).values())
            assert [key(row) for row in rows] == sorted((key(row) for row in rows), reverse=True)


def test_a_group_is_listed_when_it_has_such_events(shelf: Engine) -> None:
    with read(shelf) as session:
        everything = list_events(session, EventFilter(), limit=1_000).rows
        for name in ("group", "groups", "source", "function", "error_type", "producer", "text", "expires"):
            chosen = EventFilter(**{name: PARTS[name]})
            listed = {row.id for row in list_groups(session, chosen, limit=1_000, now=NOW).rows}
            assert listed == {row.group_id for row in everything if means(chosen, row)}, chosen
            assert sum(count_groups(session, chosen).values()) == len(listed)


def test_a_group_is_within_a_time_when_it_failed_in_it(shelf: Engine) -> None:
    chosen = EventFilter(since=NOW - 5 * HOURS, until=NOW - 4 * HOURS)
    with read(shelf) as session:
        failed = {row.group_id for row in list_events(session, chosen, limit=1_000).rows}
        assert {row.id for row in list_groups(session, chosen, limit=1_000, now=NOW).rows} == failed != set()


def test_what_stands_above_the_lists_adds_up(shelf: Engine) -> None:
    with read(shelf) as session:
        totals = status_counts(session)
        assert (totals.total, totals.archived) == (240, 80)
        assert sum(n for _, n in overall_hours(session, NOW - timedelta(days=4), NOW)) == 240
        found = facets(session)
        assert sum(n for _, n in found.functions) == sum(n for _, n in found.error_types) == totals.unresolved
        assert [name for _, name in found.sources] == ["orders-dlq", "billing-dlq"]
        group = list_groups(session, EventFilter(), sort="events", now=NOW).rows[0]
        hours = group_hours(session, group.id, NOW - timedelta(days=4), NOW)
        assert sum(n for _, n in hours) == sum(group.spark) == group.counts.total


def test_archived_events_come_back(shelf: Engine) -> None:
    with write(shelf) as session:
        before = status_counts(session)
        n = archive_events(session, EventFilter(function="shop-1"), by=ADA, now=NOW)
        assert status_counts(session).archived == before.archived + n
        assert n > 0
        assert unarchive_events(session, EventFilter(), by=ADA, now=NOW) == before.archived + n
        assert status_counts(session).unresolved == before.total
        assert recount(session) == []


READS: dict[str, Callable[[Session, EventFilter], Any]] = {
    "events": list_events,
    "next events": lambda session, chosen: list_events(session, chosen, cursor=second_page(session, chosen)),
    "count": count_events,
    "groups": lambda session, chosen: list_groups(session, chosen, now=NOW),
    "groups by events": lambda session, chosen: list_groups(session, chosen, sort="events", now=NOW),
    "groups by first": lambda session, chosen: list_groups(session, chosen, sort="first_seen", now=NOW),
    "chips": count_groups,
    "report": lambda session, chosen: report_facts(session, within(chosen), now=NOW),
}
PLAIN: dict[str, Callable[[Session, EventFilter], Any]] = {
    "group": lambda session, _: get_group(session, 1, now=NOW),
    "group's hours": lambda session, _: group_hours(session, 1, NOW - 168 * HOURS, NOW),
    "event": lambda session, _: get_event(session, 1),
    "totals": lambda session, _: status_counts(session),
    "chart": lambda session, _: overall_hours(session, NOW - 168 * HOURS, NOW),
    "facets": lambda session, _: facets(session),
    "sources": lambda session, _: list_sources(session, now=NOW),
    "workers": lambda session, _: list_workers(session),
}
"""What no filter narrows."""


def within(chosen: EventFilter) -> EventFilter:
    return chosen.with_(since=chosen.since or NOW - 200 * HOURS, until=chosen.until or NOW)


def second_page(session: Session, chosen: EventFilter) -> str | None:
    return list_events(session, chosen, limit=2).next_cursor


def test_no_page_scans_the_events(sqlite_engine: Engine) -> None:
    with write(sqlite_engine) as session:
        fill(session, 600)
    with read(sqlite_engine) as session:
        for name, chosen in [*product(READS, FILTERS), *product(PLAIN, [EventFilter()])]:
            with counted(sqlite_engine) as statements:
                (READS | PLAIN)[name](session, chosen)
            for statement, parameters in statements:
                plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
                scans = [row.detail for row in plan if row.detail.startswith(("SCAN events", "SCAN records"))]
                assert scans == [], (name, chosen, statement)


def test_a_page_takes_as_many_statements_for_much_as_for_little(engine: Engine) -> None:
    def statements(name: str) -> int:
        with read(engine) as session, counted(engine) as gathered:
            (READS | PLAIN)[name](session, EventFilter())
        return len(gathered)

    with write(engine) as session:
        fill(session, 200, seed=1)
    little = {name: statements(name) for name in READS | PLAIN}
    with write(engine) as session:
        fill(session, 600, seed=2)
    assert {name: statements(name) for name in READS | PLAIN} == little


@pytest.mark.parametrize(
    "cursor", ["x", "", "é", "WzFd", "bnVsbA", "W10", "[" * 5_000, "eyJhIjoxfQ", "WyJvY2N1cnJlZCIsMSwidHJ1ZSJd"]
)
def test_a_cursor_that_nobody_gave_out_is_refused(session: Session, cursor: str) -> None:
    for read_page in (list_events, list_groups):
        now = {"now": NOW} if read_page is list_groups else {}
        with pytest.raises(BadInput, match="Start again from its first page"):
            read_page(session, EventFilter(), cursor=cursor, **now)


def test_a_cursor_of_another_order_is_refused(session: Session) -> None:
    fill(session, 60)
    cursor = list_groups(session, EventFilter(), limit=1, now=NOW).next_cursor
    with pytest.raises(BadInput, match="not a page of this list"):
        list_groups(session, EventFilter(), sort="events", cursor=cursor, now=NOW)


def test_what_is_not_there_says_so(session: Session) -> None:
    with pytest.raises(NotFound, match="no event 4711"):
        get_event(session, 4711)
    with pytest.raises(NotFound, match="no group 4711"):
        get_group(session, 4711, now=NOW)


def test_counting_stops_at_the_cap_and_says_so(session: Session) -> None:
    fill(session, 240)
    capped = count_events(session, EventFilter(since=NOW - 200 * HOURS), cap=100)
    assert (capped.n, capped.exact) == (100, False)
    exact = count_events(session, EventFilter(status=EventStatus.ARCHIVED), cap=10)
    assert (exact.n, exact.exact) == (80, True)
