import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import Engine, inspect

from console.cli import main
from console.commands.output import when
from console.commands.report import write_file
from console.commands.send import exit_code
from console.commands.service import check_host
from deadletter.access import Grant, Role
from deadletter.errors import BadInput
from deadletter.outcome import Outcome, RedriveStatus
from deadletter.redrive import cancel, create_plan, start
from deadletter.settings import Oidc, Settings, SignIn
from deadletter.store import make_engine, read, write
from deadletter.store.people.users import add_user
from deadletter.store.redrives import get_redrive, list_redrives
from tests.conftest import make_postgres_database
from tests.factories import ACCOUNT, ADA, ANYWHERE, FUNCTION, GRACE, NOW, QUEUE
from tests.night import CARD, store_night
from tests.rows import make_redrive_row

REDRIVE = [sys.executable, "-m", "console.cli"]


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture
def env(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment of a command that works on the test's own database."""
    given = {"REDRIVE_DATA_DIR": str(settings.data_dir), "REDRIVE_OPERATOR": "ada", "REDRIVE_RATE": "20"}
    given["REDRIVE_ALLOWED_TARGETS"] = " ".join(ANYWHERE)
    for name, value in (given | {"DATABASE_URL": "", "REDRIVE_SECRET_KEYS": ""}).items():
        monkeypatch.setenv(name, value)
    return dict(os.environ)


@pytest.fixture
def run(env: dict[str, str], capsys: pytest.CaptureFixture[str]) -> Run:  # noqa: ARG001 - it sets the environment
    def run(*args: object) -> Ran:
        capsys.readouterr()
        code = main([str(arg) for arg in args])
        said = capsys.readouterr()
        return Ran(code, said.out, said.err)

    return run


@pytest.fixture
def night(sqlite_engine: Engine) -> Engine:
    """The test's database after a bad night."""
    store_night(sqlite_engine)
    return sqlite_engine


def cards_group(run: Run) -> int:
    groups = run("groups", "--json").json
    return next(int(group["id"]) for group in groups if group["error_type"] == "PaymentError")


def plan(engine: Engine, settings: Settings, *event_ids: int) -> tuple[int, str]:
    redrive_id = create_plan(engine, event_ids, asked_by=ADA, settings=settings, now=NOW)
    with read(engine) as session:
        return redrive_id, get_redrive(session, redrive_id).digest


def started(engine: Engine, settings: Settings, *event_ids: int) -> int:
    redrive_id, digest = plan(engine, settings, *event_ids)
    return start(engine, redrive_id, digest=digest, started_by=ADA, now=NOW).id


# Sources


def test_a_source_is_added_and_listed(run: Run) -> None:
    assert run("sources", "add", QUEUE, "--target", FUNCTION).out == (
        f"Source 1: {QUEUE}, collected: stored, then deleted from the queue, sent to {FUNCTION}\n"
    )
    (source,) = run("sources", "--json").json
    assert (source["arn"], source["target_kind"], source["target_arn"]) == (QUEUE, "lambda", FUNCTION)
    assert source["expires_at"] is None
    assert run("sources", "list", "--json").json == [source]
    assert run("sources").out.splitlines()[1].split()[:2] == ["1", "orders-dlq"]


def test_a_source_is_paused_resumed_removed_and_says_what_that_means(run: Run) -> None:
    assert "not the ARN" in run("sources", "add", "arn:aws:s3:::B").err
    added = run("sources", "add", "arn:aws:s3:::failures/aws/lambda/", "--json").json
    assert (added["kind"], added["mode"]) == ("s3", "observe")
    assert "what lies there waits" in run("sources", "pause", added["arn"]).out
    assert run("sources").out.splitlines()[1].split()[2:4] == ["s3", "paused"]
    assert "read again" in run("sources", "resume", added["arn"]).out
    assert "Its events stay" in run("sources", "remove", added["arn"]).out
    assert run("sources", "--json").json == []
    again = run("sources", "remove", added["arn"])
    assert (again.code, again.err.startswith("There is no source")) == (1, True)
    assert run("sources", "add", added["arn"], "--collect", "--json").json["mode"] == "collect"
    assert run("sources", "add", QUEUE, "--push", "--json").json["kind"] == "push"


def test_adding_a_source_again_changes_its_target(run: Run) -> None:
    run("sources", "add", QUEUE)
    changed = run("sources", "add", QUEUE, "--target", FUNCTION, "--json").json
    assert (changed["id"], changed["target_arn"]) == (1, FUNCTION)


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (("orders-dlq",), "is not the ARN of a source"),
        ((QUEUE, "--target", "orders"), "is not the ARN of a function or a queue"),
        ((), "Missing argument 'ARN'. See `redrive sources add --help`."),
    ],
)
def test_a_source_that_cannot_be_is_bad_usage_in_one_sentence(run: Run, args: tuple[str, ...], sentence: str) -> None:
    done = run("sources", "add", *args)
    assert (done.code, done.out) == (2, "")
    assert sentence in done.err
    assert done.err.count("\n") == 1


