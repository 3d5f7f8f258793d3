"""Signing in by a real OpenID Connect provider, and what of it lets nobody in."""

from collections.abc import Iterator
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from flask.testing import FlaskClient
from joserfc.jwk import RSAKey
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from console.sign_in.oidc import is_safe
from deadletter.settings import Oidc, Settings
from deadletter.store import write
from deadletter.store.people import users
from tests.console.people import NOW, Door
from tests.oidc import CLIENT_ID, CLIENT_SECRET, Person, Provider, served

CALLBACK = "http://localhost/sign-in/callback"
ROLES = "sre=operator, leads=approver, payments=operator:*:payments-*"


@pytest.fixture
def provider() -> Iterator[Provider]:
    with served() as provider:
        provider.redirect_uri = CALLBACK
        yield provider


@pytest.fixture
def door(settings: Settings, sqlite_engine: Engine, provider: Provider) -> Door:
    oidc = Oidc(issuer=provider.issuer, client_id=CLIENT_ID, client_secret=CLIENT_SECRET, roles=ROLES)
    return Door(settings, sqlite_engine, oidc=oidc)


def off(browser: FlaskClient, back: str = "") -> str:
    """Go off to the provider; return the address there."""
    away = browser.get("/sign-in/provider", query_string={"back": back})
    assert away.status_code == 303, away.text
    return away.location


def led_back(address: str) -> dict[str, str]:
    """Let the provider sign in; return what it leads back with."""
    answer = requests.get(address, timeout=10, allow_redirects=False)
    assert answer.status_code == 302, answer.text
    assert answer.headers["Location"].startswith(CALLBACK)
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["Location"]).query).items()}


def come_back(browser: FlaskClient, given: dict[str, str]) -> TestResponse:
    return browser.get(f"/sign-in/callback?{urlencode(given)}")


def through(browser: FlaskClient, back: str = "") -> TestResponse:
    return come_back(browser, led_back(off(browser, back)))


def test_a_person_comes_in_with_the_roles_of_their_groups_and_goes_on_where_they_were(
    door: Door, provider: Provider
) -> None:
    provider.person = Person("7", "Grace@Example.com", ["sre", "payments", "choir"])
    browser = door.browser()
    answer = through(browser, "/events?function=orders-capture")
    assert (answer.status_code, answer.location) == (303, "/events?function=orders-capture")
    page = browser.get("/you").text
    assert "grace@example.com" in page
    assert "operator, operator:*:payments-*" in page


