"""Every page, with data and without: it answers, its links resolve, nothing inline, the same number of statements."""

import re
from collections.abc import Callable
from urllib.parse import parse_qsl, urlsplit

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from console.templating import breakable
from deadletter.filters import EventFilter
from deadletter.settings import Settings
from deadletter.store import make_engine, read
from deadletter.store.queries import count_events
from tests.console.conftest import NOW, statements
from tests.console.page import Page
from tests.seed import seed

PAGES = (
    "/overview",
    "/overview?hours=336",
    "/groups",
    "/groups?status=all&sort=events",
    "/groups?text=declined&since=7d",
    "/groups?function=orders-capture&error_type=PaymentError&source=1",
    "/events",
    "/events?status=unresolved&group=1",
    "/events?text=ord-7001",
    "/redrives",
    "/sources",
    "/discovery",
    "/reports",
    "/workers",
    "/targets",
    "/unknown",
    "/audit",
    "/you",
    "/people",
)
THINGS = ("/groups/1", "/groups/1?status=unresolved", "/events/1", "/events/1/raw")


def planned(client: FlaskClient) -> str:
    answer = client.post("/redrives", data={"filter": "group=1&status=unresolved"})
    assert answer.status_code == 303
    return str(answer.headers["Location"])


@pytest.mark.parametrize("address", PAGES)
def test_every_page_answers_on_an_empty_database(empty: FlaskClient, address: str) -> None:
    assert empty.get(address).status_code == 200


@pytest.mark.parametrize("address", [*PAGES, *THINGS])
def test_every_page_answers_after_a_bad_week(reader: FlaskClient, address: str) -> None:
    assert reader.get(address).status_code == 200


@pytest.mark.postgres
def test_every_page_answers_on_postgresql(postgres_engine: Engine, make_client: Callable[..., FlaskClient]) -> None:
    seed(postgres_engine, now=NOW, share=1 / 100)
    client = make_client(postgres_engine)
    redrive = planned(client)
    for address in (*PAGES, *THINGS, redrive, f"{redrive}/progress"):
        assert client.get(address).status_code == 200, address


def test_every_link_on_every_page_resolves(client: FlaskClient) -> None:
    seen: set[str] = set()
    waiting = ["/groups", "/events/1", planned(client)]
    kinds: dict[tuple[str, ...], int] = {}
    while waiting:
        address = waiting.pop()
        kind = _kind(address)
        if address in seen or kinds.get(kind, 0) >= 2:
            continue
        seen.add(address)
        kinds[kind] = kinds.get(kind, 0) + 1
        answer = client.get(address)
        assert answer.status_code in {200, 302}, address
        if answer.content_type.startswith("text/html") and answer.status_code == 200:
            waiting.extend(Page(answer.text).links)
    assert {"/overview", "/groups", "/events", "/redrives", "/sources", "/discovery", "/reports"} <= seen


def _kind(address: str) -> tuple[str, ...]:
    """Return what is alike in links to different things: the path without numbers, and the names of the query."""
    parts = urlsplit(address)
    return (re.sub(r"\d+", "N", parts.path), *sorted(name for name, _ in parse_qsl(parts.query)))


@pytest.mark.parametrize("address", [*PAGES, *THINGS[:3], "/nowhere"])
def test_no_page_has_an_inline_script_or_style(reader: FlaskClient, address: str) -> None:
    page = Page(reader.get(address).text)
    assert not page.inline_scripts
    assert not page.all("style")
    for tag, attributes in page.tags:
        forbidden = {name for name in attributes if name == "style" or name.startswith(("on", "hx-on"))}
        assert not forbidden, (tag, forbidden)


@pytest.mark.parametrize("address", [*PAGES, *THINGS[:3]])
def test_every_page_has_one_heading_and_at_most_one_main_button(reader: FlaskClient, address: str) -> None:
    page = Page(reader.get(address).text)
    assert len(page.all("h1")) == 1
    assert len([1 for _, attributes in page.tags if "main" in attributes.get("class", "").split()]) <= 1


@pytest.mark.parametrize("address", [*PAGES, *THINGS[:3]])
def test_an_id_stands_once_on_a_page(reader: FlaskClient, address: str) -> None:
    ids = [attributes["id"] for _, attributes in Page(reader.get(address).text).tags if "id" in attributes]
    assert sorted(set(ids)) == sorted(ids)


@pytest.mark.parametrize("address", [*PAGES, *THINGS[:3]])
def test_what_htmx_swaps_is_on_the_page_that_it_asks_for(reader: FlaskClient, address: str) -> None:
    page = Page(reader.get(address).text)
    ids = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    wanted = {
        attributes[name] for _, attributes in page.tags for name in ("hx-target", "hx-select") if name in attributes
    }
    assert {selector.removeprefix("#") for selector in wanted} <= ids


@pytest.mark.parametrize("address", ["/groups", "/events", "/overview", "/redrives", "/sources"])
def test_a_list_takes_as_many_statements_for_many_rows_as_for_few(
    make_client: Callable[..., FlaskClient], settings: Settings, tmp_path_factory: pytest.TempPathFactory, address: str
) -> None:
    counts = []
    for share in (1 / 400, 1 / 20):
        folder = tmp_path_factory.mktemp("week")
        (folder / "redrive.db").write_bytes((settings.data_dir / "redrive.db").read_bytes())
        engine = make_engine(Settings(data_dir=folder))
        seed(engine, now=NOW, share=share)
        client = make_client(engine)
        planned(client)
        with statements(engine) as seen:
            assert client.get(address).status_code == 200
        counts.append(len(seen))
        engine.dispose()
    assert counts[0] == counts[1] <= 19


def test_the_page_of_all_events_counts_them_once_and_says_how_many(client: FlaskClient, seeded: Engine) -> None:
    with read(seeded) as session:
        total = count_events(session, EventFilter()).n
    with statements(seeded) as seen:
        page = client.get("/events").text
    assert f"Redrive all {total:,} events" in page
    assert len([each for each in seen if "sum(groups.n_resolved)" in each]) == 1


def test_pages_read_and_never_write(client: FlaskClient, seeded: Engine) -> None:
    with statements(seeded) as seen:
        for address in (*PAGES, *THINGS):
            client.get(address)
    verbs = {statement.split()[0].upper() for statement in seen}
    assert verbs <= {"SELECT", "WITH", "PRAGMA", "BEGIN", "ROLLBACK", "COMMIT"}


def test_the_home_page_is_the_groups(reader: FlaskClient) -> None:
    assert reader.get("/").headers["Location"] == "/groups"


def test_the_health_page_says_ok_while_the_database_answers(reader: FlaskClient) -> None:
    assert reader.get("/healthz").text == "ok\n"


def test_an_arn_breaks_behind_its_colons_and_stays_only_text() -> None:
    assert (
        breakable("a:b-c/d") == '<span class="part">a:</span><span class="part">b-c/</span><span class="part">d</span>'
    )
    assert "<b>" not in breakable("arn:<b>:x")
