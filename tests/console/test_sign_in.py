"""The ways in and out, and what does not let anybody in."""

import re
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, select

from deadletter.access import Role, parse_grants
from deadletter.errors import BadInput, IllegalMove, NotFound
from deadletter.settings import Settings, SignIn
from deadletter.store import read, write
from deadletter.store.models import ApiToken, AuditEntry, SignInLink, User
from deadletter.store.models import SignIn as SignedIn
from deadletter.store.people import users
from deadletter.store.people.sign_ins import make_link
from deadletter.store.people.tokens import add_token, revoke
from tests.console.people import NOW, PASSWORD, WRONG, Door


@pytest.fixture
def door(settings: Settings, sqlite_engine: Engine) -> Door:
    return Door(settings, sqlite_engine)


def by_password(browser: FlaskClient, name: str, password: str, back: str = "") -> int:
    return browser.post("/sign-in", data={"name": name, "password": password, "back": back}).status_code


def is_in(browser: FlaskClient) -> bool:
    return browser.get("/groups").status_code == 200


def link_for(door: Door, name: str, *grants: str) -> str:
    user_id = door.add(name, *grants, password=None)
    with write(door.engine) as session:
        return make_link(session, user_id, now=door.clock.now())


def test_whoever_is_not_signed_in_is_led_to_the_door_and_back(door: Door) -> None:
    door.add("ada", "viewer")
    browser = door.browser()
    led = browser.get("/groups?function=orders-capture")
    assert led.status_code == 303
    assert led.location.startswith("/sign-in?back=")
    back = re.search(r'name="back" value="([^"]*)"', browser.get(led.location).text)
    assert back
    signed_in = browser.post("/sign-in", data={"name": " ADA ", "password": PASSWORD, "back": back[1]})
    assert (signed_in.status_code, signed_in.location) == (303, "/groups?function=orders-capture")
    assert is_in(browser)


def test_a_change_by_nobody_is_refused_and_changes_nothing(door: Door) -> None:
    refused = door.browser().post("/sources", data={"arn": "arn:aws:sqs:eu-west-1:123456789012:orders-dlq"})
    assert refused.status_code == 401
    assert "nothing was changed" in refused.text


@pytest.mark.parametrize(
    "back",
    ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/a\r\nSet-Cookie: x=1"],
)
def test_the_way_back_is_always_ours(door: Door, back: str) -> None:
    door.add("ada", "viewer")
    signed_in = door.browser().post("/sign-in", data={"name": "ada", "password": PASSWORD, "back": back})
    assert signed_in.location == "/"


def test_the_cookie_is_random_and_hidden_from_scripts_and_kept_as_a_hash_only(door: Door) -> None:
    door.add("ada", "viewer")
    cookie = door.browser().post("/sign-in", data={"name": "ada", "password": PASSWORD}).headers["Set-Cookie"]
    assert re.match(r"redrive-80=[\w-]{43}; .*HttpOnly; Path=/; SameSite=Lax", cookie), cookie
    with read(door.engine) as session:
        kept = session.scalars(select(SignedIn.token_hash)).one()
    assert kept not in cookie
    assert cookie[11:54] not in kept


def test_behind_tls_the_cookie_is_secure_and_bound_to_our_host(settings: Settings, sqlite_engine: Engine) -> None:
    door = Door(settings, sqlite_engine)
    door.add("ada", "viewer")
    given = {"name": "ada", "password": PASSWORD}
    answer = door.browser().post("/sign-in", data=given, base_url="https://localhost")
    assert re.match(r"__Host-redrive=[\w-]{43}; .*Secure; HttpOnly; Path=/", answer.headers["Set-Cookie"])


@pytest.mark.parametrize(
    ("name", "password"), [("ada", WRONG), ("nobody", PASSWORD), ("ada", ""), ("", ""), ("\x00", "x")]
)
def test_what_does_not_fit_lets_nobody_in_and_does_not_say_which_half_was_wrong(
    door: Door, name: str, password: str
) -> None:
    door.add("ada", "viewer")
    browser = door.browser()
    answer = browser.post("/sign-in", data={"name": name, "password": password})
    assert answer.status_code == 422
    assert "This name and this password do not belong together." in answer.text
    assert not is_in(browser)


