"""A plan that sends to a bus says on its page, and on the command line, whom it reaches before anybody confirms it."""

from __future__ import annotations

from collections.abc import Callable

from flask.testing import FlaskClient
from sqlalchemy import Engine

from console.commands.redrives import said
from deadletter.errors import LookupRefused
from tests.console.page import Page
from tests.store.redriving import show
from tests.store.test_reach import BUS, RULES, TOPIC, FakeListeners, store_orders


def planned(make_client: Callable[..., FlaskClient], engine: Engine, arn: str, listeners: FakeListeners) -> str:
    client = make_client(engine, open_listeners=lambda: listeners)
    answer = client.post("/redrives", data={"filter": "status=unresolved", "target": arn})
    assert answer.status_code == 303, Page(answer.text).text
    return client.get(answer.location).text


def test_the_page_of_a_plan_lists_the_rules_that_match_and_their_targets(
    make_client: Callable[..., FlaskClient], sqlite_engine: Engine
) -> None:
    store_orders(sqlite_engine, 3)
    text = Page(planned(make_client, sqlite_engine, BUS.arn, FakeListeners(RULES))).text
    assert "3 rules get some of the 3 events; 2 others get none" in text
    assert "all : 3 of 3 match → audit" in text
    assert "odd : 3 may match: its pattern asks for what is not known here → audit" in text
    lines = list(said(show(sqlite_engine, 1)))
    assert "    rule large (1 of 3 match): arn:aws:sqs:eu-west-1:123456789012:audit" in lines
    assert "    none of them match 2 other rules" in lines


def test_what_could_not_be_read_is_said_where_the_plan_is_confirmed(
    make_client: Callable[..., FlaskClient], sqlite_engine: Engine
) -> None:
    store_orders(sqlite_engine, 1)
    listeners = FakeListeners(error=LookupRefused("The permission events:ListRules on it is missing."))
    text = Page(planned(make_client, sqlite_engine, BUS.arn, listeners)).text
    assert "Whom it reaches could not be read, so it may be anybody. The permission events:ListRules" in text


def test_a_topics_subscribers_are_listed_and_hostile_names_are_only_text(
    make_client: Callable[..., FlaskClient], sqlite_engine: Engine
) -> None:
    store_orders(sqlite_engine, 1)
    listeners = FakeListeners()
    listeners.subscribers = lambda _arn: ["<script>x</script>"]  # type: ignore[method-assign] # one that says so
    html = planned(make_client, sqlite_engine, TOPIC.arn, listeners)
    assert "1 subscriber of the topic" in Page(html).text
    assert "<script>x" not in html
