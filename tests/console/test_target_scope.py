"""Who may change a target: a role for some sources changes nothing that holds for the events of others."""

from dataclasses import dataclass, replace

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from deadletter.actor import Actor
from deadletter.event import TargetKind, TargetRef
from deadletter.settings import Settings
from deadletter.store import read, write
from deadletter.store.allowed import allow_list, keep_targets
from deadletter.store.people.scope import sources_of_target
from deadletter.store.sources import list_sources, set_target
from tests.console.api import Program
from tests.console.people import Door
from tests.factories import ACCOUNT, NOW, make_event, make_parsed, store_some

ME = Actor("ada", "here")
EVE = "admin:*:orders-*"
MINE, THEIRS = (ACCOUNT.format("sqs", name) for name in ("orders-dlq", "payments-dlq"))
OURS, SHARED, FOREIGN, NEW = (
    ACCOUNT.format("lambda", f"function:{name}") for name in ("orders", "shared", "payments", "new")
)
RULES = {"table": "t", "prefix": "f.app.handler"}


@dataclass
class House:
    """Two sources: the function `orders` is one's, `payments` the other's, `shared` both's, `new` nobody's."""

    door: Door
    eve: Program
    ada: Program
    browser: FlaskClient

    def number(self, arn: str) -> int:
        with read(self.door.engine) as session:
            return next(source.id for source in list_sources(session, now=NOW) if source.arn == arn)

    def allowed(self, arn: str) -> bool:
        with read(self.door.engine) as session:
            return allow_list(session, [arn]).allows(arn)


@pytest.fixture
def house(settings: Settings, sqlite_engine: Engine) -> House:
    with write(sqlite_engine) as session:
        for source, function in (
            ("orders-dlq", OURS),
            ("orders-dlq", SHARED),
            ("payments-dlq", f"{SHARED}:live"),
            ("payments-dlq", FOREIGN),
        ):
            target = TargetRef(TargetKind.LAMBDA, function)
            event = make_event(function_arn=function, target=target)
            store_some(session, make_parsed(event, target=target), source=source, now=NOW)
    door = Door(replace(settings, allowed_targets=()), sqlite_engine)
    return House(door, Program(door, "eve", EVE), Program(door, "ada", "admin"), door.signed_in("mallory", EVE))


@pytest.mark.parametrize(
    ("arn", "names"),
    [(OURS, {MINE}), (f"{OURS}:live", {MINE}), (SHARED, {MINE, THEIRS}), (FOREIGN, {THEIRS}), (NEW, set())],
)
def test_a_target_is_of_the_sources_whose_events_name_it(house: House, arn: str, names: set[str]) -> None:
    with read(house.door.engine) as session:
        assert sources_of_target(session, arn) == names


@pytest.mark.parametrize(
    ("arn", "why"),
    [
        (OURS, ""),
        (SHARED, f"events of {THEIRS} go to {SHARED} as well"),
        (FOREIGN, f"events of {THEIRS} go to {FOREIGN} as well"),
        (NEW, f"no source of theirs names {NEW}"),
    ],
    ids=["mine", "shared", "theirs", "nobody's"],
)
def test_settings_of_a_target_are_for_whoever_has_all_its_sources(house: House, arn: str, why: str) -> None:
    assert house.ada.post("/targets", {"arn": arn, **RULES}).status_code == 200
    assert f"{why}." in house.browser.get("/targets").text  # on the button that removes them, which is there
    assert ("data-barred" in house.browser.get(f"/targets?arn={arn}").text) is bool(why)
    for path in ("", "/remove"):
        by_program = house.eve.post(f"/targets{path}", {"arn": arn, **({} if path else RULES)})
        assert by_program.status_code == (403 if why else 200), by_program.text
        assert why in by_program.text
        if not why:
            house.ada.post("/targets", {"arn": arn, **RULES})
        by_page = house.browser.post(f"/targets{path}", data={"arn": arn, **RULES})
        assert by_page.status_code == (403 if why else 303)


@pytest.mark.parametrize(
    ("arn", "status"), [(OURS, 200), (NEW, 200), (SHARED, 403), (FOREIGN, 403)], ids=["mine", "new", "shared", "theirs"]
)
def test_a_source_allows_no_target_that_the_events_of_others_name(house: House, arn: str, status: int) -> None:
    number = house.number(MINE)
    assert house.eve.post(f"/sources/{number}/target", {"target": arn}).status_code == status
    page = house.browser.post("/sources", data={"arn": MINE, "target": arn})
    assert (page.status_code == 403) is (status == 403)
    assert house.allowed(arn) is (status == 200)


def test_what_is_allowed_anyway_may_be_a_sources_target_and_stays_allowed(house: House) -> None:
    with write(house.door.engine) as session:
        keep_targets(session, "/", [SHARED])
    number = house.number(MINE)
    for target in (SHARED, ""):
        assert house.eve.post(f"/sources/{number}/target", {"target": target}).status_code == 200
    assert house.allowed(SHARED)


@pytest.mark.parametrize("how", ["target", "remove"])
def test_nobody_takes_a_target_from_the_events_of_others(house: House, how: str) -> None:
    number = house.number(MINE)
    with write(house.door.engine) as session:
        set_target(session, number, TargetRef(TargetKind.LAMBDA, SHARED), by=ME, now=NOW)
    body = {"target": ""} if how == "target" else {}
    assert house.eve.post(f"/sources/{number}/{how}", body).status_code == 403
    assert house.browser.post(f"/sources/{number}/{how}", data=body).status_code == 403
    assert house.allowed(SHARED)


def test_an_admin_of_some_sources_gives_nobody_a_role(house: House) -> None:
    refused = house.browser.post("/people/grants", data={"name": "mallory", "grants": "admin"})
    assert refused.status_code == 403
    assert "you need the role admin for every source" in refused.text


def test_the_page_of_events_counts_those_of_ones_sources_only(house: House) -> None:
    page = house.browser.get("/events").text
    assert "Redrive all 2 events" in page
    assert "Redrive all 4 events" not in page
