"""Three people, a real sign-in provider, and a redrive that needs two of them."""

import re
import shutil
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from werkzeug.serving import make_server

from console.app import create_app
from deadletter.access import Grant, Role
from deadletter.approval import ApprovalRules
from deadletter.settings import Oidc, Settings, SignIn
from deadletter.store import make_engine, write
from deadletter.store.people.sign_ins import make_link
from deadletter.store.people.users import add_user
from tests.oidc import CLIENT_ID, CLIENT_SECRET, Person, Provider, served
from tests.seed import seed

pytestmark = [pytest.mark.browser]

PEOPLE = {
    "olga": Person("1", "olga@example.com", ["operators"]),
    "vera": Person("2", "vera@example.com", ["viewers"]),
    "anna": Person("3", "anna@example.com", ["approvers"]),
}


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with served() as provider:
        yield provider


@pytest.fixture(scope="module")
def console(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, provider: Provider) -> Iterator[str]:
    """A console after a bad week, where more than ten events at once need a second person."""
    folder = tmp_path_factory.mktemp("team")
    shutil.copy(sqlite_template, folder / "redrive.db")
    settings = Settings(
        data_dir=folder,
        sign_in=SignIn.ACCOUNTS,
        approval=ApprovalRules(above=10),
        oidc=Oidc(
            issuer=provider.issuer,
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
            roles="operators=operator, viewers=viewer, approvers=approver",
        ),
    )
    engine = make_engine(settings)
    seed(engine, now=datetime.now(tz=UTC), share=1 / 30)
    server = make_server("127.0.0.1", 0, create_app(settings, engine), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.port}"
    provider.redirect_uri = f"{url}/sign-in/callback"
    yield url
    server.shutdown()
    thread.join()
    server.server_close()
    engine.dispose()


@pytest.fixture
def as_(open_page: Callable[..., Page], console: str, provider: Provider) -> Callable[[str], Page]:
    """Sign somebody in by the provider, in a browser of their own."""

    def sign_in(who: str) -> Page:
        page = open_page()
        page.goto(f"{console}/groups")
        provider.person = PEOPLE[who]
        page.get_by_role("link", name=re.compile("^Sign in with")).click()
        expect(page.get_by_role("link", name=PEOPLE[who].email)).to_be_visible()
        return page

    return sign_in


def test_an_operator_asks_a_viewer_may_not_and_an_approver_lets_it_run(as_: Callable[[str], Page]) -> None:
    olga = as_("olga")
    olga.get_by_role("radio", name=re.compile("matching this filter")).check()
    olga.get_by_role("button", name=re.compile("^Redrive")).click()
    expect(olga.get_by_text("more than 10 need a second person")).to_be_visible()
    olga.get_by_role("button", name=re.compile(r"^Redrive [\d,]+ events$")).click()
    expect(olga.get_by_role("heading", name="It waits for a second person")).to_be_visible()
    own = olga.get_by_role("button", name=re.compile("^Approve"))
    expect(own).to_be_disabled()
    expect(own).to_have_attribute("title", "You asked for it, so somebody else has to approve it.")

    vera = as_("vera")
    vera.goto(olga.url)
    refused = vera.get_by_role("button", name=re.compile("^Approve"))
    expect(refused).to_be_disabled()
    expect(refused).to_have_attribute("title", re.compile("you need the role approver; vera@"))

    anna = as_("anna")
    anna.goto(olga.url)
    anna.get_by_role("button", name=re.compile(r"^Approve and redrive [\d,]+ events$")).click()
    expect(anna.get_by_text("approved by anna@example.com")).to_be_visible()
    expect(anna.get_by_text("started by olga@example.com")).to_be_visible()


def test_what_somebody_may_not_do_is_shown_with_the_reason(as_: Callable[[str], Page], console: str) -> None:
    vera = as_("vera")
    vera.goto(f"{console}/groups?status=all")
    button = vera.get_by_role("button", name=re.compile("^Redrive")).first
    expect(button).to_be_disabled()
    expect(button).to_have_attribute("title", re.compile("you need the role operator"))
    vera.goto(f"{console}/you")
    expect(vera.get_by_role("row", name=re.compile("Plan, start, pause"))).to_contain_text("no")


@pytest.mark.parametrize("javascript", [True, False])
def test_a_link_signs_in_by_one_button_with_javascript_and_without(
    open_page: Callable[..., Page],
    javascript: bool,  # noqa: FBT001 - the table's two rows
    settings: Settings,
) -> None:
    engine = make_engine(settings)
    with write(engine) as session:
        now = datetime.now(tz=UTC)
        ada = add_user(session, f"ada-{javascript}", grants=[Grant(Role.ADMIN)], now=now)
        key = make_link(session, ada.id, now=now)
    app = create_app(Settings(data_dir=settings.data_dir), engine)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        page = open_page(java_script_enabled=javascript)
        page.goto(f"http://127.0.0.1:{server.port}/sign-in/link?key={key}")
        page.get_by_role("button", name="Sign in to this console").click()
        expect(page.get_by_role("link", name="ada-")).to_be_visible()
        page.goto(f"http://127.0.0.1:{server.port}/you")
        page.get_by_role("button", name="Sign out", exact=True).click()
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        engine.dispose()
