import json
import subprocess
import sys
from pathlib import Path

import pytest

from console.cli import main

EVENTS = Path(__file__).parents[1] / "events"
REDRIVE = [sys.executable, "-m", "console.cli"]


def run(*args: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*REDRIVE, *args], input=stdin, capture_output=True, check=False)


def fingerprints(*causes: object) -> subprocess.CompletedProcess[bytes]:
    return run("fingerprint", stdin="".join(json.dumps(cause) + "\n" for cause in causes).encode())


def test_parse_prints_what_a_file_says_as_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["parse", str(EVENTS / "async-destination-sqs.json")]) == 0
    said = json.loads(capsys.readouterr().out)
    assert list(said) == [
        "producer", "request_id", "function_arn", "qualifier", "condition", "invoke_count", "error_type",
        "error_message", "stack_trace", "status_code", "occurred_at", "payload", "payload_text", "target", "redrivable",
        "reason", "truncated", "origin_arn", "stream", "notes",
    ]  # fmt: skip
    assert said["producer"] == "lambda-destination"


def test_parse_reads_stdin_without_a_file() -> None:
    done = run("parse", "--json", stdin=(EVENTS / "async-dlq-sqs.json").read_bytes())
    assert done.returncode == 0
    assert json.loads(done.stdout)["producer"] == "lambda-async-dlq"
    assert done.stderr == b""


@pytest.mark.parametrize("text", [b"\xff\xfe\x00", b'"\\ud800"', b"[" * 5000, b"1e400", b"{}"])
def test_parse_reads_any_bytes_as_an_unrecognised_record(text: bytes) -> None:
    done = run("parse", stdin=text)
    assert done.returncode == 0
    assert json.loads(done.stdout)["producer"] == "unrecognised"


def test_parse_of_nothing_is_bad_usage(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    empty = tmp_path / "empty.json"
    empty.write_text(" \n")
    assert main(["parse", str(empty)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("There is nothing to parse")


def test_a_file_that_is_not_there_is_bad_usage_in_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["parse", "no-such-file.json"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "no-such-file.json" in said.err
    assert said.err.count("\n") == 1


def test_parse_wants_neither_a_database_nor_the_network() -> None:
    look = (
        "import sys, console.cli; console.cli.main(['parse', '--help']); "
        "print(sorted({'boto3', 'botocore', 'sqlalchemy', 'alembic', 'flask'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert "Print what a record says, changing nothing." in done.stdout


def test_fingerprint_answers_line_for_line() -> None:
    cause = {"error_type": "KeyError", "error_message": "'order_7741'", "stack_trace": None, "function_arn": None}
    done = fingerprints(cause, cause | {"error_message": "'order_9'"}, cause | {"error_type": "ValueError"})
    first, second, third = (json.loads(line) for line in done.stdout.splitlines())
    assert done.returncode == 0
    assert list(first) == ["fingerprint", "masked", "title"]
    assert first["fingerprint"] == second["fingerprint"] != third["fingerprint"]


def test_fingerprint_takes_what_parse_prints(tmp_path: Path) -> None:
    said = json.loads(run("parse", str(EVENTS / "async-destination-sqs.json")).stdout)
    path = tmp_path / "causes.ndjson"
    path.write_text(json.dumps(said) + "\n")
    done = run("fingerprint", str(path))
    assert json.loads(done.stdout)["fingerprint"].startswith("1:")


def test_a_stack_as_one_text_is_its_lines() -> None:
    frames = ['  File "/var/task/app.py", line 3, in handler', "    charge()"]
    as_list, as_text = fingerprints(
        {"error_type": "KeyError", "stack_trace": frames}, {"error_type": "KeyError", "stack_trace": "\n".join(frames)}
    ).stdout.splitlines()
    assert as_list == as_text


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("nonsense", "Line 2 is not a JSON object such as"),
        ("[1]", "Line 2 is not a JSON object such as"),
        ("", "Line 2 is not a JSON object such as"),
        ('{"error_type": 3}', "Line 2: error_type is 3, and must be a text or null."),
        ('{"stack_trace": [1]}', "Line 2: stack_trace is [1], and must be a text, a list of texts, or null."),
    ],
)
def test_a_bad_line_is_named_and_the_lines_before_it_are_answered(line: str, sentence: str) -> None:
    done = run("fingerprint", stdin=f'{{"error_type": "KeyError"}}\n{line}\n{{}}\n'.encode())
    assert done.returncode == 2
    assert len(done.stdout.splitlines()) == 1
    assert sentence in done.stderr.decode()
    assert done.stderr.count(b"\n") == 1


def test_an_unknown_command_is_bad_usage_and_says_where_help_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["retry"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "No such command 'retry'. See `redrive --help`.\n"


def test_without_a_command_the_help_says_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    for name in (
        "serve",
        "work",
        "sources",
        "parse",
        "fingerprint",
        "groups",
        "events",
        "send",
        "show",
        "cancel",
        "report",
        "db",
    ):
        assert f"  {name} " in said.err


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    causes = tmp_path / "causes.ndjson"
    causes.write_text('{"error_type": "KeyError"}\n' * 20_000)
    command = [*REDRIVE, "fingerprint", str(causes)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as redrive:
        assert redrive.stdout
        assert redrive.stderr
        assert redrive.stdout.readline().startswith(b"{")
        redrive.stdout.close()
        assert redrive.stderr.read() == b""
    assert redrive.returncode == 1
