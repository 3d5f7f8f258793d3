"""What expires when: on the overview, as a filter, on an event's page, by command."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from deadletter.ports import SourceState
from deadletter.store import write
from deadletter.store.ingest import store_messages
from deadletter.store.sources import note_collected, note_state
from tests.console.conftest import NOW
from tests.console.page import Page
from tests.factories import make_event, make_parsed, make_source

HOURS = timedelta(hours=1)


@pytest.fixture
def left(sqlite_engine: Engine) -> None:
    """Let four events be left in an observed queue, which drop at different times; a fifth is ours."""
    with write(sqlite_engine) as session:
        source = make_source(session, "orders-fulfil-dlq", mode="observe")
        note_collected(session, source.id, now=NOW, oldest_sent_at=NOW - 90 * HOURS)
        note_state(session, source.id, SourceState(depth=4, in_flight=0, retention_s=345_600), NOW)
        times = {"gone": -2, "soon": 0.5, "today": 20, "later": 100}
        parsed = [
            replace(
                make_parsed(make_event(payload_text=f'{{"order_id": "{name}"}}')), left=True, expires_at=NOW + h * HOURS
            )
            for name, h in times.items()
        ]
        ours = make_parsed(make_event(payload_text='{"order_id": "ours"}'))
        store_messages(session, source.id, [*parsed, ours], now=NOW)


@pytest.mark.usefixtures("left")
def test_the_overview_says_what_expires_when_and_links_to_it(empty: FlaskClient) -> None:
    page = Page(empty.get("/overview").text)
    assert "What expires when" in page.text
    assert {"/events?expires=1h", "/events?expires=24h", "/events?expires=7d"} <= set(page.links)
    assert "Oldest waiting in orders-fulfil-dlq" in page.text
    assert "in 6 h" in page.text


@pytest.mark.usefixtures("left")
@pytest.mark.parametrize(
    ("span", "names"), [("1h", ["soon"]), ("24h", ["soon", "today"]), ("7d", ["soon", "today", "later"])]
)
def test_the_filter_lists_what_is_lost_within_it_the_soonest_first(
    empty: FlaskClient, span: str, names: list[str]
) -> None:
    answer = empty.get(f"/events?expires={span}").text
    found = sorted((answer.index(f">{name}</a>"), name) for name in names)
    assert [name for _, name in found] == names
    for absent in {"gone", "soon", "today", "later", "ours"} - set(names):
        assert f">{absent}</a>" not in answer


@pytest.mark.usefixtures("left")
def test_the_event_says_until_when_aws_keeps_it(empty: FlaskClient) -> None:
    pages = [Page(empty.get(f"/events/{n}").text).text for n in range(1, 6)]
    said = {
        "gone": "its message: lost 2 h ago",
        "soon": "its message: lost in 30 min",
        "today": "its message: lost in 20 h",
        "later": "its message: lost in 4 d",
        "ours": "ours since then",
    }
    for name, words in said.items():
        (page,) = [page for page in pages if f"{name} in orders-capture" in page]
        assert words in page
        assert ("left where it lay" in page) is (name != "ours")


def test_where_nothing_can_be_lost_the_overview_does_not_speak_of_it(empty: FlaskClient) -> None:
    assert "What expires when" not in empty.get("/overview").text
