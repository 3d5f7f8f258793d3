"""`redrive retention`: rules, and what would go by them."""

import json

import pytest

from console.cli import main
from deadletter.settings import Settings
from deadletter.store import make_engine
from tests.night import store_night


@pytest.fixture(autouse=True)
def night(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command's database: a bad night."""
    monkeypatch.setenv("REDRIVE_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("DATABASE_URL", "")
    engine = make_engine(settings)
    store_night(engine)
    engine.dispose()


def listed(capsys: pytest.CaptureFixture[str]) -> dict[str, list[dict[str, object]]]:
    capsys.readouterr()
    assert main(["retention", "--json"]) == 0
    found: dict[str, list[dict[str, object]]] = json.loads(capsys.readouterr().out)
    return found


def test_a_rule_is_set_seen_and_removed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["retention", "set", "unresolved", "--bytes", "1"]) == 0
    found = listed(capsys)
    assert found["rules"] == [{"status": "unresolved", "source": "*", "days": None, "bytes": 1}]
    assert found["would_go"]
    assert main(["retention", "remove", "unresolved"]) == 0
    assert listed(capsys) == {"rules": [], "would_go": []}


@pytest.mark.parametrize(("given", "meant"), [("10GB", 10**10), ("500m", 5 * 10**8), ("7", 7)])
def test_bytes_are_said_as_people_say_them(given: str, meant: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["retention", "set", "resolved", "--bytes", given]) == 0
    assert [rule["bytes"] for rule in listed(capsys)["rules"]] == [meant]


def test_what_is_no_number_of_bytes_is_refused_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["retention", "set", "resolved", "--bytes", "many"]) == 2
    assert "such as 500MB or 10GB" in capsys.readouterr().err
