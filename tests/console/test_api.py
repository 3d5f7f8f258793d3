"""The JSON API: the same use cases as the pages, for programs."""

import json
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import OperationalError

from console import triage
from console.api.blueprint import OPERATIONS, PREFIX
from console.api.document import document, openapi_path
from console.app import create_app
from deadletter.outcome import Outcome
from deadletter.settings import Settings
from deadletter.store import read, write
from deadletter.store.models import ApiAnswer, AuditEntry, Event, Source
from deadletter.store.redrives.edits import list_edits
from tests.console.api import Program
from tests.console.people import Door
from tests.factories import make_parsed, store_some
from tests.store.redriving import OTHER, report, take, tell


@pytest.fixture
def door(settings: Settings, seeded: Engine) -> Door:
    return Door(settings, seeded)


@pytest.fixture
def ada(door: Door) -> Program:
    return Program(door, "ada", "admin")


def first(program: Program, path: str) -> dict[str, object]:
    found: dict[str, object] = program.get(path).get_json()["items"][0]
    return found


def test_every_address_of_the_api_is_in_its_document_and_nothing_else_is() -> None:
    rules = [rule for rule in create_app(Settings()).url_map.iter_rules() if rule.rule.startswith("/api/")]
    served = {
        (method, openapi_path(rule.rule))
        for rule in rules
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.endpoint != "api.openapi"
    }
    paths = document(OPERATIONS, PREFIX)["paths"]
    assert {(method.upper(), path) for path, methods in paths.items() for method in methods} == served


def test_the_document_is_open_to_everybody_and_says_what_it_is(door: Door) -> None:
    told = door.browser().get("/api/v1/openapi.json")
    assert told.status_code == 200
    assert told.get_json()["openapi"].startswith("3.1")


def test_nobody_is_told_what_to_bring_instead_of_being_led_to_a_form(door: Door) -> None:
    answer = door.browser().get("/api/v1/groups")
    assert (answer.status_code, answer.content_type) == (401, "application/problem+json")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert "redrive tokens add" in answer.get_json()["detail"]


def pages(program: Program, path: str) -> Iterator[dict[str, object]]:
    cursor = ""
    while True:
        page = program.get(f"{path}{cursor}").get_json()
        yield from page["items"]
        if page["next"] is None:
            return
        cursor = f"&cursor={page['next']}"


@pytest.mark.parametrize("path", ["/groups?status=all", "/events?status=unresolved"])
def test_a_list_read_page_by_page_is_the_list_read_at_once(ada: Program, path: str) -> None:
    at_once = ada.get(f"{path}&limit=200").get_json()["items"]
    by_seven = list(pages(ada, f"{path}&limit=7"))
    assert len(at_once) > 7
    assert by_seven[: len(at_once)] == at_once


def test_an_event_comes_with_its_payload_and_without_its_secrets(ada: Program) -> None:
    event = first(ada, "/events")
    detail = ada.get(f"/events/{event['id']}").get_json()
    assert detail["event"]["id"] == event["id"]
    assert detail["records"]
    assert detail["payload"]


def test_a_group_is_assigned_by_the_api_as_by_its_page(ada: Program, door: Door) -> None:
    group = first(ada, "/groups")
    told = ada.post(f"/groups/{group['id']}/assign", {"assignee": "grace"}).get_json()
    assert told["group"]["assignee"] == "grace"
    with read(door.engine) as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.verb == "assign")).one()
    assert (entry.who, entry.subject) == ("ada", str(group["id"]))


def test_all_that_a_filter_means_is_resolved_by_the_api_and_opened_again(ada: Program) -> None:
    open_ones = len(ada.get("/events?status=unresolved&limit=200").get_json()["items"])
    resolved = ada.post("/events/resolve", {"filter": "status=unresolved"})
    assert (resolved.status_code, resolved.get_json()) == (200, {"events": open_ones})
    assert ada.get("/groups?status=unresolved").get_json()["items"] == []
    assert ada.post("/events/unresolve", {"filter": "status=resolved"}).get_json()["events"] >= open_ones
    assert ada.get("/groups?status=unresolved").get_json()["items"]


