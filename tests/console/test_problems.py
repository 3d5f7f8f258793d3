import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, text

from console.app import create_app
from deadletter.settings import Settings
from deadletter.store import make_engine, write


@pytest.mark.parametrize(
    "address", ["/groups/99", "/events/99999", "/redrives/9", "/redrives/9/progress", "/events/1/raw?record=x"]
)
def test_what_does_not_exist_is_404_with_a_sentence(reader: FlaskClient, address: str) -> None:
    answer = reader.get(address)
    assert answer.status_code == 404
    assert "There is no" in answer.text or "has no record" in answer.text


@pytest.mark.parametrize("thing", ["groups", "events", "redrives"])
def test_a_number_that_no_id_can_be_is_404(client: FlaskClient, thing: str) -> None:
    assert client.get(f"/{thing}/{10**18 - 1}").status_code == 404
    assert client.get(f"/{thing}/{10**30}").status_code == 404
    assert client.get(f"/api/v1/events/{10**30}/edits").status_code == 404
    assert client.post("/redrives", data={"again": 10**30}).status_code == 422


@pytest.mark.parametrize(
    "address",
    ["/groups?since=yesterday", "/groups?sort=colour", "/events?cursor=%00", "/events?status=lost", "/groups?group=x",
     "/redrives?cursor=x", "/events?colour=red", "/groups?since=1h&until=2h"],
)  # fmt: skip
def test_an_address_that_asks_for_what_is_not_is_422_with_a_sentence(reader: FlaskClient, address: str) -> None:
    answer = reader.get(address)
    assert answer.status_code == 422
    assert "This cannot be done as asked" in answer.text


@pytest.mark.parametrize("address", ["/redrives/1/start", "/groups/1/archive"])
def test_a_write_by_get_is_405(reader: FlaskClient, address: str) -> None:
    assert reader.get(address).status_code == 405


def test_a_database_that_fails_is_503_and_says_what_to_do(client: FlaskClient, seeded: Engine) -> None:
    with write(seeded) as session:
        session.execute(text("ALTER TABLE groups RENAME TO groups_gone"))
    answer = client.get("/groups")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert "Load the page again" in answer.text


def test_a_file_that_is_no_database_is_503_and_says_what_to_do(settings: Settings) -> None:
    (settings.data_dir / "redrive.db").write_bytes(b"not a database, whatever its name says" * 200)
    engine = make_engine(settings)
    app = create_app(settings, engine)
    for address in ("/groups", "/api/v1/groups", "/healthz"):
        answer = app.test_client().get(address)
        assert answer.status_code == 503
        assert "put the newest backup in its place" in answer.text
    engine.dispose()
