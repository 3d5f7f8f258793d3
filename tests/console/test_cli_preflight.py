"""`redrive targets`, and what `redrive send` says of edits and of what is done already."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from console.cli import main
from deadletter import aws
from deadletter.outcome import Outcome, RedriveStatus
from deadletter.preflight import KeyRules, Record, Rules, keys_of
from deadletter.settings import Settings
from deadletter.store import models, read, write
from deadletter.store.redrives.edits import list_edits
from tests.factories import ANYWHERE, FUNCTION, NOW, make_parsed, store_some
from tests.records import FakeRecords
from tests.store.redriving import OTHER, report, show, take, tell

Run = Callable[..., tuple[int, str, str]]
SET = ("targets", "set", FUNCTION, "--table", "t", "--prefix", "orders-capture.app.handle", "--key-path", "order_id")
YEAR_3000_S = 32_503_680_000


@pytest.fixture
def run(settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command on the test's own database; return its exit code and what it printed."""
    given = {"REDRIVE_DATA_DIR": str(settings.data_dir), "REDRIVE_OPERATOR": "ada", "DATABASE_URL": ""}
    given["REDRIVE_ALLOWED_TARGETS"] = " ".join(ANYWHERE)
    for name, value in given.items():
        monkeypatch.setenv(name, value)

    def run(*args: object) -> tuple[int, str, str]:
        code = main([str(arg) for arg in args])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def records(monkeypatch: pytest.MonkeyPatch) -> FakeRecords:
    """The handler's records, in memory: the command line opens AWS's own by name."""
    found = FakeRecords()
    monkeypatch.setattr(aws, "open_records", found)
    return found


@pytest.fixture
def event_id(sqlite_engine: Engine) -> int:
    with write(sqlite_engine) as session:
        store_some(session, make_parsed(payload_text='{"order_id": "ord-1", "amount": 18.40}'))
        return session.scalar(select(func.max(models.Event.id))) or 0


def key() -> str:
    rules = KeyRules.of(Rules(table="t", prefix="orders-capture.app.handle", key_path="order_id"))
    return str(keys_of({"order_id": "ord-1"}, rules)[0][0])


def plan(run: Run, *args: object) -> dict[str, Any]:
    code, out, err = run("send", *args, "--dry-run", "--json")
    assert (code, err) == (0, "")
    return dict(json.loads(out))


def test_targets_are_set_listed_tried_and_removed(run: Run, records: FakeRecords, event_id: int) -> None:
    code, out, err = run(*SET)
    assert code == 0
    assert "orders-capture.app.handle#md5(order_id) in t" in out
    assert "runs again, unprotected" in err
    (listed,) = json.loads(run("targets", "--json")[1])
    assert (listed["arn"], listed["expires_s"], listed["changed_by"]) == (FUNCTION, 3600, "ada")
    tried = run("targets", "try", FUNCTION, event_id)[1]
    assert "not seen: will run" in tried
    assert key() in tried
    records.records[key()] = Record("COMPLETED", YEAR_3000_S)
    assert json.loads(run("targets", "try", FUNCTION, event_id, "--json")[1])["state"] == "done"
    assert run("targets", "remove", FUNCTION)[0] == 0
    assert run("targets", "remove", FUNCTION)[0] == 1
    assert "No target has idempotency settings" in run("targets")[1]


@pytest.mark.parametrize("wrong", [("--key-path", "a["), ("--hash", "crc"), ("--expires", "0"), ("--name", "x=y")])
def test_settings_that_cannot_be_are_refused(run: Run, wrong: tuple[str, str]) -> None:
    code, out, err = run(*SET, *wrong)
    assert (code, out) == (2, "")
    assert err


def test_what_is_done_already_is_skipped_or_sent(run: Run, records: FakeRecords, event_id: int) -> None:
    run(*SET)
    records.records[key()] = Record("COMPLETED", YEAR_3000_S)
    skipping = plan(run, "--event", event_id)
    assert (skipping["count"], skipping["skipped"], skipping["protected"], skipping["unprotected"]) == (0, 1, 0, 0)
    sending = plan(run, "--event", event_id, "--send-done")
    assert (sending["count"], sending["skipped"], sending["protected"], sending["unprotected"]) == (1, 0, 1, 0)