def test_without_sources_the_list_says_how_to_add_one(run: Run) -> None:
    assert run("sources").out == "No source is registered. Add one: redrive sources add ARN\n"
    assert run("sources", "--json").json == []


# Groups and events


@pytest.mark.usefixtures("night")
def test_groups_are_listed_with_their_counts(run: Run) -> None:
    groups = run("groups", "--json").json
    assert {group["error_type"]: group["counts"]["unresolved"] for group in groups} == {
        "PaymentError": 3,
        "KeyError": 1,
    }
    assert {group["function_name"] for group in groups} == {"orders-capture"}
    table = run("groups").out.splitlines()
    assert table[0].split()[:3] == ["ID", "STATUS", "UNRESOLVED"]
    assert len(table) == 3


@pytest.mark.usefixtures("night")
def test_events_are_listed_with_times_in_utc_and_secrets_masked(run: Run) -> None:
    done = run("events", "--json")
    assert CARD not in done.out
    assert len(done.json) == 4
    assert done.json[0]["occurred_at"] == "2026-11-23T02:04:00.000Z"
    assert [event["label"] for event in done.json] == ["ord-4", "ord-3", "ord-2", "ord-1"]
    assert CARD not in run("events").out


@pytest.mark.usefixtures("night")
def test_nothing_in_a_table_moves_the_terminal(run: Run) -> None:
    table = run("events").out
    assert "\x1b" not in table
    assert "[U+001B]" in table


@pytest.mark.usefixtures("night")
def test_lists_are_narrowed_by_group_status_and_limit(run: Run) -> None:
    group = cards_group(run)
    assert len(run("events", "--group", group, "--json").json) == 3
    assert len(run("events", "--group", group, "--limit", 2, "--json").json) == 2
    assert [found["id"] for found in run("groups", "--group", group, "--json").json] == [group]
    assert run("events", "--status", "resolved", "--json").json == []
    assert run("events", "--status", "resolved").out == "No event matches.\n"


@pytest.mark.usefixtures("night")
def test_what_expires_is_listed_by_span_and_a_span_that_is_none_is_bad_usage(run: Run) -> None:
    assert {event["expires_at"] for event in run("events", "--json").json} == {None}
    assert run("events", "--expires", "24h", "--json").json == []
    done = run("events", "--expires", "soon")
    assert (done.code, "is not a time" in done.err) == (2, True)


