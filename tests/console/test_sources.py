import json
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from deadletter.aws import clients
from deadletter.event import ObjectRef
from deadletter.ports import Skip
from deadletter.store import read, write
from deadletter.store.left import note_skipped
from deadletter.store.rows import SourceRow
from deadletter.store.sources import find_source, list_sources
from tests.console.conftest import NOW
from tests.console.page import Page
from tests.sandbox_fixture import MakeQueue

QUEUE = "arn:aws:sqs:eu-west-1:123456789012:payments-dlq"
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:payments"


def test_a_source_is_registered_by_its_arn(empty: FlaskClient, sqlite_engine: Engine) -> None:
    assert empty.post("/sources", data={"arn": f" {QUEUE} ", "target": FUNCTION}).status_code == 303
    with read(sqlite_engine) as session:
        [source] = list_sources(session, now=NOW)
    assert (source.arn, source.target_arn) == (QUEUE, FUNCTION)
    assert "payments-dlq" in Page(empty.get("/sources").text).text


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"arn": "payments-dlq", "target": ""}, "is not the ARN of a source"),
        ({"arn": QUEUE, "target": "payments"}, "is not the ARN of a function or a queue"),
        ({"arn": "<script>", "target": ""}, "is not the ARN of a source"),
    ],
)
def test_a_source_that_is_none_is_422_with_the_fields_kept(empty: FlaskClient, form: dict[str, str], said: str) -> None:
    answer = empty.post("/sources", data=form)
    assert answer.status_code == 422
    page = Page(answer.text)
    assert said in page.text
    assert (page.field("arn"), page.field("target")) == (form["arn"], form["target"])


def test_the_target_of_a_source_can_be_set_and_taken_back(client: FlaskClient, seeded: Engine) -> None:
    def target() -> str | None:
        with read(seeded) as session:
            return list_sources(session, now=NOW)[1].target_arn

    assert client.post("/sources/2/target", data={"target": QUEUE}).status_code == 303
    assert target() == QUEUE
    assert client.post("/sources/2/target", data={"target": "nonsense"}).status_code == 422
    assert target() == QUEUE
    client.post("/sources/2/target", data={"target": ""})
    assert target() is None


@pytest.fixture
def no_clients(aws_env: dict[str, str]) -> Iterator[dict[str, str]]:
    clients.forget()
    yield aws_env
    clients.forget()


def source_of(engine: Engine, arn: str) -> SourceRow | None:
    with read(engine) as session:
        return find_source(session, arn)


@pytest.mark.usefixtures("no_clients")
def test_observing_a_queue_whose_messages_that_moves_on_must_be_confirmed(
    empty: FlaskClient, sqlite_engine: Engine, make_queue: MakeQueue
) -> None:
    next_dlq = make_queue()
    policy = json.dumps({"deadLetterTargetArn": next_dlq, "maxReceiveCount": "3"})
    arn = make_queue(RedrivePolicy=policy)
    form = {"arn": arn, "target": "", "mode": "observe"}

    answer = empty.post("/sources", data=form)
    assert answer.status_code == 422
    page = Page(answer.text)
    assert f"moves a message on to {next_dlq} after 3 receives" in page.text
    assert 'name="confirmed"' in answer.text
    assert page.field("arn") == arn
    assert source_of(sqlite_engine, arn) is None

    assert empty.post("/sources", data=form | {"confirmed": "yes"}).status_code == 303
    source = source_of(sqlite_engine, arn)
    assert source is not None
    assert source.observed
    assert "Observed: copied, and left in the queue" in Page(empty.get("/sources").text).text


@pytest.mark.usefixtures("no_clients")
def test_a_queue_without_such_a_policy_is_observed_at_once_and_one_that_does_not_say_is_not(
    empty: FlaskClient, sqlite_engine: Engine, make_queue: MakeQueue
) -> None:
    arn = make_queue()
    assert empty.post("/sources", data={"arn": arn, "mode": "observe"}).status_code == 303
    assert source_of(sqlite_engine, arn) is not None
    answer = empty.post("/sources", data={"arn": QUEUE, "mode": "observe"})
    assert answer.status_code == 422
    assert "could not be read" in Page(answer.text).text


def test_a_source_is_paused_resumed_and_removed(client: FlaskClient, seeded: Engine) -> None:
    with read(seeded) as session:
        arn = list_sources(session, now=NOW)[0].arn
    for verb, paused in (("pause", True), ("resume", False)):
        assert client.post(f"/sources/1/{verb}").status_code == 303
        source = source_of(seeded, arn)
        assert source is not None
        assert (source.paused_at is not None) is paused
    assert client.post("/sources/1/remove").status_code == 303
    assert arn not in client.get("/sources").text
    assert client.get("/events?source=1").status_code == 200
    assert client.post("/sources/1/explode").status_code == 404
    assert client.post("/sources", data={"arn": arn, "mode": "explode"}).status_code == 422


def test_what_is_left_alone_under_a_prefix_is_shown_with_its_reason(empty: FlaskClient, sqlite_engine: Engine) -> None:
    empty.post("/sources", data={"arn": "arn:aws:s3:::bucket/<b>/"})
    source = source_of(sqlite_engine, "arn:aws:s3:::bucket/<b>/")
    assert source is not None
    with write(sqlite_engine) as session:
        ref = ObjectRef("bucket", "<b>/<script>", 5 * 2**30, "e")
        note_skipped(session, source.id, [Skip(ref, "It has 5,368,709,120 bytes: it was not fetched.")], NOW)
    answer = empty.get("/sources").text
    assert "<script>\n" not in answer
    page = Page(answer)
    assert "1 object left alone" in page.text
    assert "It has 5,368,709,120 bytes: it was not fetched." in page.text
    assert "Copied, and left in the bucket" in page.text
