import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from deadletter.store import read
from deadletter.store.sources import list_sources
from tests.console.conftest import NOW
from tests.console.page import Page

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
