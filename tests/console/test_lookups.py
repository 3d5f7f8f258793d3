"""What a record leaves out, on the event's page and at the command line."""

import json
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from console.cli import main
from deadletter.collect import parse_batch
from deadletter.event import ReceivedMessage
from deadletter.parse import parse_message, read_entry
from deadletter.settings import Settings
from deadletter.store import write
from deadletter.store.ingest import store_messages
from tests.console.conftest import NOW
from tests.console.page import Page
from tests.factories import make_message, make_parsed, make_source, store_some
from tests.store.test_lookups import EVENTS, FakeLookups, collect, fetch
from tests.unit.test_refetch import kinesis_answer, recorded

SECOND = recorded("lambda-event-kinesis.json")[1]
LAST_LOST = str(int(SECOND["kinesis"]["sequenceNumber"]) - 1)
FIRST_LOST = "49668712034512098765432109876543210987654321098765432194"


@pytest.fixture
def trimmed(sqlite_engine: Engine) -> Engine:
    """A database with a Kinesis batch of two whose first record the stream forgot."""
    collect(sqlite_engine, "kinesis-esm-sqs.json")
    fetch(sqlite_engine, FakeLookups([kinesis_answer(SECOND)]))
    return sqlite_engine


def test_the_page_says_which_numbers_are_lost_and_shows_the_rest(
    trimmed: Engine, make_client: Callable[..., FlaskClient], settings: Settings
) -> None:
    page = Page(make_client(trimmed, chosen=settings).get("/events/1").get_data(as_text=True))
    text = page.text
    assert f"1 of its 2 records, with sequence numbers from {FIRST_LOST} to {LAST_LOST}, are gone" in text
    assert "partial" in text
    assert "Records of the same keys that came later were processed meanwhile" in text
    assert SECOND["kinesis"]["data"] in text
    assert "cannot be redriven" not in text


def test_the_command_line_says_which_numbers_are_lost(
    trimmed: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert trimmed
    monkeypatch.setenv("REDRIVE_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("DATABASE_URL", "")
    assert main(["events", "--json"]) == 0
    (event,) = json.loads(capsys.readouterr().out)
    lookup = event["lookup"]
    assert (lookup["status"], lookup["lost"], lookup["fetched"]) == ("partial", 1, 1)
    assert (lookup["lost_first"], lookup["lost_last"]) == (FIRST_LOST, LAST_LOST)
    assert (event["redrivable"], event["truncated"]) == ("yes", True)


def test_the_page_says_that_the_attributes_were_believed(
    sqlite_engine: Engine, make_client: Callable[..., FlaskClient], settings: Settings
) -> None:
    body = '{"requestContext": {"functionArn": "arn:aws:lambda:eu-west-1:123456789012:function:f", "condition": "x"}}'
    attributes = {
        "RequestID": {"DataType": "String", "StringValue": "r-1"},
        "ErrorCode": {"DataType": "Number", "StringValue": "200"},
    }
    with write(sqlite_engine) as session:
        source = make_source(session)
        message = ReceivedMessage("m-1", body, {}, attributes)
        store_messages(session, source.id, parse_batch([message], source), now=NOW)
    page = Page(make_client(sqlite_engine, chosen=settings).get("/events/1").get_data(as_text=True))
    assert "its body reads like a record of lambda-destination" in page.text


def test_the_page_of_a_message_that_contradicts_itself_says_whom_is_believed(
    sqlite_engine: Engine, make_client: Callable[..., FlaskClient]
) -> None:
    """A function's dead-letter queue holds an event that reads like another function's on-failure record."""
    imitated = read_entry((EVENTS / "async-destination-sqs.json").read_text()).body
    attributes = {"RequestID": "r-1", "ErrorCode": "200", "ErrorMessage": "boom"}
    sent = {name: {"DataType": "String", "StringValue": text} for name, text in attributes.items()}
    message = make_message(imitated, message_attributes=sent)
    with write(sqlite_engine) as session:
        store_some(session, make_parsed(parse_message(message), message=message, target=None))
    text = Page(make_client(sqlite_engine).get("/events/1").text).text
    assert (
        "Its attributes say that it is of lambda-async-dlq, and its body reads like a record of lambda-destination. "
        "The attributes are believed" in text
    )
    assert "no target known" in text, "the function that the body names is not believed"
