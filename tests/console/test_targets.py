"""The Targets page: idempotency settings by hand or read off a function, and a try on one event."""

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, select

from deadletter.errors import SourceError
from deadletter.preflight import KeyRules, Record, Rules, keys_of
from deadletter.preflight.discovery import Consumer
from deadletter.store import models, read
from deadletter.store.targets import get_rules
from tests.console.page import Page
from tests.factories import FUNCTION, NOW
from tests.records import FakeRecords

FIELDS = {
    "arn": FUNCTION,
    "table": "orders-idempotency",
    "prefix": "orders-capture.app.lambda_handler",
    "key_path": "orderId",
}


def test_settings_are_saved_shown_changed_and_removed(client: FlaskClient, seeded: Engine) -> None:
    saved = client.post("/targets", data=FIELDS, follow_redirects=True).text
    assert "orders-idempotency" in saved
    assert "A record lives 1 h" in saved
    client.post("/targets", data=FIELDS | {"expires_s": "1,209,600", "status": "state"})
    with read(seeded) as session:
        rules = get_rules(session, FUNCTION).rules
    assert (rules.expires_s, rules.names.status, rules.names.key) == (1_209_600, "state", "id")
    assert "nothing against it" in client.get("/targets").text
    assert client.post("/targets/remove", data={"arn": FUNCTION}).status_code == 303
    assert "No target has settings yet" in client.get("/targets").text


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"key_path": "a["}, "no JMESPath"), ({"arn": "x"}, "not the ARN"), ({"expires_s": "soon"}, "whole number")],
)
def test_settings_that_cannot_be_are_said_beside_what_was_written(
    client: FlaskClient, wrong: dict[str, str], said: str
) -> None:
    answer = client.post("/targets", data=FIELDS | wrong)
    assert answer.status_code == 422
    assert said in answer.text
    assert 'value="orders-idempotency"' in answer.text


@pytest.mark.parametrize("path", ["", "messageId", "[orderId, receiptHandle]"])
def test_a_key_that_a_redrive_changes_is_warned_of(client: FlaskClient, path: str) -> None:
    page = client.post("/targets", data=FIELDS | {"key_path": path}, follow_redirects=True).text
    assert "never be found" in page


def test_a_function_is_read_for_its_table_and_prefix(seeded: Engine, make_client: Callable[..., FlaskClient]) -> None:
    def says(function_arn: str) -> Consumer:
        assert function_arn == FUNCTION
        return Consumer("orders-capture", "src/app.handle", {"IDEMPOTENCY_TABLE": "its-table"})

    page = Page(make_client(seeded, read_consumer=says).get(f"/targets?arn={FUNCTION}&discover=1").text)
    assert page.all("input", name="table")[0]["value"] == "its-table"
    assert page.all("input", name="prefix")[0]["value"] == "orders-capture.src.app.handle"


def test_a_function_that_cannot_be_read_is_said(seeded: Engine, make_client: Callable[..., FlaskClient]) -> None:
    def refuses(_: str) -> Consumer:
        message = "The permission lambda:GetFunctionConfiguration is missing."
        raise SourceError(message)

    assert "is missing" in make_client(seeded, read_consumer=refuses).get(f"/targets?arn={FUNCTION}&discover=1").text


def test_a_try_shows_the_key_and_what_was_found(seeded: Engine, make_client: Callable[..., FlaskClient]) -> None:
    records = FakeRecords()
    client = make_client(seeded, open_records=records)
    client.post("/targets", data=FIELDS | {"key_path": "[orderId, order_id]"})
    with read(seeded) as session:
        event = session.scalars(select(models.Event).where(models.Event.function_name == "orders-capture")).first()
        assert event is not None
        event_id = event.id
    page = client.get(f"/targets/try?arn={FUNCTION}&event={event_id}").text
    assert "not seen: will run" in page
    (key,) = records.asked[-1]
    assert key in page
    records.records[key] = Record("COMPLETED", int(NOW.timestamp()) + 10_000)
    assert "done already" in client.get(f"/targets/try?arn={FUNCTION}&event={event_id}").text
    assert client.get(f"/targets/try?arn={FUNCTION}&event=").status_code == 422
    assert client.get(f"/targets/try?arn={FUNCTION}&event=999999").status_code == 404


def test_a_plan_shows_its_preflight_and_what_to_do_without_one(
    seeded: Engine, make_client: Callable[..., FlaskClient]
) -> None:
    rules = KeyRules.of(Rules(table="t", prefix=FIELDS["prefix"], key_path="to_string(`1`)"))
    key = keys_of({}, rules)[0][0]
    assert key is not None
    client = make_client(seeded, open_records=FakeRecords({key: Record("COMPLETED", int(NOW.timestamp()) + 10_000)}))
    form = {"filter": "function=orders-capture&status=unresolved"}
    assert "No pre-flight" in client.post("/redrives", data=form, follow_redirects=True).text
    client.post("/targets", data=FIELDS | {"key_path": "to_string(`1`)"})
    skipping = client.post("/redrives", data=form, follow_redirects=True)
    assert "0 protected" in skipping.text
    assert "done already: will be answered from the record" in skipping.text
    address = skipping.request.path
    sending = client.post("/redrives", data={"again": address.rpartition("/")[2], "done": "send"})
    assert "0 unprotected" in client.get(sending.location).text
    assert client.get(f"{sending.location}?state=done").status_code == 200
    assert client.get(f"{sending.location}?state=nope").status_code == 422