def test_a_redrive_is_planned_confirmed_by_its_digest_paused_and_cancelled(ada: Program) -> None:
    group = first(ada, "/groups?function=orders-capture")
    planned = ada.post("/redrives", {"groups": [group["id"]], "rate": 5, "canary": 0})
    assert planned.status_code == 201
    redrive = planned.get_json()
    assert (redrive["status"], redrive["rate"], redrive["sent"]) == ("planned", 5.0, 0)
    path = f"/redrives/{redrive['id']}"
    assert ada.post(f"{path}/start", {"digest": "another"}).status_code == 409
    assert ada.post(f"{path}/start", {"digest": redrive["digest"]}).get_json()["status"] == "running"
    assert ada.post(f"{path}/pause").get_json()["status"] == "paused"
    assert ada.post(f"{path}/rate", {"rate": 2}).get_json()["rate"] == 2.0
    assert ada.post(f"{path}/cancel").get_json()["status"] == "cancelled"
    assert {item["outcome"] for item in ada.get(f"{path}/items").get_json()["items"]} == {"skipped"}


def test_a_repeated_write_is_done_once_and_answered_alike(ada: Program) -> None:
    body = {"filter": "function=orders-capture&status=unresolved"}
    one, two = (ada.post("/redrives", body, key="plan-1") for _ in range(2))
    assert (one.status_code, one.get_json()) == (two.status_code, two.get_json())
    assert len(ada.get("/redrives?limit=200").get_json()["items"]) == len(
        {redrive["id"] for redrive in ada.get("/redrives?limit=200").get_json()["items"]}
    )
    three = ada.post("/redrives", body, key="plan-2").get_json()
    assert three["id"] == one.get_json()["id"] + 1


def test_a_key_that_is_used_for_another_request_is_refused(ada: Program) -> None:
    group = first(ada, "/groups")["id"]
    assert ada.post(f"/groups/{group}/note", {"text": "a"}, key="k").status_code == 200
    other = ada.post(f"/groups/{group}/note", {"text": "b"}, key="k")
    assert (other.status_code, "another request" in other.get_json()["detail"]) == (422, True)
    assert [note["text"] for note in ada.get(f"/groups/{group}/notes").get_json()] == ["a"]


def test_a_refusal_is_kept_too_and_a_key_lives_a_day(ada: Program, door: Door) -> None:
    first_answer = ada.post("/redrives/1/start", {"digest": "x"}, key="k")
    assert first_answer.status_code in {404, 409}
    assert ada.post("/redrives/1/start", {"digest": "x"}, key="k").get_json() == first_answer.get_json()
    door.wait(hours=23)
    assert ada.post("/redrives/1/start", {"digest": "y"}, key="k").status_code == 422
    with read(door.engine) as session:
        assert session.scalars(select(ApiAnswer.key)).all() == ["k"]


def test_a_request_that_has_no_answer_yet_is_not_begun_again(ada: Program, door: Door) -> None:
    from deadletter.store import write  # noqa: PLC0415 - as a request that is still running left it

    group = first(ada, "/groups")["id"]
    assert ada.post(f"/groups/{group}/wake", key="k").status_code == 200
    with write(door.engine) as session:
        kept = session.scalars(select(ApiAnswer)).one()
        kept.status = kept.body = None
    again = ada.post(f"/groups/{group}/wake", key="k")
    assert (again.status_code, "has no answer yet" in again.get_json()["detail"]) == (409, True)


def test_two_people_may_use_the_same_key(ada: Program, door: Door) -> None:
    grace = Program(door, "grace", "operator")
    group = first(ada, "/groups")["id"]
    for who in (ada, grace):
        assert (
            who.post(f"/groups/{group}/note", {"text": who.get("/me").get_json()["name"]}, key="k").status_code == 200
        )
    assert {note["text"] for note in ada.get(f"/groups/{group}/notes").get_json()} == {"ada", "grace"}


