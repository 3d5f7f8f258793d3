"""Whatever lies in a queue is shown, and none of it does anything."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from deadletter.collect import parse_batch
from deadletter.event import ReceivedMessage
from deadletter.secret_rules import read_rules
from deadletter.settings import Settings
from deadletter.store import write
from deadletter.store.ingest import store_messages
from tests.console.conftest import NOW
from tests.console.page import Page
from tests.factories import make_source
from tests.rows import make_body

SCRIPT = "<script>alert(1)</script>"
NUMBER = "KD-4711-99"
"""A customer's number, which nobody but the house knows as a secret."""

EXPORTS = {
    "reports.download": tuple(f"?from=2026-11-01&format={kind}" for kind in ("html", "md", "json", "csv", "ndjson"))
}
HOSTILE = (
    SCRIPT,
    "\"'><img src=x onerror=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "\u202egnp.exe\u2066",
    "a\x00b\x1b[2J\r\n",
    "\ud800",
    "javascript:alert(1)",
    "]]>--></title></textarea></svg>",
    "x" * 3000,
)


@pytest.fixture
def show(
    sqlite_engine: Engine, make_client: Callable[..., FlaskClient], settings: Settings
) -> Callable[..., FlaskClient]:
    """Collect messages; return a client of the console on them."""

    def collected(*messages: ReceivedMessage) -> FlaskClient:
        with write(sqlite_engine) as session:
            source = make_source(session)
            store_messages(session, source.id, parse_batch(messages, source), now=NOW)
        return make_client(sqlite_engine, chosen=settings)

    return collected


def message(body: str, n: int = 1, **given: object) -> ReceivedMessage:
    return ReceivedMessage(f"m-{n}", body, **given)  # type: ignore[arg-type] # each of its own type


def pages(
    client: FlaskClient, addresses: Sequence[str] = ("/groups", "/groups/1", "/events", "/events/1")
) -> list[Page]:
    answers = [client.get(address) for address in addresses]
    assert [answer.status_code for answer in answers] == [200] * len(answers)
    return [Page(answer.get_data(as_text=True)) for answer in answers]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_anywhere_in_a_record_is_text_on_every_page(show: Callable[..., FlaskClient], text: str) -> None:
    body = make_body(
        {"orderId": text, text: text}, error=(text, text), stack=(f'  File "{text}", line 1, in {text}\n',)
    )
    attributes = {"X": {"DataType": text, "StringValue": text}, text: {"DataType": "String", "StringValue": "x"}}
    client = show(message(body, message_attributes=attributes), message(text, 2))
    for page in pages(client, ("/groups", "/groups/1", "/groups/2", "/events", "/events/1", "/events/2", "/overview")):
        assert not page.inline_scripts
        assert not page.all("img")
        assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
        assert all(not a.get("href", "").startswith("javascript:") for a in page.all("a"))
        for character in ("\u202e", "\u2066", "\x00", "\x1b"):
            assert character not in page.text


def test_text_that_looks_like_a_template_is_not_run(show: Callable[..., FlaskClient]) -> None:
    client = show(message(make_body(error=("E", "{{ 7 * 7 }}"))))
    assert "{{ 7 * 7 }}" in pages(client, ("/events/1",))[0].text


def test_hostile_text_in_an_address_is_text_on_the_page(reader: FlaskClient) -> None:
    for name in ("text", "function", "error_type"):
        page = Page(reader.get("/events", query_string={name: f'"{SCRIPT}'}).text)
        assert not page.inline_scripts
        assert SCRIPT in page.text or any(SCRIPT in field.get("value", "") for field in page.all("input"))


@pytest.mark.parametrize(
    "body",
    ["", "\x00", "[" * 100_000, '{"a":' * 5000 + "1" + "}" * 5000, "x" * 1_048_576, '{"a":1e999999}', "9" * 5000],
    ids=["empty", "nul", "brackets", "nested", "mebibyte", "huge float", "huge number"],
)
def test_any_body_is_shown_and_can_be_downloaded(show: Callable[..., FlaskClient], body: str) -> None:
    client = show(message(body))
    pages(client)
    answer = client.get("/events/1/raw")
    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    assert answer.data.decode() == body


