import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine

from console.cli import main
from deadletter.aws.discovery import Scan
from deadletter.discovery.account import Account, Function, Queue, SourceMapping
from deadletter.errors import SourceError
from deadletter.event import TargetKind
from deadletter.scouting import Reach
from deadletter.settings import Settings
from deadletter.store import read, write
from deadletter.store.sources import add_source, list_sources
from tests.factories import ADA, NOW

WHERE = "eu-west-1:123456789012"
CAPTURE, NOTIFY, ALONE = (f"arn:aws:lambda:{WHERE}:function:{name}" for name in ("capture", "notify", "alone"))
DLQ, SHARED, ORDERS, ORDERS_DLQ = (
    f"arn:aws:sqs:{WHERE}:{name}" for name in ("capture-dlq", "shared-dlq", "orders", "orders-dlq")
)
ACCOUNT = Account(
    functions=(
        Function(arn=CAPTURE, dead_letter_arn=DLQ),
        Function(arn=NOTIFY, dead_letter_arn=SHARED),
        Function(arn=f"{NOTIFY}-2", dead_letter_arn=SHARED),
        Function(arn=ALONE),
    ),
    queues=(Queue(arn=ORDERS, dead_letter_arn=ORDERS_DLQ),),
    mappings=(SourceMapping(uuid="m", function_arn=CAPTURE, source_arn=ORDERS),),
)
REFUSED = "pipes:ListPipes was refused once, which hides every pipe with its dead-letter queue. (AWS: no)"

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command on the test's own database, over an account as it was read."""
    for name, value in {"REDRIVE_DATA_DIR": str(settings.data_dir), "DATABASE_URL": ""}.items():
        monkeypatch.setenv(name, value)
    scan = Scan(ACCOUNT, (REFUSED,), 17, 3.41234)
    monkeypatch.setattr("console.commands.discover.scan_all", lambda _settings, _region: [(Reach(), scan)])

    def run(*args: str) -> tuple[int, str, str]:
        code = main(["discover", *args])
        return (code, *capsys.readouterr())

    return run


def sources(engine: Engine) -> dict[str, tuple[str | None, str | None]]:
    with read(engine) as session:
        return {source.arn: (source.target_kind, source.target_arn) for source in list_sources(session, now=NOW)}


def places(out: str) -> dict[str, Any]:
    return {place["arn"]: place for place in json.loads(out)["places"]}


def test_json_has_the_places_the_gaps_and_what_it_took(run: Run) -> None:
    code, out, _ = run("--json")
    found = json.loads(out)

    assert code == 0
    assert list(found) == ["places", "gaps", "refused", "calls", "seconds"]
    assert (found["refused"], found["calls"], found["seconds"]) == ([REFUSED], 17, 3.412)
    assert [gap["arn"] for gap in found["gaps"]] == [ALONE]
    assert places(out)[DLQ]["target"] == {"kind": "lambda", "arn": CAPTURE}
    assert places(out)[DLQ]["writers"][0]["producer"] == "lambda-async-dlq"
    assert [places(out)[arn]["ambiguous"] for arn in (DLQ, ORDERS_DLQ, SHARED)] == [False, False, True]


def test_nothing_is_registered_unless_asked_for(run: Run, sqlite_engine: Engine) -> None:
    out = run()[1]

    assert sources(sqlite_engine) == {}
    assert out.endswith("2 places can be added as sources: redrive discover --register\n")


def test_register_adds_what_is_clear_and_leaves_what_is_ambiguous(run: Run, sqlite_engine: Engine) -> None:
    code, out, _ = run("--register")

    assert code == 0
    assert sources(sqlite_engine) == {
        DLQ: (TargetKind.LAMBDA.value, CAPTURE),
        ORDERS_DLQ: (TargetKind.SQS.value, ORDERS),
    }
    assert f"Added as a source: {DLQ}, sent to {CAPTURE}\n" in out
    assert "can be added" not in out


def test_registering_twice_changes_nothing_and_says_what_is_registered(run: Run, sqlite_engine: Engine) -> None:
    first = run("--register", "--json")[1]
    before = sources(sqlite_engine)
    again = run("--register")[1]

    assert [places(first)[arn]["registered"] for arn in (DLQ, ORDERS_DLQ, SHARED)] == [True, True, False]
    assert sources(sqlite_engine) == before
    assert "Added" not in again


def test_a_target_that_a_person_chose_is_left_alone(run: Run, sqlite_engine: Engine) -> None:
    with write(sqlite_engine) as session:
        add_source(session, DLQ, target=None, by=ADA, now=NOW)
    run("--register")

    assert sources(sqlite_engine)[DLQ] == (None, None)


def test_the_table_shows_places_then_doubts_then_gaps_then_what_was_refused(run: Run) -> None:
    lines = run()[1].splitlines()

    assert lines[0].split() == ["PLACE", "KIND", "WRITTEN", "BY", "REDRIVE", "TO", "SOURCE"]
    assert lines[1].split() == ["capture-dlq", "sqs", "capture", "capture", "no"]
    assert lines[3].split() == ["shared-dlq", "sqs", "notify,", "notify-2", "ambiguous", "no"]
    heads = [line for line in lines if line.endswith(":")]
    assert heads == ["Not clear:", "1 gap:", "Could not be read:"]
    assert f"  {REFUSED}" in lines
    assert "17 calls in 3.4 s." in lines


def test_boto3_without_a_set_up_is_one_sentence(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_settings: Settings, _region: str) -> Scan:
        raise SourceError("boto3 is not set up: You must specify a region.")

    monkeypatch.setattr("console.commands.discover.scan_all", refuse)

    assert run("--json") == (1, "", "boto3 is not set up: You must specify a region.\n")
