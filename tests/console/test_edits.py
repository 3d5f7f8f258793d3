"""Editing one event in a form, and many by a transform: reviewed, planned, shown; originals kept."""

import json
from html import unescape

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, func, select

from deadletter.outcome import Outcome
from deadletter.secret_rules import MASK
from deadletter.store import models, read, write
from deadletter.store.redrives.edits import edits_of_event, list_edits
from tests.console.page import Page
from tests.factories import NOW, make_parsed, store_some
from tests.store.redriving import OTHER, report, show, take, tell

PAYLOAD = '{"orderId": "ord-1", "amount": 18.40, "card": "4111111111111111"}'


@pytest.fixture
def event_id(client: FlaskClient, seeded: Engine) -> int:
    """An event with a secret in its payload."""
    assert client
    with write(seeded) as session:
        store_some(session, make_parsed(payload_text=PAYLOAD, error_message="edit me"), now=NOW)
    with read(seeded) as session:
        return session.scalar(select(func.max(models.Event.id))) or 0


def fields(page: str) -> dict[str, str]:
    found = Page(page)
    hidden = {one["name"]: one.get("value", "") for one in found.all("input", type="hidden") if "name" in one}
    return {name: hidden[name] for name in ("base", "digest")}


def text_of(page: str) -> str:
    return unescape(page.partition("<textarea")[2].partition(">")[2].partition("</textarea>")[0]).removeprefix("\n")


def test_an_edit_is_reviewed_before_it_is_planned(client: FlaskClient, seeded: Engine, event_id: int) -> None:
    form = client.get(f"/events/{event_id}/edit").text
    assert "4111111111111111" not in form
    text = text_of(form).replace("18.40", "19.40")
    reviewed = client.post(f"/events/{event_id}/edit", data=fields(form) | {"payload": text})
    assert reviewed.status_code == 200
    assert "+   &#34;amount&#34;: 19.40" in reviewed.text
    confirmed = Page(reviewed.text).all("button", name="confirmed")[0]["value"]
    planned = client.post(f"/events/{event_id}/edit", data=fields(form) | {"payload": text, "confirmed": confirmed})
    assert planned.status_code == 303
    redrive_id = int(planned.location.rpartition("/")[2])
    with read(seeded) as session:
        edit = list_edits(session, redrive_id).rows[0]
    assert json.loads(edit.payload) == json.loads(PAYLOAD.replace("18.40", "19.40"))
    assert "19.40" in edit.payload
    page = client.get(planned.location).text
    assert "Edited" in page
    assert "1 event: see every diff" in page
    shown = client.get(f"{planned.location}/edits").text
    assert "19.40" in shown
    assert "4111111111111111" not in shown
    event_page = client.get(f"/events/{event_id}").text
    assert "Edited, not sent" in event_page
    assert "by ada" in event_page


def test_what_was_not_reviewed_is_not_planned(client: FlaskClient, seeded: Engine, event_id: int) -> None:
    form = client.get(f"/events/{event_id}/edit").text
    given = fields(form) | {"payload": '{"a": 1}', "confirmed": "another text's digest"}
    assert client.post(f"/events/{event_id}/edit", data=given).status_code == 200
    with read(seeded) as session:
        assert edits_of_event(session, event_id) == []


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ('{\n"a": }', "line 2, column 6"),
        (f'{{"card": "{MASK}#7"}}', "a mask that is none"),
        (PAYLOAD, "Nothing changed"),
    ],
)
def test_what_cannot_be_sent_is_said_and_the_text_kept(
    client: FlaskClient, event_id: int, payload: str, said: str
) -> None:
    form = client.get(f"/events/{event_id}/edit").text
    answer = client.post(f"/events/{event_id}/edit", data=fields(form) | {"payload": payload})
    assert answer.status_code == 422
    assert said in answer.text
    assert text_of(answer.text) == payload


def test_an_edit_of_something_else_is_refused(client: FlaskClient, event_id: int) -> None:
    answer = client.post(f"/events/{event_id}/edit", data={"digest": "old", "payload": "{}"})
    assert answer.status_code == 409
    assert client.get(f"/events/{event_id}/edit?base=999").status_code == 404


