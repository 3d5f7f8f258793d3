"""Where pages are found: every place is in the bar or its menu, for those who may open it; tables are named."""

import re

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, update

from console.navigation import EVERYWHERE, MORE
from deadletter.outcome import EventStatus, Outcome
from deadletter.settings import Settings
from deadletter.store import models, write
from tests.console.page import Page
from tests.console.people import Door


def _menu(html: str) -> list[str]:
    inside = html.split('<details class="more"')[1].split("</details>", maxsplit=1)[0]
    return re.findall(r'data-go="\w"[^>]*>(\w+)', inside)


def test_every_place_is_found_once_and_has_a_key_of_its_own(client: FlaskClient) -> None:
    keys = [tag["data-go"] for tag in Page(client.get("/overview").text).all("a") if "data-go" in tag]
    assert sorted(keys) == sorted(place.key for place in EVERYWHERE)
    assert len(set(keys)) == len(keys)


def test_the_keyboards_help_names_every_place_with_its_key(client: FlaskClient) -> None:
    text = Page(client.get("/groups").text.split('<dialog id="help"')[1]).text
    assert [place.name for place in EVERYWHERE if f"{place.key} {place.name}" not in text] == []


def test_the_menu_says_where_we_are_while_it_is_closed(client: FlaskClient) -> None:
    summary = re.search(r"<summary.*?</summary>", client.get("/sources").text, re.DOTALL)
    assert summary is not None
    assert "Sources" in summary[0]
    assert 'aria-current="page"' not in client.get("/sources").text.split("<details")[0]


def test_the_menu_has_what_whoever_asks_may_open(settings: Settings, sqlite_engine: Engine) -> None:
    door = Door(settings, sqlite_engine)
    seen = {role: _menu(door.signed_in(role, role).get("/overview").text) for role in ("viewer", "operator", "admin")}
    assert seen["admin"] == [place.name for place in MORE]
    assert set(seen["admin"]) - set(seen["operator"]) == {"People"}
    assert set(seen["operator"]) - set(seen["viewer"]) == {"Audit"}


def test_unknown_outcomes_warn_in_the_bar_of_every_page(client: FlaskClient, seeded: Engine) -> None:
    assert "count warn" not in client.get("/reports").text
    with write(seeded) as session:
        lost = update(models.Event).where(models.Event.id == 1)
        session.execute(lost.values(last_outcome=Outcome.UNKNOWN, status=EventStatus.UNRESOLVED))
    assert re.search(r'Unknown <span class="count warn">1</span>', client.get("/reports").text)


@pytest.mark.parametrize(
    "address", ["/overview", "/groups", "/groups/1", "/events", "/redrives", "/reports", "/sources", "/targets",
                "/workers", "/audit", "/you", "/people", "/unknown", "/discovery"]
)  # fmt: skip
def test_every_table_is_named_and_every_heading_says_what_it_heads(reader: FlaskClient, address: str) -> None:
    page = Page(reader.get(address).text)
    assert len(page.all("caption")) == len(page.all("table"))
    assert [heading for heading in page.all("th") if heading.get("scope") not in {"col", "row"}] == []


def test_where_nobody_is_listed_the_people_page_says_why(client: FlaskClient) -> None:
    assert "Sign-in is off, or nobody was added yet" in client.get("/people").text