@pytest.mark.usefixtures("night")
def test_a_limit_over_one_page_reads_on(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.commands.browse.PAGE_ROWS", 2)
    assert len(run("events", "--limit", 100_000, "--json").json) == 4


def test_a_status_that_does_not_exist_is_bad_usage_and_lists_those_that_do(run: Run) -> None:
    done = run("groups", "--status", "broken", "--json")
    assert (done.code, done.out) == (2, "")
    assert "'unresolved', 'redriving', 'resolved', 'archived'" in done.err


def test_a_group_that_does_not_exist_is_a_failure(run: Run) -> None:
    done = run("events", "--group", 99, "--json")
    assert (done.code, done.out) == (1, "")
    assert "99" in done.err


# Send


@pytest.mark.usefixtures("night")
def test_sending_a_group_prints_the_plan_and_starts_it(run: Run) -> None:
    done = run("send", "--group", cards_group(run), "--rate", 50, "--yes", "--json")
    assert done.code == 0
    sent = done.json
    assert (sent["status"], sent["planned"], sent["waiting"], sent["sent"], sent["rate"]) == ("running", 3, 3, 0, 50)
    assert sent["seconds"] == 0.1
    assert sent["started_by"] == "ada"
    assert [(line["arn"], line["count"]) for line in sent["targets"]] == [(FUNCTION, 3)]
    assert len(sent["digest"]) == 64


@pytest.mark.usefixtures("night")
def test_single_events_are_sent_however_their_ids_are_written(run: Run) -> None:
    assert run("send", "--event", 1, 2, "--event", "3,4", "--yes", "--json").json["planned"] == 4


@pytest.mark.usefixtures("night")
def test_a_filter_is_what_stands_in_a_pages_address(run: Run) -> None:
    done = run("send", "--filter", "?status=unresolved&error_type=KeyError", "--yes", "--json")
    assert done.json["planned"] == 1
    assert done.json["selection"] == {"filter": "status=unresolved&error_type=KeyError"}


def test_json_without_yes_is_refused_before_anything_is_planned(run: Run, night: Engine) -> None:
    done = run("send", "--event", 1, "--json")
    assert (done.code, done.out) == (2, "")
    assert (
        done.err == "With --json nobody can be asked whether to start: add --yes or --dry-run, or leave --json out.\n"
    )
    with read(night) as session:
        assert list_redrives(session).rows == []


def test_a_plan_that_is_refused_is_shown_cancelled_and_not_sent(env: dict[str, str], night: Engine) -> None:
    done = subprocess.run(
        [*REDRIVE, "send", "--event", "1"], input="n\n", capture_output=True, text=True, env=env, check=False
    )
    assert done.returncode == 1
    assert "Redrive 1, planned: 1 selected event\n" in done.stdout
    assert f"1 to {FUNCTION}" in done.stdout
    assert "Send 1 event? [y/N]" in done.stderr
    assert done.stderr.endswith("Nothing was sent.\n")
    with read(night) as session:
        assert get_redrive(session, 1).status is RedriveStatus.CANCELLED


def test_a_plan_is_started_by_a_yes(env: dict[str, str], night: Engine) -> None:
    command = [*REDRIVE, "send", "--event", "1"]
    done = subprocess.run(command, input="y\n", capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0
    with read(night) as session:
        assert get_redrive(session, 1).status is RedriveStatus.RUNNING


def test_nobody_to_ask_means_nothing_is_sent(env: dict[str, str], night: Engine) -> None:
    command = [*REDRIVE, "send", "--event", "1"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 1
    with read(night) as session:
        assert get_redrive(session, 1).status is RedriveStatus.CANCELLED


@pytest.mark.parametrize(
    ("args", "code", "sentence"),
    [
        ((), 2, "Say what to send in exactly one way: --group ID, --event ID ..., or --filter QUERY."),
        (("--group", 1, "--event", 2), 2, "exactly one way"),
        (("7",), 2, "'7' is not expected. To send single events write: redrive send --event ID ..."),
        (("--event", "x"), 2, "'x' is not an event's number. `redrive events` lists them."),
        (("--filter", "colour=red"), 2, "There is no filter named 'colour'."),
        (("--event", 1, "--target", "orders"), 2, "is not the ARN of a function or a queue"),
        (("--event", 1, "--rate", 0), 2, "The rate is 0 events per second"),
        (("--event", 1, "--invocation", "DryRun"), 2, "'DryRun' is not one of 'Event', 'RequestResponse'"),
        (("--event", 99), 2, "None of the events that you selected exists."),
        (("--group", 99), 1, "99"),
        (("--filter", "status=resolved"), 2, "No event matches status=resolved."),
        (("--filter", "PaymentError"), 2, "There is no filter named 'PaymentError'."),
        (("--filter", ""), 2, "This filter lets every event through. To choose all that are open: status=unresolved"),
        (("--filter", "group="), 2, "This filter lets every event through."),
    ],
)
@pytest.mark.usefixtures("night")
def test_what_cannot_be_sent_is_said_in_one_sentence(
    run: Run, args: tuple[object, ...], code: int, sentence: str
) -> None:
    done = run("send", *args, "--yes", "--json")
    assert (done.code, done.out) == (code, "")
    assert sentence in done.err
    assert done.err.count("\n") == 1


def test_waiting_follows_a_redrive_to_its_end(run: Run, night: Engine) -> None:
    def end_it() -> None:
        while True:
            with read(night) as session:
                running = list_redrives(session, status=RedriveStatus.RUNNING).rows
            if running:
                cancel(night, running[0].id, by=GRACE, now=NOW)
                return

    other = Thread(target=end_it)
    other.start()
    done = run("send", "--event", 1, 2, "--yes", "--wait", "--json")
    other.join()
    assert done.code == 1
    assert (done.json["status"], done.json["ended"], done.json["cancelled_by"]) == ("cancelled", True, "grace")
    assert (done.json["sent"], done.json["skipped"]) == (0, 2)
    assert done.err == "No worker is running, so nothing is sent until one starts: redrive work\n"


def test_to_stop_following_stops_nothing_else(env: dict[str, str], night: Engine) -> None:
    command = [*REDRIVE, "send", "--event", "1", "--yes", "--wait"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as redrive:
        assert redrive.stderr
        redrive.stderr.readline()  # that no worker runs: it follows now
        redrive.send_signal(signal.SIGINT)
        said = redrive.stderr.read().strip()
    assert redrive.returncode == 1
    assert said == "Redrive 1 goes on. `redrive show 1` shows it, `redrive cancel 1` ends it."
    with read(night) as session:
        assert get_redrive(session, 1).status is RedriveStatus.RUNNING


@pytest.mark.parametrize("outcome", [Outcome.FAILED_AGAIN, Outcome.UNKNOWN, Outcome.SKIPPED])
def test_a_redrive_after_which_something_is_not_well_is_a_failure(outcome: Outcome) -> None:
    ended = {"status": RedriveStatus.FINISHED, "planned": 3, "targets": [{"count": 2}]}
    assert exit_code(make_redrive_row(**ended, succeeded=1, **{"skipped": 1, outcome.value: 1})) == 1
    assert exit_code(make_redrive_row(**ended, succeeded=2, skipped=1)) == 0
    assert exit_code(make_redrive_row(**ended | {"status": RedriveStatus.RUNNING}, waiting=2)) == 0


# Show and cancel


def test_a_redrive_is_shown_with_every_event(run: Run, night: Engine, settings: Settings) -> None:
    redrive_id = started(night, settings, 1, 2)
    shown = run("show", redrive_id, "--json").json
    assert (shown["id"], shown["waiting"]) == (redrive_id, 2)
    assert [(item["event_id"], item["outcome"]) for item in shown["items"]] == [(1, "waiting"), (2, "waiting")]
    said = run("show", redrive_id).out
    assert f"Redrive {redrive_id}, running (canary): 2 selected events\n" in said
    assert re.search(r"^ord-1 +waiting", said, re.MULTILINE)


def test_cancelling_says_what_was_sent_and_what_will_not_be(run: Run, night: Engine, settings: Settings) -> None:
    redrive_id = started(night, settings, 1, 2)
    assert run("cancel", redrive_id).out == "0 sent stay sent; 2 will not be sent.\n"
    again = run("cancel", redrive_id)
    assert (again.code, again.out) == (1, "")
    assert again.err.count("\n") == 1


@pytest.mark.parametrize("command", ["show", "cancel"])
def test_a_redrive_that_does_not_exist_is_a_failure(run: Run, command: str) -> None:
    done = run(command, 99, "--json")
    assert (done.code, done.out, done.err) == (1, "", "There is no redrive 99.\n")


# Report

RANGE = ("--from", "2026-11-23T02:00", "--to", "2026-11-23T03:00")


@pytest.mark.usefixtures("night")
@pytest.mark.parametrize(
    ("kind", "beginning"),
    [("md", "# Incident report"), ("html", "<!doctype html>"), ("csv", "event_id,"), ("ndjson", "{")],
)
def test_a_report_goes_to_stdout_in_every_format(run: Run, kind: str, beginning: str) -> None:
    done = run("report", *RANGE, "--format", kind)
    assert done.code == 0
    assert done.out.lstrip().startswith(beginning)
    assert "KeyError" in done.out
    assert CARD not in done.out
    assert "hunter2" not in done.out


@pytest.mark.usefixtures("night")
def test_a_report_as_json_counts_what_failed(run: Run) -> None:
    report = run("report", *RANGE, "--format", "json").json
    assert (report["events"], report["unresolved"], report["made_by"]) == (4, 4, "ada")
    assert [cause["events"] for cause in report["causes"]] == [3, 1]
    assert report["hours"] == [{"since": "2026-11-23T02:00:00.000Z", "events": 4}]
    assert report["causes"][0]["sample"]["stack_trace"]


@pytest.mark.usefixtures("night")
def test_a_report_of_one_group_is_only_of_that(run: Run) -> None:
    report = run("report", *RANGE, "--group", cards_group(run), "--format", "json").json
    assert (report["events"], len(report["causes"])) == (3, 1)


@pytest.mark.usefixtures("night")
def test_a_report_is_written_to_a_file_and_nothing_to_stdout(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "night.csv"
    done = run("report", *RANGE, "--format", "csv", "--output", path)
    assert (done.code, done.out) == (0, "")
    assert path.read_bytes().count(b"\r\n") == 5
    assert [found.name for found in tmp_path.iterdir() if found.name != "data"] == ["night.csv"]


def test_a_file_that_cannot_be_finished_keeps_what_it_held(tmp_path: Path) -> None:
    path = tmp_path / "night.md"
    path.write_text("yesterday's")

    def parts() -> Any:
        yield "today's"
        message = "the database went away"
        raise RuntimeError(message)

    with pytest.raises(RuntimeError):
        write_file(path, parts())
    assert path.read_text() == "yesterday's"
    assert list(tmp_path.iterdir()) == [path]


def test_a_pipe_is_written_into_and_stays_one(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE, text=True) as reader:
        write_file(pipe, ["today's ", "night"])
        assert reader.communicate(timeout=10)[0] == "today's night"
    assert pipe.is_fifo()


def test_a_link_stays_one_and_what_it_leads_to_is_written(tmp_path: Path) -> None:
    path, link = tmp_path / "night.md", tmp_path / "latest.md"
    link.symlink_to(path)
    write_file(link, ["today's"])
    assert (link.readlink(), path.read_text()) == (path, "today's")


@pytest.mark.parametrize(
    ("args", "code", "sentence"),
    [
        (("--from", "yesterday"), 2, "'yesterday' is not a time."),
        (("--from", "2026-11-24", "--to", "2026-11-23"), 2, "The time range ends before it begins"),
        (("--from", "0001-01-01"), 2, "is out of range"),
        (("--format", "pdf"), 2, "'pdf' is not one of"),
        (("--group", 99), 1, "99"),
        (
            ("--output", "no/such/folder/night.md"),
            1,
            "Cannot write no/such/folder/night.md: No such file or directory.",
        ),
    ],
)
def test_a_report_that_cannot_be_is_refused_in_one_sentence(
    run: Run, args: tuple[object, ...], code: int, sentence: str
) -> None:
    done = run("report", *args)
    assert (done.code, done.out) == (code, "")
    assert sentence in done.err
    assert done.err.count("\n") == 1


# The database


def test_sqlite_needs_no_set_up(run: Run, settings: Settings) -> None:
    (settings.data_dir / "redrive.db").unlink()
    assert run("events", "--json").json == []


def test_the_database_is_upgraded_by_hand_too(run: Run, settings: Settings) -> None:
    (settings.data_dir / "redrive.db").unlink()
    assert run("db", "upgrade").out == "The database has the newest schema.\n"
    engine = make_engine(settings)
    assert "events" in inspect(engine).get_table_names()
    engine.dispose()


def test_a_database_that_cannot_be_used_is_said_in_one_sentence(run: Run, settings: Settings) -> None:
    (settings.data_dir / "redrive.db").write_bytes(b"not a database, by any means" * 100)
    done = run("events", "--json")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("The database cannot be used: ")
    assert done.err.count("\n") == 1


def test_a_folder_that_cannot_be_made_is_said_in_one_sentence(
    run: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = settings.data_dir / "redrive.db" / "deeper"
    monkeypatch.setenv("REDRIVE_DATA_DIR", str(folder))
    done = run("groups")
    assert (done.code, done.out) == (1, "")
    assert done.err == f"Cannot make {folder} for the database: Not a directory. See REDRIVE_DATA_DIR.\n"


def test_an_address_that_is_none_is_bad_usage(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://ada:hunter2@127.0.0.1:port/shop")
    done = run("groups")
    assert (done.code, done.out) == (2, "")
    assert done.err == "DATABASE_URL is not the address of a database, such as postgresql://user@host/name.\n"


@pytest.mark.parametrize("args", [("show",), ("cancel",), ("groups", "--group"), ("send", "--yes", "--group")])
def test_a_number_that_no_id_can_be_is_bad_usage(run: Run, args: tuple[str, ...]) -> None:
    done = run(*args, 10**30)
    assert (done.code, done.out) == (2, "")
    assert "is not in the range" in done.err


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="only Linux has a device that is always full")
@pytest.mark.usefixtures("night")
def test_an_answer_that_cannot_be_written_is_said_in_one_sentence(env: dict[str, str]) -> None:
    for command in (["groups"], ["events", "--json"]):
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run(
                [*REDRIVE, *command], stdout=full, stderr=subprocess.PIPE, text=True, env=env, check=False
            )
        assert (done.returncode, done.stderr) == (1, "Cannot write the answer: No space left on device.\n")


@pytest.mark.postgres
def test_postgresql_is_upgraded_only_by_hand(run: Run, postgres_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", make_postgres_database(postgres_server, "cli"))
    done = run("events", "--json")
    assert (done.code, done.out) == (1, "")
    assert "Run `redrive db upgrade`" in done.err
    assert run("db", "upgrade").code == 0
    assert run("events", "--json").json == []


def test_a_setting_that_cannot_be_is_bad_usage(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDRIVE_RATE", "fast")
    done = run("groups")
    assert (done.code, done.err) == (2, "REDRIVE_RATE is 'fast', and must be a number from 0.01 to 10000.\n")


# Serve and work


@pytest.fixture
def console(env: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """The console, served on a free port; killed at the end where the test has not ended it."""
    with subprocess.Popen([*REDRIVE, "serve", "--port", "0"], stderr=subprocess.PIPE, text=True, env=env) as console:
        yield console
        console.kill()


def test_the_console_serves_until_it_is_told_to_end(console: subprocess.Popen[str]) -> None:
    assert console.stderr
    line = console.stderr.readline()
    address = re.search(r"http://127\.0\.0\.1:\d+", line)
    assert address, line
    with urllib.request.urlopen(f"{address[0]}/healthz", timeout=10) as answer:  # noqa: S310 - loopback
        assert answer.status == 200
    console.send_signal(signal.SIGTERM)
    assert console.wait(10) == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "localhost", "::1", "[::1]"])
def test_the_console_listens_on_this_machine(host: str, settings: Settings, sqlite_engine: Engine) -> None:
    check_host(host, settings, sqlite_engine)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "console.example.com"])  # noqa: S104 - refused
def test_the_console_refuses_to_be_reached_by_others_unless_somebody_can_sign_in(
    host: str, settings: Settings, sqlite_engine: Engine
) -> None:
    for way in (SignIn.OFF, SignIn.LINK):
        with pytest.raises(BadInput, match=r"Others can reach .*REDRIVE_SIGN_IN=accounts"):
            check_host(host, replace(settings, sign_in=way), sqlite_engine)
    with_accounts = replace(settings, sign_in=SignIn.ACCOUNTS)
    with pytest.raises(BadInput, match=r"Nobody could sign in.*redrive users add"):
        check_host(host, with_accounts, sqlite_engine)
    check_host(host, replace(with_accounts, oidc=Oidc(issuer="https://id.example.com", client_id="x")), sqlite_engine)
    with write(sqlite_engine) as session:
        add_user(session, "ada", grants=[Grant(Role.ADMIN)], password="correct horse battery", now=NOW)
    check_host(host, with_accounts, sqlite_engine)


def test_serving_to_others_is_refused_by_the_command(run: Run) -> None:
    done = run("serve", "--host", "0.0.0.0")  # noqa: S104 - refused
    assert done.code == 2
    assert done.err.count("\n") == 1


def test_a_port_that_is_taken_is_said_in_one_sentence(env: dict[str, str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [*REDRIVE, "serve", "--port", str(port)]
        done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=30, check=False)
    assert done.returncode == 1
    assert (
        done.stderr == f"Cannot listen on 127.0.0.1:{port}: Address already in use. Choose another --port or --host.\n"
    )


def test_the_worker_runs_once_and_ends(env: dict[str, str], settings: Settings) -> None:
    (settings.data_dir / "redrive.db").unlink()
    done = subprocess.run(
        [*REDRIVE, "work", "--once"], capture_output=True, text=True, env=env, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert (settings.data_dir / "redrive.db").exists()


def test_times_are_printed_in_utc_to_the_second() -> None:
    assert when(datetime(2026, 11, 23, 3, 14, 7, 120_000, tzinfo=UTC)) == "2026-11-23T03:14:07Z"
    assert when(None) == ""


def test_a_queue_is_a_target_too(run: Run, night: Engine) -> None:
    queue = ACCOUNT.format("sqs", "orders")
    done = run("send", "--event", 1, "--target", queue, "--yes", "--json")
    assert [(line["kind"], line["arn"]) for line in done.json["targets"]] == [("sqs", queue)]
    with read(night) as session:
        assert get_redrive(session, done.json["id"]).status is RedriveStatus.RUNNING