BODIES = [
    (b"{", 400, "not JSON"),
    (b"\xff", 400, "not JSON"),
    (b"[]", 400, "JSON object"),
    (b'{"text": NaN}', 400, "no JSON number"),
    (b'{"text": "a", "text": "b"}', 400, "twice"),
    (b'{"text":' + b"[" * 100_000 + b"}", 400, "nested too deeply"),
    (b'{"text": 1}', 422, "must be a text"),
    (b'{"txt": "a"}', 422, "There is no field 'txt' here. There are: text."),
    (b"{}", 422, "'text' is missing"),
    (b'{"text": "\\u0000"}', 422, "cannot be stored"),
    (b'{"text": "\\ud800"}', 422, "cannot be stored"),
    (b'{"text": "' + b"a" * 10_001 + b'"}', 422, "to 10,000 characters, and has 10,001"),
    (b'{"text": "' + b"a" * 1_000_001 + b'"}', 413, "at most 1 MB"),
]


@pytest.mark.parametrize(
    ("body", "status", "sentence"), BODIES, ids=[text[:24].decode("latin-1") for text, *_ in BODIES]
)
def test_a_body_that_is_not_as_the_document_says_is_refused_with_a_sentence(
    ada: Program, body: bytes, status: int, sentence: str
) -> None:
    answer = ada.post(f"/groups/{first(ada, '/groups')['id']}/note", body)
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
    assert sentence in answer.get_json()["detail"]


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "text/json"]
)
def test_only_json_is_taken(ada: Program, kind: str) -> None:
    body = json.dumps({"text": "a"})
    answer = ada.browser.post("/api/v1/groups/1/note", data=body, headers=ada.headers, content_type=kind)
    assert answer.status_code == 415


