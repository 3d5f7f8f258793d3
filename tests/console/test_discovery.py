"""The Discovery page: asked for by a form, read by a worker, drawn over the sources as they are now."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from deadletter.aws.discovery import Scan
from deadletter.discovery.account import Account, Function, Queue, SourceMapping
from deadletter.ports import Clock
from deadletter.scouting import Scout
from deadletter.settings import Settings
from deadletter.store import read, write
from deadletter.store.redrives.workers import heartbeat
from deadletter.store.sources import list_sources, list_sources_with_senders
from tests.console.conftest import NOW
from tests.console.page import Page

WHERE = "eu-west-1:123456789012"
CAPTURE, A, B, ALONE = (f"arn:aws:lambda:{WHERE}:function:{name}" for name in ("capture", "a", "b", "alone"))
DLQ, SHARED, BY_ROLE, ORDERS = (f"arn:aws:sqs:{WHERE}:{name}" for name in ("capture-dlq", "shared", "roles", "orders"))
ACCOUNT = Account(
    functions=(
        Function(arn=CAPTURE, dead_letter_arn=DLQ),
        Function(arn=A, dead_letter_arn=SHARED),
        Function(arn=B, dead_letter_arn=SHARED),
        Function(arn=f"{A}-1", dead_letter_arn=BY_ROLE, role_id="AROA1"),
        Function(arn=f"{B}-1", dead_letter_arn=BY_ROLE, role_id="AROA2"),
        Function(arn=ALONE),
    ),
    queues=(Queue(arn=ORDERS),),
    mappings=(SourceMapping(uuid="m", function_arn=CAPTURE, source_arn=ORDERS),),
)
REFUSED = "pipes:ListPipes was refused once, which hides every pipe with its dead-letter queue. (AWS: no)"

Discover = Callable[[], None]


class Clocked(Clock):
    def now(self):  # type: ignore[no-untyped-def]  # noqa: ANN201 - a test's clock
        return NOW


@pytest.fixture
def discovered(empty: FlaskClient, sqlite_engine: Engine) -> FlaskClient:
    """A console after the account was read once."""
    assert empty.post("/discovery").status_code == 303

    def scan(_region: str, **_given: object) -> Scan:
        return Scan(ACCOUNT, (REFUSED,), 12, 2.4)

    assert Scout(sqlite_engine, Settings(), "w-1", Clocked(), lambda: False, scan).turn()
    return empty


def sources(engine: Engine) -> dict[str, str | None]:
    with read(engine) as session:
        return {source.arn: source.target_arn for source in list_sources(session, now=NOW)}


def test_before_the_first_reading_the_page_says_what_reading_does(empty: FlaskClient) -> None:
    page = Page(empty.get("/discovery").text)
    assert "The account was not read yet" in page.text
    assert "at most 5 calls a second" in page.text


def test_a_reading_that_nobody_carries_out_says_so_and_polls(empty: FlaskClient, sqlite_engine: Engine) -> None:
    assert empty.post("/discovery").headers["Location"] == "/discovery"
    page = Page(empty.get("/discovery").text)
    assert "No worker is running" in page.text
    assert page.all("section", id="progress")[0]["hx-trigger"].startswith("load delay:2s")
    assert "disabled" in page.all("button")[0]

    with write(sqlite_engine) as session:
        heartbeat(session, "w-1", started_at=NOW - timedelta(minutes=1), now=NOW, doing="")
    assert "Waiting for a worker" in Page(empty.get("/discovery/progress").text).text


def test_when_it_has_ended_the_fragment_fetches_the_page_and_stops(discovered: FlaskClient) -> None:
    (last,) = Page(discovered.get("/discovery/progress").text).all("section", id="progress")
    assert (last["hx-get"], last["hx-trigger"], last["hx-target"]) == ("/discovery", "load", "#main")
    assert "hx-get" not in Page(discovered.get("/discovery").text).all("section", id="progress")[0]


def test_the_page_shows_places_gaps_with_advice_and_what_was_refused(discovered: FlaskClient) -> None:
    text = Page(discovered.get("/discovery").text).text
    assert "6 functions and 1 queue, read by 12 calls in 2 s: 3 places where failures land, 2 gaps" in text
    assert "lambda-async-dlq capture" in text
    assert "by SenderId" in text
    assert "The queue orders has no redrive policy." in text
    assert "Give the queue a redrive policy" in text
    assert "The function alone has neither" in text
    assert REFUSED in text


def test_a_place_is_registered_by_one_click(discovered: FlaskClient, sqlite_engine: Engine) -> None:
    assert discovered.post("/discovery/register", data={"arn": DLQ}).status_code == 303
    assert sources(sqlite_engine) == {DLQ: CAPTURE}
    assert "registered" in Page(discovered.get("/discovery").text).text


def test_all_that_is_clear_is_registered_by_one_click(discovered: FlaskClient, sqlite_engine: Engine) -> None:
    assert "Register 1 clear place" in Page(discovered.get("/discovery").text).text
    discovered.post("/discovery/register")
    assert sources(sqlite_engine) == {DLQ: CAPTURE}


def test_where_nothing_tells_the_consumer_a_person_chooses_it(discovered: FlaskClient, sqlite_engine: Engine) -> None:
    refused = discovered.post("/discovery/register", data={"arn": SHARED, "target": ""})
    assert refused.status_code == 422
    assert "Say where the events of shared go" in Page(refused.text).text
    options = Page(discovered.get("/discovery").text).all("option")
    assert {A, B} <= {option.get("value") for option in options}

    assert discovered.post("/discovery/register", data={"arn": SHARED, "target": B}).status_code == 303
    assert sources(sqlite_engine) == {SHARED: B}


def test_where_roles_tell_the_consumer_nobody_is_asked(discovered: FlaskClient, sqlite_engine: Engine) -> None:
    assert discovered.post("/discovery/register", data={"arn": BY_ROLE}).status_code == 303
    with read(sqlite_engine) as session:
        (source,) = list_sources_with_senders(session, now=NOW)
    assert (source.target_arn, source.senders) == (None, {"AROA1": f"{A}-1", "AROA2": f"{B}-1"})


def test_a_place_that_is_not_on_the_map_is_409(discovered: FlaskClient, sqlite_engine: Engine) -> None:
    assert discovered.post("/discovery/register", data={"arn": ORDERS}).status_code == 409
    assert sources(sqlite_engine) == {}


def test_a_reading_older_than_a_week_is_said_as_a_warning(
    discovered: FlaskClient, make_client: Callable[..., FlaskClient], sqlite_engine: Engine
) -> None:
    assert not Page(discovered.get("/discovery").text).all("span", **{"class": "state warn"})[1:]
    later = make_client(sqlite_engine)
    later.application.extensions["redrive"] = type(later.application.extensions["redrive"])(
        later.application.extensions["redrive"].settings, sqlite_engine, lambda: NOW + timedelta(days=8)
    )
    assert "8 d ago" in Page(later.get("/discovery").text).text


def test_a_program_registers_off_the_map_as_the_page_does(discovered: FlaskClient, sqlite_engine: Engine) -> None:
    address = "/api/v1/discovery/register"
    assert discovered.post(address, json={"arn": f"{DLQ}-gone"}).status_code == 409
    unsaid = discovered.post(address, json={"arn": SHARED})
    assert (unsaid.status_code, "Say where the events of shared go" in unsaid.text) == (422, True)
    chosen = discovered.post(address, json={"arn": SHARED, "target": A})
    assert (chosen.status_code, chosen.get_json()["target_arn"]) == (201, A)
    clear = discovered.post(f"{address}-clear", json={}).get_json()["sources"]
    assert DLQ in {source["arn"] for source in clear}
    assert sources(sqlite_engine) == {SHARED: A} | {source["arn"]: source["target_arn"] for source in clear}
