"""`redrive db check`: what it says, what it sets right, and its exit code."""

import json

import pytest
from sqlalchemy import text

from console.cli import main
from deadletter.settings import Settings
from deadletter.store import make_engine, write
from tests.night import store_night

CHECK = ("db", "check")


@pytest.fixture(autouse=True)
def drifted(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command's database: a bad night, with one counter that is not true."""
    monkeypatch.setenv("REDRIVE_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("DATABASE_URL", "")
    engine = make_engine(settings)
    store_night(engine)
    with write(engine) as session:
        session.execute(text("UPDATE groups SET n_archived = n_archived + 5 WHERE id = 1"))
    engine.dispose()


def test_drift_is_told_with_its_numbers_and_the_way_to_set_it_right(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(CHECK) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "events of a group by status (1, 'archived'): kept 5, counted 0"
    assert said[-1].endswith("Set them right by `redrive db check --repair`.")


def test_a_repair_is_told_and_nothing_differs_afterwards(capsys: pytest.CaptureFixture[str]) -> None:
    assert main((*CHECK, "--repair", "--json")) == 0
    assert json.loads(capsys.readouterr().out) == {
        "repaired": {"events of a group by status": 1},
        "differences": [],
    }
    assert main(CHECK) == 0
    assert capsys.readouterr().out.strip() == "Every counter equals its rows."


def test_a_database_that_a_newer_version_upgraded_is_left_alone(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = make_engine(settings)
    with write(engine) as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    assert main(CHECK) == 1
    assert "is newer than this version of redrive knows" in capsys.readouterr().err