def test_somebody_without_a_password_does_not_come_in_by_one(door: Door) -> None:
    door.add("ada", "viewer", password=None)
    assert by_password(door.browser(), "ada", "") == 422
    assert by_password(door.browser(), "ada", PASSWORD) == 422


def test_after_five_failures_each_try_waits_longer_even_with_the_right_password(door: Door) -> None:
    door.add("ada", "viewer")
    browser = door.browser()
    assert [by_password(browser, "ada", WRONG) for _ in range(5)] == [422] * 5
    throttled = browser.post("/sign-in", data={"name": "ada", "password": PASSWORD})
    assert throttled.status_code == 429
    assert throttled.headers["Retry-After"] == "3"
    door.wait(seconds=3)
    assert by_password(browser, "ada", WRONG) == 422
    assert browser.post("/sign-in", data={"name": "ada", "password": PASSWORD}).headers["Retry-After"] == "5"
    door.wait(seconds=5)
    assert by_password(browser, "ada", PASSWORD) == 303
    assert by_password(browser, "ada", WRONG) == 422  # counted from nothing again


def test_a_link_works_once_and_only_when_its_button_is_pressed(door: Door) -> None:
    key = link_for(door, "ada", "viewer")
    browser = door.browser()
    for _ in range(2):  # a program that looks at links before people do
        assert browser.get(f"/sign-in/link?key={key}").status_code == 200
    assert browser.post("/sign-in/link", data={"key": key}).status_code == 303
    assert is_in(browser)
    other = door.browser()
    assert other.post("/sign-in/link", data={"key": key}).status_code == 422
    assert not is_in(other)


def test_a_link_that_waited_too_long_lets_nobody_in(door: Door) -> None:
    key = link_for(door, "ada", "viewer")
    door.wait(minutes=15)
    assert door.browser().post("/sign-in/link", data={"key": key}).status_code == 422
    with read(door.engine) as session:
        assert session.scalars(select(SignInLink.token_hash)).one() != key


def test_a_session_ends_after_its_time(door: Door) -> None:
    browser = door.signed_in("ada", "viewer")
    door.wait(hours=11.9)
    assert is_in(browser)
    door.wait(hours=0.2)
    assert not is_in(browser)


def test_signing_out_ends_this_browser_and_signing_out_everywhere_all_of_them(door: Door) -> None:
    door.add("ada", "viewer")
    first, second, third = (door.browser() for _ in range(3))
    for browser in (first, second, third):
        by_password(browser, "ada", PASSWORD)
    first.post("/sign-in/out")
    assert [is_in(browser) for browser in (first, second, third)] == [False, True, True]
    second.post("/you/sign-out-everywhere")
    assert not any(is_in(browser) for browser in (second, third))


def test_a_stolen_cookie_is_worth_nothing_once_its_owner_signed_out(door: Door) -> None:
    browser = door.signed_in("ada", "viewer")
    stolen = browser.get_cookie("redrive-80")
    assert stolen
    browser.post("/sign-in/out")
    thief = door.browser()
    thief.set_cookie("redrive-80", stolen.value)
    assert not is_in(thief)


@pytest.mark.parametrize("value", ["", "x", "0" * 43, "' OR 1=1 --", "%00", "é", "A" * 3000])
def test_a_forged_cookie_lets_nobody_in(door: Door, value: str) -> None:
    door.signed_in("ada", "admin")
    browser = door.browser()
    browser.set_cookie("redrive-80", value)
    assert not is_in(browser)


def test_disabling_somebody_ends_their_browsers_and_their_tokens_at_once(door: Door) -> None:
    door.signed_in("root", "admin")
    browser = door.signed_in("ada", "viewer")
    token = browser.post("/you/tokens", data={"name": "report", "role": "viewer", "days": "1"}).text
    token = re.findall(r"rdv_[\w-]{43}", token)[0]
    bearer = {"Authorization": f"Bearer {token}"}
    assert door.browser().get("/groups", headers=bearer).status_code == 200
    with write(door.engine) as session:
        users.disable(session, "ada", now=NOW)
    assert not is_in(browser)
    assert door.browser().get("/groups", headers=bearer).status_code == 401