def test_many_events_are_edited_by_a_transform_on_the_plans_page(client: FlaskClient, seeded: Engine) -> None:
    first = client.post("/redrives", data={"filter": "function=orders-capture&status=unresolved"})
    again = first.location.rpartition("/")[2]
    patch = '[{"op": "add", "path": "/note", "value": "late"}]'
    planned = client.post("/redrives", data={"again": again, "transform": patch})
    assert planned.status_code == 303
    redrive = show(seeded, int(planned.location.rpartition("/")[2]))
    assert redrive.edit is not None
    assert redrive.edit["changed"] == redrive.waiting > 0
    edits = client.get(f"{planned.location}/edits").text
    assert edits.count("&#34;note&#34;: &#34;late&#34;") == min(20, redrive.waiting)
    wrong = client.post("/redrives", data={"again": planned.location.rpartition("/")[2], "transform": "nope("})
    assert wrong.status_code == 422
    assert "no JMESPath expression" in wrong.text


def sent_edited(client: FlaskClient, seeded: Engine, event_id: int) -> None:
    """Send the event with another amount; it fails again."""
    patch = '[{"op": "replace", "path": "/amount", "value": 19}]'
    planned = client.post("/redrives", data={"event": str(event_id), "transform": patch})
    redrive_id = int(planned.location.rpartition("/")[2])
    digest = show(seeded, redrive_id).digest
    assert client.post(f"{planned.location}/start", data={"digest": digest}).status_code == 303
    (claimed,) = take(seeded, redrive_id, later_s=60.0)
    failed = report(claimed, Outcome.FAILED_AGAIN, fingerprint=OTHER, error_type="KeyError", error_message="'a'")
    tell(seeded, redrive_id, failed, later_s=61.0)


def test_a_plan_of_what_was_sent_edited_before_asks_which_form_is_sent(
    client: FlaskClient, seeded: Engine, event_id: int
) -> None:
    sent_edited(client, seeded, event_id)
    plain = client.post("/redrives", data={"event": str(event_id)}).location
    redrive_id, digest = int(plain.rpartition("/")[2]), show(seeded, int(plain.rpartition("/")[2])).digest
    assert "1 of its events was sent edited before" in client.get(plain).text
    refused = client.post(f"{plain}/start", data={"digest": digest})
    assert (refused.status_code, show(seeded, redrive_id).status) == (422, "planned")

    form = {"again": str(redrive_id), "payloads": "edited"}
    again = int(client.post("/redrives", data=form).location.rpartition("/")[2])
    with read(seeded) as session:
        (edit,) = list_edits(session, again).rows
    assert (json.loads(edit.payload)["amount"], edit.how) == (19, "as sent last")
    page = client.get(f"/redrives/{again}").text
    assert "Which form is sent?" not in page
    assert client.post(f"/redrives/{again}/start", data={"digest": show(seeded, again).digest}).status_code == 303


def test_who_says_that_originals_are_meant_gets_them(client: FlaskClient, seeded: Engine, event_id: int) -> None:
    sent_edited(client, seeded, event_id)
    plain = client.post("/redrives", data={"event": str(event_id)}).location
    redrive_id = int(plain.rpartition("/")[2])
    form = {"digest": show(seeded, redrive_id).digest, "payloads": "original"}
    assert client.post(f"{plain}/start", data=form).status_code == 303
    (claimed,) = take(seeded, redrive_id, later_s=120.0)
    assert claimed.edited is None


def test_only_an_event_in_which_something_is_masked_offers_to_reveal_it(
    client: FlaskClient, seeded: Engine, event_id: int
) -> None:
    with write(seeded) as session:
        store_some(session, make_parsed(payload_text='{"orderId": "ord-2"}', error_message="plain"), now=NOW)
    assert Page(client.get(f"/events/{event_id}").text).all("form", action=f"/events/{event_id}/reveal")
    plain = Page(client.get(f"/events/{event_id + 1}").text)
    assert not plain.all("form", action=f"/events/{event_id + 1}/reveal")
    assert "no secret was found in it, so nothing is masked" in plain.text


def test_a_plan_says_of_each_event_what_it_failed_with_and_when(client: FlaskClient, event_id: int) -> None:
    planned = client.post("/redrives", data={"event": event_id})
    items = client.get(planned.location).text.partition('id="items"')[2]
    assert "edit me" in items
    assert "ago</time></small>" in items