def test_a_file_edits_what_is_sent(run: Run, tmp_path: Path, sqlite_engine: Engine, event_id: int) -> None:
    patch = tmp_path / "patch.json"
    patch.write_text('[{"op": "add", "path": "/currency", "value": "EUR"}]')
    code, out, _ = run("send", "--event", event_id, "--edit", patch, "--dry-run")
    assert code == 0
    assert "edited (json-patch): 1 changed, 0 unchanged, 0 do not fit" in out
    with read(sqlite_engine) as session:
        (edit,) = list_edits(session, 1).rows
    assert edit.payload == '{"order_id": "ord-1", "amount": 18.40, "currency": "EUR"}'


@pytest.fixture
def sent_edited(run: Run, tmp_path: Path, sqlite_engine: Engine, event_id: int) -> int:
    """An event that was sent in euros, and failed again."""
    patch = tmp_path / "euros.json"
    patch.write_text('[{"op": "add", "path": "/currency", "value": "EUR"}]')
    assert run("send", "--event", event_id, "--edit", patch, "--yes", "--no-canary")[0] == 0
    later_s = (datetime.now(UTC) - NOW).total_seconds() + 60
    (claimed,) = take(sqlite_engine, 1, later_s=later_s)
    failed = report(claimed, Outcome.FAILED_AGAIN, fingerprint=OTHER, error_type="KeyError", error_message="'a'")
    tell(sqlite_engine, 1, failed, later_s=later_s + 1)
    return event_id


def test_a_script_must_say_which_form_of_an_edited_event_is_sent(
    run: Run, sqlite_engine: Engine, sent_edited: int
) -> None:
    code, _, err = run("send", "--event", sent_edited, "--yes")
    assert code == 2
    assert "--originals, or --edited" in err
    assert show(sqlite_engine, 2).status is RedriveStatus.CANCELLED

    assert run("send", "--event", sent_edited, "--edited", "--dry-run")[0] == 0
    with read(sqlite_engine) as session:
        (edit,) = list_edits(session, 3).rows
    assert json.loads(edit.payload)["currency"] == "EUR"

    assert run("send", "--event", sent_edited, "--originals", "--yes")[0] == 0
    assert show(sqlite_engine, 4).edit is None


def test_an_edit_and_a_form_that_was_sent_before_are_not_chosen_at_once(
    run: Run, tmp_path: Path, event_id: int
) -> None:
    patch = tmp_path / "patch.json"
    patch.write_text('[{"op": "add", "path": "/currency", "value": "EUR"}]')
    code, _, err = run("send", "--event", event_id, "--edit", patch, "--edited", "--yes")
    assert code == 2
    assert "Leave out --edited and --originals, or --edit" in err


def test_a_file_that_is_no_transform_is_refused(run: Run, tmp_path: Path, event_id: int) -> None:
    patch = tmp_path / "patch.json"
    patch.write_text("nope(")
    code, _, err = run("send", "--event", event_id, "--edit", patch, "--yes")
    assert code == 2
    assert "no JMESPath expression" in err


def test_a_dry_run_prints_the_plan_as_a_script_reads_it_and_leaves_nothing_to_send(run: Run, event_id: int) -> None:
    printed = plan(run, "--event", event_id, "--rate", "0.5")

    assert {name: printed[name] for name in ("count", "target", "rate", "protected", "unprotected", "skipped")} == {
        "count": 1, "target": FUNCTION, "rate": 0.5, "protected": None, "unprotected": None, "skipped": 0,
    }  # fmt: skip
    assert printed["digest"]
    assert printed["seconds"] == 2.0
    shown = json.loads(run("show", 1, "--json")[1])
    assert (shown["status"], shown["sent"]) == ("cancelled", 0)