def test_secrets_are_masked_wherever_an_event_is_shown(show: Callable[..., FlaskClient], sqlite_engine: Engine) -> None:
    secrets = ("hunter2", "4111111111111111", "tok-abcdef", "swordfish")
    payload = {"password": secrets[0], "note": f"card {secrets[1]}", "badge_code": secrets[3]}
    body = make_body(payload, error=("AuthError", f"password={secrets[0]} for card {secrets[1]}"))
    attributes = {"Authorization": {"DataType": "String", "StringValue": secrets[2]}}
    client = show(message(body, message_attributes=attributes))
    for address in ("/groups", "/groups/1", "/events", "/events/1", "/events/1/raw"):
        for secret in secrets[:3]:
            assert secret not in client.get(address).text, (address, secret)
    with sqlite_engine.connect() as connection:
        [stored] = connection.exec_driver_sql("SELECT body FROM records").scalars()
    assert json.loads(stored)["requestPayload"] == payload


def test_keys_that_the_settings_name_are_masked_too(
    show: Callable[..., FlaskClient], make_client: Callable[..., FlaskClient], sqlite_engine: Engine, settings: Settings
) -> None:
    show(message(make_body({"badge_code": "swordfish"})))
    stricter = replace(settings, secrets=read_rules(["badge_code"], "", ""))
    client = make_client(sqlite_engine, chosen=stricter)
    for address in ("/events/1", "/events/1/raw"):
        assert "swordfish" not in client.get(address).text


def test_a_house_s_own_pattern_holds_at_every_address_that_shows_anything(
    show: Callable[..., FlaskClient], make_client: Callable[..., FlaskClient], sqlite_engine: Engine, settings: Settings
) -> None:
    body = make_body(
        {"orderId": NUMBER, "no": f"for {NUMBER}"}, error=(NUMBER, f"declined for {NUMBER}"), stack=(NUMBER,)
    )
    attributes = {"customer": {"DataType": "String", "StringValue": NUMBER}}
    show(message(body, message_attributes=attributes), message(f"to {NUMBER}", 2))
    client = make_client(sqlite_engine, chosen=replace(settings, secrets=read_rules([], "", r"KD-\d{4}-\d{2}")))
    ours = {"headers": {"Sec-Fetch-Site": "same-origin"}}
    client.post("/groups/1/note", data={"text": f"call {NUMBER}"}, **ours)
    client.post("/events/1/edit", data={"payload": f'{{"orderId": "{NUMBER}"}}'}, **ours)
    client.post("/redrives", data={"event": "1"}, **ours)
    seen = set()
    for rule in client.application.url_map.iter_rules():
        if "GET" in (rule.methods or ()) and rule.endpoint != "static":
            for query in EXPORTS.get(rule.endpoint, ("",)):
                answer = client.get(re.sub(r"<[^>]+>", "1", rule.rule.replace("<extension>", "csv")) + query)
                shown = answer.get_data(as_text=True)
                answer.close()
                assert NUMBER not in shown, rule
                seen |= {rule.endpoint} if "••••••" in shown or r"\u2022" in shown else set()
    assert {"events.show", "events.raw", "groups.show", "events.index", "reports.download", "api.events_show"} <= seen


def test_the_stack_tells_our_frames_from_the_librarys(reader: FlaskClient) -> None:
    page = Page(reader.get("/events/1").text)
    assert len(page.all("li", **{"class": "ours"})) == 2
    assert "gateway.py" in page.text
    assert "aws_lambda_powertools" in page.text


def test_a_record_that_holds_no_error_says_why(reader: FlaskClient) -> None:
    address = next(link for link in Page(reader.get("/events?function=orders-queue").text).links if "/events/" in link)
    assert "SQS does not say why" in Page(reader.get(address).text).text