def test_a_browser_that_is_signed_in_writes_no_json_for_another_sites_page(door: Door) -> None:
    browser = door.signed_in("ada", "admin")
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = browser.post("/api/v1/groups/1/resolve", json={}, headers=headers)
        assert (answer.status_code, answer.content_type) == (403, "application/problem+json")
    assert (
        browser.post("/api/v1/groups/1/resolve", json={}, headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200
    )


@pytest.mark.parametrize(
    "path",
    ["/groups?limit=0", "/events?limit=201", "/events?limit=x", "/events?colour=red", "/events?cursor=x", "/audit?x=1"],
)
def test_a_parameter_that_is_not_as_the_document_says_is_refused(ada: Program, path: str) -> None:
    assert ada.get(path).status_code == 422


def test_what_is_not_there_and_what_is_not_taken_are_problems_too(ada: Program) -> None:
    assert ada.get("/nothing").get_json()["status"] == 404
    assert ada.get("/groups/999999").get_json()["status"] == 404
    wrong = ada.post("/groups")
    assert (wrong.status_code, wrong.get_json()["title"]) == (405, "Method Not Allowed")
    assert "GET" in wrong.headers["Allow"]


def test_grants_for_some_sources_hold_in_the_api(ada: Program, door: Door) -> None:
    with read(door.engine) as session:
        mine, other = session.execute(select(Source.id, Source.arn).order_by(Source.id).limit(2)).all()
    bob = Program(door, "bob", f"operator:{mine.arn}")
    assert {event["source_id"] for event in bob.get("/events?limit=200").get_json()["items"]} == {mine.id}
    foreign = first(ada, f"/events?source={other.id}")["id"]
    assert bob.get(f"/events/{foreign}").status_code == 403
    for path, body in (
        ("/events/archive", {"events": [foreign]}),
        ("/events/resolve", {"events": [foreign]}),
        ("/events/resolve", {"filter": "status=unresolved"}),
        ("/redrives", {"events": [foreign]}),
    ):
        refused = bob.post(path, body)
        assert (refused.status_code, str(other.arn) in refused.get_json()["detail"]) == (403, True)


def test_an_admin_of_some_sources_registers_and_changes_no_others(ada: Program, door: Door) -> None:
    known = ada.get("/sources").get_json()[0]
    theirs = "arn:aws:sqs:eu-west-1:111122223333:payments-dlq"
    program, browser = Program(door, "eve", "admin:*:payments-*"), door.signed_in("mallory", "admin:*:payments-*")
    target = "arn:aws:lambda:eu-west-1:111122223333:function:eves"
    assert program.post("/sources", {"arn": known["arn"], "target": target}).status_code == 403
    assert browser.post("/sources", data={"arn": known["arn"], "target": target}).status_code == 403
    assert ada.get(f"/sources/{known['id']}").get_json()["target_arn"] == known["target_arn"]
    assert program.post("/sources", {"arn": theirs}).status_code == 201


def test_a_report_the_audit_trail_and_who_asks_are_read_as_json(ada: Program) -> None:
    assert ada.get("/report?from=7d").get_json()["events"] > 0
    assert ada.get("/audit").get_json()["next"] is None
    me = ada.get("/me").get_json()
    assert (me["name"], me["grants"]) == ("ada", ["admin"])
    assert ada.get("/workers").get_json()["workers"]
    assert ada.get("/unknown").status_code == 200


def test_a_revealed_event_is_whole_and_written_down_and_never_kept_for_a_repeat(door: Door, ada: Program) -> None:
    event = first(ada, "/events?status=unresolved")["id"]
    told = ada.post(f"/events/{event}/reveal", {}, key="k")
    assert told.status_code == 200
    assert [record["id"] for record in told.get_json()["records"]]
    assert Program(door, "val", "viewer").post(f"/events/{event}/reveal").status_code == 403
    assert ada.post("/events/999999/reveal").status_code == 404
    with read(door.engine) as session:
        said = select(AuditEntry.who, AuditEntry.subject).where(AuditEntry.verb == "reveal")
        assert list(session.execute(said)) == [("ada", str(event))]
        assert list(session.scalars(select(ApiAnswer.key))) == []


def test_a_discovery_is_asked_for_and_its_map_is_read(ada: Program) -> None:
    before = ada.get("/discovery").get_json()
    assert (before["latest"], before["gaps"]) == (None, [])
    assert all(place["registered"] for place in before["places"])
    asked = ada.post("/discovery").get_json()
    assert (asked["status"], asked["asked_by"]) == ("asked", "ada")
    assert ada.get("/discovery").get_json()["latest"] == asked


def test_what_failed_by_our_own_fault_may_be_asked_again_with_its_key(
    ada: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = first(ada, "/groups")["id"]

    def locked(*_given: object, **_said: object) -> None:
        raise OperationalError("UPDATE", {}, Exception("database is locked"))

    with monkeypatch.context() as patch:
        patch.setattr(triage, "act", locked)
        busy = ada.post(f"/groups/{group}/note", {"text": "a"}, key="k")
    assert (busy.status_code, busy.content_type, busy.headers["Retry-After"]) == (503, "application/problem+json", "5")
    assert ada.post(f"/groups/{group}/note", {"text": "a"}, key="k").status_code == 200
    assert [note["text"] for note in ada.get(f"/groups/{group}/notes").get_json()] == ["a"]


def test_a_program_must_say_which_form_of_an_edited_event_is_sent(ada: Program, seeded: Engine) -> None:
    with write(seeded) as session:
        store_some(session, make_parsed(payload_text='{"order_id": "ord-1"}'))
        chosen = {"events": [session.scalar(select(func.max(Event.id))) or 0]}
    euros = '[{"op": "add", "path": "/currency", "value": "EUR"}]'
    edited = ada.post("/redrives", chosen | {"transform": euros, "canary": 0}).get_json()
    assert ada.post(f"/redrives/{edited['id']}/start", {"digest": edited["digest"]}).status_code == 200
    (claimed,) = take(seeded, edited["id"], later_s=60.0)
    failed = report(claimed, Outcome.FAILED_AGAIN, fingerprint=OTHER, error_type="KeyError", error_message="'a'")
    tell(seeded, edited["id"], failed, later_s=61.0)

    assert ada.post("/redrives", chosen | {"transform": euros, "payloads": "edited"}).status_code == 422
    as_sent = ada.post("/redrives", chosen | {"payloads": "edited"}).get_json()
    with read(seeded) as session:
        (edit,) = list_edits(session, as_sent["id"]).rows
    assert json.loads(edit.payload)["currency"] == "EUR"

    plain = ada.post("/redrives", chosen).get_json()
    path, digest = f"/redrives/{plain['id']}/start", plain["digest"]
    assert ada.post(path, {"digest": digest}).status_code == 422
    assert ada.post(path, {"digest": digest, "originals": True}).get_json()["status"] == "running"
