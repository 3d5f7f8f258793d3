"""What is in the zip: everything that the functions import, nothing else than that, and the same bytes every time."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.lambdas.conftest import BUILD, ROOT
from tests.terraform.stack import STACK, local

HANDLERS = sorted(each["handler"] for each in local(STACK, "functions").values())
ELSEWHERE = {"sandbox", "tests", "bench", "pytest", "mypy", "ruff", "ministack", "waitress", "playwright", "pip"}


@pytest.mark.parametrize("handler", HANDLERS)
def test_a_handler_finds_all_that_it_imports_in_the_zip(unpacked: Path, handler: str) -> None:
    module, _, name = handler.rpartition(".")
    late = "deadletter.store, deadletter.aws, deadletter.scouting, alembic.command, psycopg, apig_wsgi, console.app"
    script = f"import sys; sys.path.insert(0, '.'); import {module}; {module}.{name}; import worker.slices, {late}"
    env = {
        "PATH": os.environ["PATH"],
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "LAMBDA_TASK_ROOT": "/var/task",
        "POWERTOOLS_SERVICE_NAME": "redrive",
    }
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script], cwd=unpacked, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_it_is_small_and_holds_no_one_elses_things(unpacked: Path) -> None:
    assert not {path.name for path in unpacked.iterdir()} & ELSEWHERE
    assert not list(unpacked.rglob("*.pyi"))
    services = {path.name for path in (unpacked / "botocore" / "data").iterdir() if path.is_dir()}
    assert services == BUILD["SERVICES"]


def test_it_has_the_data_of_every_service_that_our_code_makes_a_client_of() -> None:
    source = "\n".join(path.read_text() for path in (ROOT / "deadletter" / "aws").rglob("*.py"))
    source += "\n".join(path.read_text() for path in (ROOT / "worker").glob("*.py"))
    made = set(re.findall(r'\bclient\(\s*"([a-z0-9-]+)"', source)) | set(re.findall(r'service="([a-z0-9-]+)"', source))
    assert {"lambda", "sqs", "secretsmanager"} <= made
    assert made <= BUILD["SERVICES"]


def test_everything_in_it_is_compiled(unpacked: Path) -> None:
    loose = [
        path
        for name in BUILD["OURS"]
        for path in (unpacked / name).rglob("*.py")
        if not (path.parent / "__pycache__" / f"{path.stem}.cpython-311.pyc").exists()
    ]
    assert loose == []


def test_the_same_tree_makes_the_same_bytes_at_any_time(tmp_path: Path) -> None:
    made = []
    for n in range(2):
        tree = tmp_path / f"tree-{n}"
        (tree / "deep").mkdir(parents=True)
        (tree / "deep" / "module.py").write_text(
            '"""Says."""\nNAMES = {"a", "b", "c"}\n\n\ndef f(x=1):\n    return x\n'
        )
        (tree / "late.txt").write_text("text")
        os.utime(tree / "late.txt", (10**9 + n * 86_400,) * 2)
        BUILD["_compile"]([tree / "deep"], tree)
        BUILD["_zip"](tree, tmp_path / f"{n}.zip", 9)
        made.append((tmp_path / f"{n}.zip").read_bytes())
    assert made[0] == made[1]
    with zipfile.ZipFile(tmp_path / "0.zip") as archive:
        assert [entry.filename for entry in archive.infolist()] == sorted(archive.namelist())
        assert b"/var/task/deep/module.py" in archive.read("deep/__pycache__/module.cpython-311.pyc")


def test_a_library_without_debugging_is_as_long_as_before() -> None:
    import psycopg_binary.pq  # noqa: PLC0415 - a library with its symbols

    original = Path(psycopg_binary.pq.__file__).read_bytes()
    cleaned = BUILD["without_debugging"](original)
    assert len(cleaned) == len(original)
    assert cleaned.count(0) >= original.count(0)
    assert BUILD["without_debugging"](b"text") == b"text"
