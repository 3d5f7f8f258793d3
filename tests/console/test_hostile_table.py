"""A table of hostile inputs, each with the answer that it gets. What lies in a queue is `test_hostile`'s besides."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask.testing import FlaskClient

from deadletter.access import Grant, Role
from deadletter.errors import BadInput
from deadletter.event import ReceivedMessage
from deadletter.parse import parse_message
from deadletter.redrive import parse_target
from deadletter.settings import Settings
from deadletter.store import make_engine, write
from deadletter.store.people.users import add_user
from tests.console.api import Program
from tests.console.page import Page
from tests.console.people import Door
from tests.factories import make_message, make_parsed, store_some
from tests.rows import make_body

XSS = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>"
ARN = "arn:aws:lambda:{}:123456789012:function:f"
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Row:
    """What is sent, by a signed-in admin unless `nobody`, and what comes back: a status, and words of the answer."""

    what: str
    method: str
    path: str
    status: int
    says: str = ""
    data: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    kind: str = FORM
    nobody: bool = False


def foreign(what: str, **headers: str) -> Row:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Row(f"a form from {what}", "POST", "/groups/1/resolve", 403, "nothing was changed", headers=names)


def host(name: str) -> Row:
    return Row(f"Host {name!r}", "GET", "/groups", 400, "does not answer to the name", headers={"Host": name})


def target(arn: str) -> Row:
    return Row(
        f"target {arn!r}", "POST", "/api/v1/sources/1/target", 422, "is not the ARN", {"target": arn}, kind="json"
    )


def bearer(token: str) -> Row:
    headers = {"Authorization": f"Bearer {token}"}
    return Row(f"token {token[:20]!r}", "GET", "/api/v1/groups", 401, "lets nobody in", headers=headers, nobody=True)


def cookie(value: str) -> Row:
    headers = {"Cookie": f"redrive-80={value}"}
    return Row(f"cookie {value[:20]!r}", "GET", "/api/v1/me", 401, "needs a token", headers=headers, nobody=True)


def cursor(path: str, text: str) -> Row:
    return Row(f"cursor {text[:20]!r} of {path}", "GET", f"{path}?cursor={text}", 422)


def body(what: str, text: bytes, status: int, says: str) -> Row:
    return Row(what, "POST", "/api/v1/groups/1/note", status, says, text, kind="application/json")


TABLE = (
    # Writes that another site's page asks the browser for.
    foreign("another site", Origin="https://evil.example"),
    foreign("a sandboxed frame", Origin="null"),
    foreign("a sub-domain of ours", Origin="http://evil.localhost"),
    foreign("a domain that begins like ours", Origin="http://localhost.evil.example"),
    foreign("another port of our host", Origin="http://localhost:9999"),
    foreign("another site, says the browser", Sec_Fetch_Site="cross-site"),
    foreign("a sibling site, says the browser", Sec_Fetch_Site="same-site"),
    foreign("a page that claims our origin too", Sec_Fetch_Site="cross-site", Origin="http://localhost"),
    foreign("an origin that is no address", Origin="http://[x"),
    Row(
        "JSON as text/plain, which needs no preflight",
        "POST",
        "/api/v1/groups/1/resolve",
        415,
        "as JSON",
        b"{}",
        kind="text/plain",
    ),
    Row("JSON as a form", "POST", "/api/v1/groups/1/resolve", 415, "as JSON", {"a": "{}"}),
    # Names that are not ours.
    *map(
        host,
        (
            "evil.example",
            "localhost.evil.example",
            "evil.example:80",
            "127.0.0.1.evil.example",
            "[::2]",
            "localhost@evil.example",
        ),
    ),
    Row("X-Forwarded-Host", "GET", "/api/v1/me", 200, '"ada"', headers={"X-Forwarded-Host": "evil.example"}),
    # Forged tokens and cookies.
    *map(bearer, ("", "rdv_", "rdv_" + "A" * 43, "rdv_' OR '1'='1", "eyJhbGciOiJub25lIn0.e30.", "rdv_" + "x" * 5_000)),
    *map(cookie, ("", "x", "eyJ1c2VyIjoxfQ.aaaa.bbbb", "' OR 1=1 --", "%00", "A" * 3_000)),
    # Where an address could lead our own requests.
    *map(
        target,
        (
            ARN.format("x.evil.com/#"),
            ARN.format("evil.com?"),
            ARN.format("eu-west-1@evil.com"),
            ARN.format("../.."),
            ARN.format("eu-west-1.evil"),
            ARN.format("127.0.0.1:80"),
            ARN.format("\u0435u-west-1"),
            "arn:aws:sqs:x.evil.com/#:123456789012:q",
            "https://sqs.eu-west-1.amazonaws.com/123456789012/q",
            "http://169.254.169.254/latest/meta-data",
            "file:///etc/passwd",
            "arn:aws:iam::123456789012:role/admin",
        ),
    ),
    Row(
        "a source in a Region of theirs",
        "POST",
        "/sources",
        422,
        "is not the ARN",
        {"arn": "arn:aws:sqs:x.evil.com/#:123456789012:q"},
    ),
    Row("a source beyond its bucket", "POST", "/sources", 422, "is not the ARN", {"arn": "arn:aws:s3:::..%2f..%2fetc"}),
    Row(
        "a line's end in a prefix", "POST", "/sources", 422, "is not the ARN", {"arn": "arn:aws:s3:::bucket/a\r\nX: y"}
    ),
    # SQL, where a text reaches the database.
    Row("SQL in a filter's text", "GET", "/api/v1/events?function='+OR+1=1+--", 200, '"items": []'),
    Row("a LIKE pattern as a word", "GET", "/api/v1/events?text=%25%25%25", 200, '"items": []'),
    Row("SQL in an id", "GET", "/events?group=1+OR+1=1", 422, "must be its number"),
    Row("SQL in a sort order", "GET", "/groups?sort=id;DROP+TABLE+events", 422, "cannot be sorted"),
    Row("SQL in a filter's name", "GET", "/events?1=1;--", 422, "There is no filter named"),
    Row("SQL in the audit trail's filter", "GET", "/api/v1/audit?who='+OR+1=1+--", 200, '"items": []'),
    Row("a number that no id can be", "GET", "/events/99999999999999999999", 404),
    # Cursors that nobody was given.
    cursor("/api/v1/groups", "x"),
    cursor("/api/v1/events", "WyJsYXRlc3QiLDEsIjEgT1IgMT0xIl0"),
    cursor("/api/v1/events", "W1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tb"),
    cursor("/api/v1/audit", "%00"),
    cursor("/api/v1/redrives", "-1%20OR%201=1"),
    cursor("/api/v1/unknown", "W251bGwsMSwxXQ"),
    # Bodies.
    body("JSON that is too deep", b"[" * 200_000, 400, "nested too deeply"),
    body("JSON that is too large", b'{"text":"' + b"x" * 1_000_001 + b'"}', 413, "at most 1 MB"),
    body("a number of many digits", b'{"text":' + b"9" * 100_000 + b"}", 400, "not JSON"),
    body("a field that nobody asked for", b'{"text":"a","__proto__":{}}', 422, "There is no field"),
    body("a NUL in JSON", b'{"text":"\\u0000"}', 422, "cannot be stored"),
    body("half a surrogate pair in JSON", b'{"text":"\\udfff"}', 422, "cannot be stored"),
    body("a field twice", b'{"text":"a","text":"b"}', 400, "twice"),
    Row("a form that is too large", "POST", "/sources", 413, "at most 1 MB", {"arn": "x" * 1_000_001}),
    Row(
        "a form of too many rows",
        "POST",
        "/events/archive",
        422,
        "a form takes 1,000",
        {"event": [str(n) for n in range(1_001)]},
    ),
    Row("a NUL in a filter", "GET", "/events?text=%00", 200, "No"),
    Row("half a surrogate pair in a filter", "GET", "/events?text=%ED%A0%80", 200, "No"),
    # Other methods, other files, other places.
    Row("a method by a form's field", "POST", "/groups/1", 405, "", {"_method": "DELETE"}),
    Row("a method by a header", "GET", "/groups/1", 200, "", headers={"X-HTTP-Method-Override": "DELETE"}),
    Row("a method that is not one of ours", "DELETE", "/api/v1/groups/1", 405, "Method Not Allowed"),
    Row("TRACE", "TRACE", "/groups", 405),
    Row("a way out of the static files", "GET", "/static/..%2f..%2fpyproject.toml", 404),
    Row("a record of another event", "GET", "/events/1/raw?record=../../etc/passwd", 404, "has no record"),
    Row("a file name for the header", "GET", "/reports/download?format=x%22%0d%0aX:%20y", 422, "There is no format"),
    Row("an export that is not one", "GET", "/audit/export.csv%0d%0aX:y", 404, "csv or ndjson"),
    Row(
        "a key of the header's own making",
        "POST",
        "/api/v1/groups/1/wake",
        400,
        "visible ASCII",
        b"{}",
        {"Idempotency-Key": "a b"},
        kind="application/json",
    ),
)
BACK = (
    "https://evil.example",
    "//evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "javascript:alert(1)",
    "/\r\nLocation: https://evil.example",
    "https:evil.example",
    "///evil.example",
)


@pytest.fixture(scope="module")
def door(seeded_file: bytes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    chosen = Settings(data_dir=tmp_path_factory.mktemp("hostile"))
    (chosen.data_dir / "redrive.db").write_bytes(seeded_file)
    engine = make_engine(chosen)
    yield Door(chosen, engine)
    engine.dispose()


@pytest.fixture(scope="module")
def ada(door: Door) -> FlaskClient:
    return door.signed_in("ada", "admin")


def test_the_table_has_at_least_sixty_rows() -> None:
    assert len(TABLE) + len(BACK) >= 60
    assert len({row.what for row in TABLE}) == len(TABLE)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.what[:60].encode("ascii", "replace").decode())
def test_a_hostile_request_gets_the_answer_that_its_row_says(row: Row, door: Door, ada: FlaskClient) -> None:
    who = door.app.test_client(use_cookies=False) if row.nobody else ada
    said: dict[str, Any] = {"json": row.data} if row.kind == "json" else {"data": row.data}
    if row.data is not None and row.kind != "json":
        said["content_type"] = row.kind
    with who.open(row.path, method=row.method, headers=dict(row.headers), **said) as answer:
        assert answer.status_code == row.status
        assert row.says in answer.text
        assert "X" not in answer.headers
        assert "Traceback" not in answer.text


@pytest.mark.parametrize("back", BACK)
def test_no_form_and_no_sign_in_leads_to_another_place(back: str, door: Door, ada: FlaskClient) -> None:
    led = [ada.post("/events/archive", data={"event": "1", "back": back})]
    led += [door.browser().post("/sign-in", data={"name": "x", "password": "y", "back": back})]
    for answer in led:
        location = answer.headers.get("Location", "/")
        assert location.startswith("/")
        assert not location.startswith(("//", "/\\"))
        assert "evil.example" not in location


HOSTILE_RECORDS = {
    "error message": make_body(error=("E", XSS)),
    "error type": make_body(error=(XSS, "m")),
    "stack": make_body(error=("E", "m"), stack=(f'  File "{XSS}", line 1, in {XSS}\n',)),
    "payload": make_body({"id": XSS, XSS: 1}),
    "function name": make_body(error=("E", "m")).replace(
        "function:orders-capture", f"function:{XSS}".replace('"', '\\"')
    ),
    "whole body": XSS,
}


@pytest.mark.parametrize("where", HOSTILE_RECORDS)
def test_markup_in_a_record_is_text_on_every_page(where: str, door: Door, ada: FlaskClient) -> None:
    message = ReceivedMessage(f"m-{where}", HOSTILE_RECORDS[where])
    with write(door.engine) as session:
        store_some(session, make_parsed(parse_message(message), message=message), now=door.clock.now())
    newest = Program(door, f"reads {where}", "viewer").get("/events?limit=1").get_json()["items"][0]
    for path in (f"/events/{newest['id']}", f"/groups/{newest['group_id']}", "/groups", "/events", "/overview"):
        assert_inert(ada.get(path).text)


def test_markup_in_what_operators_write_is_text_on_every_page(ada: FlaskClient) -> None:
    for verb, form in (("note", {"text": XSS}), ("assign", {"assignee": XSS}), ("snooze", {"until": XSS})):
        assert_inert(ada.post(f"/groups/1/{verb}", data=form, follow_redirects=True).text)
    assert_inert(ada.post("/sources", data={"arn": XSS, "target": XSS}).text)
    assert_inert(ada.post("/people", data={"name": XSS, "roles": "viewer"}, follow_redirects=True).text)
    for path in ("/groups", "/groups/1", "/audit", "/people", f"/groups?assignee={XSS}", f"/audit?who={XSS}"):
        assert_inert(ada.get(path).text)


def assert_inert(html: str) -> None:
    page = Page(html)
    assert not page.inline_scripts
    assert not page.all("img", src="x")
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)


FORMULAS = ("=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\uff1d1+1", " =1")


@pytest.mark.parametrize("formula", FORMULAS)
def test_no_cell_of_an_export_runs_as_a_formula(formula: str, door: Door, ada: FlaskClient) -> None:
    with write(door.engine) as session:
        parsed = make_parsed(error_message=formula, message=make_message(json.dumps({"id": formula})))
        store_some(session, parsed, now=door.clock.now())
    answer = ada.get("/reports/download?format=csv&from=24h")
    cells = [cell for row in csv.reader(io.StringIO(answer.text)) for cell in row]
    assert any(cell.startswith("'") and formula.strip() in cell for cell in cells)
    assert formula not in cells


def test_a_role_and_a_pattern_are_no_way_to_more_than_was_granted() -> None:
    for text in ("root", "admin\n", "ADMIN", "", ":*"):
        if text.strip() == "admin":
            continue
        with pytest.raises(BadInput):
            Grant.parse(text)
    assert not Grant(Role.OPERATOR, "arn:aws:sqs:*:*:a").covers("arn:aws:sqs:eu-west-1:1:ab")


def test_a_name_with_control_characters_is_no_user(door: Door) -> None:
    for name in ("", "\u202eada", "a\x1b[2Jb", "x" * 1_000):
        with pytest.raises(BadInput), write(door.engine) as session:
            add_user(session, name, grants=(), password=None, now=door.clock.now())


def test_an_arn_of_a_target_is_one_line_of_ascii() -> None:
    for arn in (ARN.format("eu-west-1") + "\nx", ARN.format("eu-west-1") + "\x00", ARN.format("eu-west-1") + "?x"):
        with pytest.raises(BadInput):
            parse_target(arn)
