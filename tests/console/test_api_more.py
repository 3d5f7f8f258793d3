"""The API's edits, exports, people and map: what the pages do, by the same use cases."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from console.export import COLUMNS
from deadletter.settings import Settings
from deadletter.store import write
from deadletter.store.models import AuditEntry
from tests.console.api import Program
from tests.console.people import Door
from tests.factories import NOW, make_parsed, store_some

PAYLOAD = '{"orderId": "ord-1", "amount": 18.40, "card": "4111111111111111"}'


@pytest.fixture
def door(settings: Settings, sqlite_engine: Engine) -> Door:
    """A console with one event, which has a secret in its payload."""
    with write(sqlite_engine) as session:
        store_some(session, make_parsed(payload_text=PAYLOAD, error_message="edit me"), now=NOW)
    return Door(settings, sqlite_engine)


@pytest.fixture
def ada(door: Door) -> Program:
    return Program(door, "ada", "admin")


def test_an_edit_is_previewed_made_and_listed_with_who_made_it(ada: Program) -> None:
    form = ada.get("/events/1/edit").get_json()
    assert "4111111111111111" not in form["payload"]
    edit = {"payload": form["payload"].replace("18.40", "19.40"), "digest": form["digest"]}
    shown = ada.post("/events/1/edit/preview", edit).get_json()
    assert {"kind": "added", "text": '  "amount": 19.40,'} in shown["diff"]["lines"]
    assert ada.get("/events/1/edits").get_json() == []
    made = ada.post("/events/1/edits", edit)
    assert (made.status_code, made.get_json()["status"], made.get_json()["planned"]) == (201, "planned", 1)
    number = made.get_json()["id"]
    (listed,) = ada.get("/events/1/edits").get_json()
    assert (listed["made_by"], listed["how"], listed["redrive_id"]) == ("ada", "by hand", number)
    assert listed["diff"] == shown["diff"]
    assert "4111111111111111" not in json.dumps(listed)
    assert ada.get(f"/redrives/{number}/edits").get_json()["items"] == [listed]
    again = ada.get(f"/events/1/edit?base={number}").get_json()
    assert "19.40" in again["payload"]


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [({"digest": "0" * 64}, 409, "Look again"), ({}, 422, "Nothing changed"), ({"base": "77"}, 404, "no edit")],
)
def test_an_edit_of_something_else_or_of_nothing_is_refused(
    ada: Program, change: dict[str, str], status: int, said: str
) -> None:
    answer = ada.post("/events/1/edits", ada.get("/events/1/edit").get_json() | change)
    assert (answer.status_code, said in answer.get_json()["detail"]) == (status, True)


def test_what_matches_a_filter_is_exported_and_only_what_one_may_see(ada: Program, door: Door) -> None:
    lines = ada.get("/events/export?format=ndjson&status=unresolved").text.splitlines()
    assert [json.loads(line)["payload"]["orderId"] for line in lines] == ["ord-1"]
    assert "4111111111111111" not in lines[0]
    table = ada.get("/events/export")
    assert (table.content_type, table.text.splitlines()[0]) == ("text/csv; charset=utf-8", ",".join(COLUMNS))
    assert ada.get("/events/export?status=archived&format=ndjson").text == ""
    bob = Program(door, "bob", "viewer:*:payments-*")
    assert bob.get("/events/export?format=ndjson").text == ""
    assert bob.get("/audit/export").status_code == 403
    assert ada.get("/events/export?format=xls").get_json()["detail"].startswith("There is no format")


def test_a_report_is_a_document_and_the_audit_trail_a_stream(ada: Program) -> None:
    assert ada.get("/report/document?format=md&from=7d").text.startswith("# ")
    assert "<!doctype html>" in ada.get("/report/document").text.lower()
    ada.post("/groups/1/assign", {"assignee": "ada"})
    lines = [json.loads(line) for line in ada.get("/audit/export?format=ndjson").text.splitlines()]
    assert [line["verb"] for line in lines if line["kind"] == "group"] == ["assign"]


def test_people_and_tokens_are_made_listed_and_revoked_and_a_secret_is_said_once(
    ada: Program, door: Door, sqlite_engine: Engine
) -> None:
    grant = {"name": "bob", "grants": ["operator:*:orders-*"]}
    added = ada.post("/people", grant, key="one").get_json()
    secret = added["link"].partition("key=")[2]
    assert door.browser().post("/sign-in/link", data={"key": secret}).status_code == 303
    token = ada.post(
        "/people/tokens", {"owner": "bob", "name": "ci", "role": "viewer", "days": 7}, key="two"
    ).get_json()["token"]
    bobs = Program(door, "carol", "viewer")
    bobs.headers = {"Authorization": f"Bearer {token}"}
    (mine,) = bobs.get("/me/tokens").get_json()
    assert (mine["owner"], mine["name"], mine["role"]) == ("bob", "ci", "viewer")
    assert bobs.get("/people/tokens").status_code == 403
    everything = "".join(ada.get(path).text for path in ("/people", "/people/tokens", "/audit"))
    with write(sqlite_engine) as session:
        everything += "".join(str(entry.details) for entry in session.query(AuditEntry))
    assert token not in everything
    assert secret not in everything
    assert ada.post(f"/people/tokens/{mine['id']}/revoke").get_json()["revoked_at"]
    assert bobs.get("/me").status_code == 401
    assert ada.post("/people/grants", {"name": "bob", "grants": []}).get_json()["grants"] == []
    assert ada.post("/people/disable", {"name": "ada"}).status_code == 409  # nobody could manage people any more
    door.wait(seconds=timedelta(hours=1).total_seconds())
    assert ada.post("/people/disable", {"name": "bob"}).get_json()["disabled_at"]