def test_the_last_admin_cannot_be_taken_away(door: Door) -> None:
    door.add("root", "admin")
    with write(door.engine) as session:
        with pytest.raises(IllegalMove, match="Make somebody else an admin first"):
            users.disable(session, "root", now=NOW)
        session.rollback()
    with write(door.engine) as session, pytest.raises(IllegalMove):
        users.set_grants(session, "root", parse_grants(["operator", "admin:arn:*:orders-*"]))


def test_a_token_does_no_more_than_it_may_and_makes_no_tokens(door: Door) -> None:
    browser = door.signed_in("ada", "admin")
    page = browser.post("/you/tokens", data={"name": "report", "role": "viewer", "days": "30"})
    token = re.findall(r"rdv_[\w-]{43}", page.text)[0]
    assert token not in browser.get("/you").text
    bearer = {"Authorization": f"Bearer {token}"}
    assert door.browser().get("/people", headers=bearer).status_code == 403
    again = door.browser().post("/you/tokens", data={"name": "x", "role": "admin", "days": "1"}, headers=bearer)
    assert again.status_code == 403


@pytest.mark.parametrize("token", ["", "rdv_", "rdv_" + "A" * 43, "é", "rdv_' OR 1=1", "null"])
def test_a_forged_token_lets_nobody_in(door: Door, token: str) -> None:
    door.signed_in("ada", "admin")
    answer = door.browser().get("/groups", headers={"Authorization": f"Bearer {token}".encode().decode("latin-1")})
    assert answer.status_code == 401


def test_a_token_ends_when_it_expires_or_is_revoked_and_says_when_it_was_used(door: Door) -> None:
    user_id = door.add("ada", "viewer")
    with write(door.engine) as session:
        made = [
            add_token(session, user_id, name, role=Role.VIEWER, lasts=timedelta(days=1), now=NOW) for name in ("a", "b")
        ]
    first, second = ({"Authorization": f"Bearer {token}"} for token in made)
    assert door.browser().get("/groups", headers=first).status_code == 200
    with write(door.engine) as session:
        assert session.scalars(select(ApiToken.used_at).order_by(ApiToken.id)).first() == NOW
        revoke(session, 1, of=user_id, now=NOW)
        with pytest.raises(NotFound):
            revoke(session, 2, of=user_id + 1, now=NOW)
    assert door.browser().get("/groups", headers=first).status_code == 401
    door.wait(days=1)
    assert door.browser().get("/groups", headers=second).status_code == 401


@pytest.mark.parametrize(
    "form",
    [
        {"days": "0"},
        {"days": "367"},
        {"days": "-1"},
        {"days": "x"},
        {"role": "root"},
        {"name": ""},
        {"name": "a" * 121},
    ],
)
def test_an_impossible_token_is_refused(door: Door, form: dict[str, str]) -> None:
    browser = door.signed_in("ada", "viewer")
    answer = browser.post("/you/tokens", data={"name": "x", "role": "viewer", "days": "1"} | form)
    assert answer.status_code == 422
    assert "rdv_" not in answer.text


def test_signing_in_is_in_the_audit_trail(door: Door) -> None:
    door.signed_in("ada", "viewer")
    with read(door.engine) as session:
        entry = session.scalars(select(AuditEntry)).one()
    assert (entry.who, entry.verb, entry.subject, entry.details) == ("ada", "sign-in", "ada", {"by": "link"})
    assert entry.came_from == "127.0.0.1"


def test_a_password_is_kept_as_argon2id_and_a_short_one_refused(door: Door) -> None:
    door.add("ada", "viewer")
    with write(door.engine) as session:
        kept = session.scalars(select(User.password_hash)).one()
        assert kept is not None
        assert kept.startswith("$argon2id$")
        with pytest.raises(BadInput, match="11 characters; it must have 12 to 1,000"):
            users.set_password(session, "ada", "x" * 11)


def test_the_door_says_how_to_come_in_where_no_password_does(settings: Settings, sqlite_engine: Engine) -> None:
    page = Door(settings, sqlite_engine, way=SignIn.LINK).browser().get("/sign-in").text
    assert "redrive link" in page
    assert "password" not in page.lower()


def test_a_problem_shows_nothing_of_the_console_to_whoever_is_not_signed_in(door: Door) -> None:
    page = door.browser().get("/no/such/page")
    assert page.status_code == 404
    assert "<nav" not in page.text