def test_the_request_goes_off_with_state_nonce_and_pkce(door: Door) -> None:
    asked = parse_qs(urlsplit(off(door.browser())).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert all(len(asked[name][0]) >= 43 for name in ("state", "nonce", "code_challenge"))
    assert asked["redirect_uri"] == [CALLBACK]


def test_roles_are_those_of_the_latest_sign_in(door: Door, provider: Provider) -> None:
    provider.person = Person("7", "grace@example.com", ["leads"])
    through(door.browser())
    provider.person.groups = []
    browser = door.browser()
    through(browser)
    refused = browser.get("/groups")
    assert refused.status_code == 403
    assert "has no role" in refused.text


def test_a_name_that_somebody_has_already_is_not_taken_over(door: Door, provider: Provider) -> None:
    door.add("root@example.com", "admin")
    provider.person = Person("666", "root@example.com", ["sre"])
    browser = door.browser()
    through(browser)
    page = browser.get("/you").text
    assert "666)" in page
    assert browser.get("/people").status_code == 403


def test_an_address_that_the_provider_did_not_verify_is_not_a_name(door: Door, provider: Provider) -> None:
    provider.person = Person("8", "root@example.com", ["sre"], {"email_verified": False})
    browser = door.browser()
    through(browser)
    assert "root@example.com" not in browser.get("/you").text


def test_another_browser_cannot_finish_what_this_one_began(door: Door) -> None:
    given = led_back(off(door.browser()))
    refused = come_back(door.browser(), given)
    assert refused.status_code == 422
    assert "not started in this browser" in refused.text


def test_a_sign_in_comes_back_once_and_in_time(door: Door) -> None:
    browser = door.browser()
    given = led_back(off(browser))
    assert come_back(browser, given).status_code == 303
    assert come_back(browser, given).status_code == 422
    later = led_back(off(browser))
    door.wait(minutes=11)
    assert come_back(browser, later).status_code == 422


def test_another_state_is_refused(door: Door) -> None:
    browser = door.browser()
    assert come_back(browser, led_back(off(browser)) | {"state": "x"}).status_code == 422


def test_a_code_of_another_sign_in_is_refused(door: Door) -> None:
    mallory, browser = door.browser(), door.browser()
    code = led_back(off(mallory))["code"]
    answer = come_back(browser, led_back(off(browser)) | {"code": code})
    assert answer.status_code == 502  # its verifier is another one's
    assert browser.get("/groups").status_code == 303


@pytest.mark.parametrize(
    "claims",
    [{"iss": "https://evil.example"}, {"aud": "another"}, {"exp": 1}, {"nonce": "another"}, {"iat": 32503680000}],
)
def test_a_token_that_says_something_else_lets_nobody_in(
    door: Door, provider: Provider, claims: dict[str, object]
) -> None:
    provider.person = Person("9", "eve@example.com", ["sre"], claims)
    browser = door.browser()
    answer = through(browser)
    assert answer.status_code == 502
    assert "cannot be trusted" in answer.text
    assert browser.get("/groups").status_code == 303


def test_a_token_signed_by_somebody_else_lets_nobody_in(door: Door, provider: Provider) -> None:
    published = provider.key
    provider.key = RSAKey.generate_key(2048, {"kid": "one"})
    view = provider.app.view_functions["keys"]
    provider.app.view_functions["keys"] = lambda: {"keys": [published.as_dict(private=False)]}
    assert through(door.browser()).status_code == 502
    provider.app.view_functions["keys"] = view


def test_the_provider_may_change_its_keys(door: Door, provider: Provider) -> None:
    provider.person.groups = ["sre"]
    assert through(door.browser()).status_code == 303
    provider.key = RSAKey.generate_key(2048, {"kid": "two", "use": "sig", "alg": "RS256"})
    assert through(door.browser()).status_code == 303


def test_somebody_who_is_disabled_here_does_not_come_in(door: Door, provider: Provider) -> None:
    door.add("root", "admin")
    provider.person = Person("7", "grace@example.com", ["sre"])
    through(door.browser())
    with write(door.engine) as session:
        users.disable(session, "grace@example.com", now=NOW)
    answer = through(door.browser())
    assert answer.status_code == 502
    assert "disabled here" in answer.text


def test_what_the_provider_refuses_is_shown_as_text(door: Door) -> None:
    browser = door.browser()
    state = parse_qs(urlsplit(off(browser)).query)["state"][0]
    said = {"error": "access_denied", "error_description": "<script>alert(1)</script>", "state": state}
    answer = come_back(browser, said)
    assert answer.status_code == 502
    assert "&lt;script&gt;" in answer.text


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://evil.example"},
        {"authorization_endpoint": "http://169.254.169.254/latest/meta-data"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": ""},
    ],
)
def test_metadata_that_leads_elsewhere_is_refused(door: Door, provider: Provider, metadata: dict[str, str]) -> None:
    provider.metadata = metadata
    answer = door.browser().get("/sign-in/provider")
    assert answer.status_code == 500
    assert "Location" not in answer.headers


@pytest.mark.parametrize(
    ("address", "safe"),
    [
        ("https://id.example.com/token", True),
        ("http://127.0.0.1:9/token", True),
        ("http://localhost/token", True),
        ("http://id.example.com/token", False),
        ("http://169.254.169.254/", False),
        ("http://127.0.0.1.evil.example/", False),
        ("file:///etc/passwd", False),
        ("//id.example.com", False),
        ("", False),
    ],
)
def test_only_https_or_this_machine_is_called(address: str, safe: bool) -> None:  # noqa: FBT001 - the table's answer
    assert is_safe(address) is safe
