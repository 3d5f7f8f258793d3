"""Every address under every role: a table over the URL map, so that a new address without a rule fails."""

import re
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine
from werkzeug.routing import Rule

from console.app import create_app
from console.sign_in.rules import PUBLIC, RULES, check
from deadletter.access import LEAST_ROLE, Role
from deadletter.settings import Settings
from tests.console.people import Door

ROLES = (None, *Role)


def all_rules() -> list[Rule]:
    return sorted(create_app(Settings()).url_map.iter_rules(), key=lambda rule: (rule.rule, rule.endpoint))


def address(rule: Rule) -> str:
    return re.sub(r"<[^>]+>", "1", re.sub(r"<any\((\w+),[^>]*>", r"\1", rule.rule))


@pytest.fixture(scope="module")
def door(seeded_file: bytes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    from deadletter.store import make_engine  # noqa: PLC0415 - one engine for the whole table

    settings = Settings(data_dir=tmp_path_factory.mktemp("table"))
    (settings.data_dir / "redrive.db").write_bytes(seeded_file)
    engine: Engine = make_engine(settings)
    yield Door(settings, engine)
    engine.dispose()


@pytest.fixture(scope="module")
def browsers(door: Door) -> dict[Role | None, FlaskClient]:
    return {role: door.signed_in(role or "nobody", *([role] if role else [])) for role in ROLES}


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: f"{max(rule.methods or ())} {rule.rule}")
def test_each_role_may_what_its_row_says_and_nothing_else(
    rule: Rule, door: Door, browsers: dict[Role | None, FlaskClient]
) -> None:
    needed = RULES[rule.endpoint]
    method = "POST" if "POST" in (rule.methods or ()) else "GET"
    stranger = door.browser().open(address(rule), method=method)
    if needed is PUBLIC:
        assert stranger.status_code != 401
        assert not stranger.headers.get("Location", "").startswith("/sign-in?back=")
        stranger.close()
        return
    asks_by_401 = method == "POST" or rule.rule.startswith("/api/")
    turned_away = (401, None) if asks_by_401 else (303, "/sign-in?back=")
    assert stranger.status_code == turned_away[0]
    assert stranger.headers.get("Location", "").startswith(turned_away[1] or "")
    for role, browser in browsers.items():
        allowed = role is not None and list(Role).index(role) >= list(Role).index(LEAST_ROLE[needed])
        if allowed and method == "POST":
            continue  # what it then does is other tests' business, and would change the table for the next row
        answer = browser.open(address(rule), method=method)
        assert (answer.status_code == 403) is not allowed, (role, answer.status_code)
        if not allowed:
            assert "An admin of this console can" in answer.text


def test_an_address_without_a_rule_does_not_start() -> None:
    with pytest.raises(LookupError, match=r"No rule says who may use reports\.secret"):
        check([*RULES, "reports.secret"])


def test_every_row_of_the_table_is_an_address() -> None:
    assert {rule.endpoint for rule in all_rules()} == set(RULES)
