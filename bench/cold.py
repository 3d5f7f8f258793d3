"""How long a Lambda function's cold start spends importing: our handlers out of the built zip, against boto3 alone."""

import os
import platform
import runpy
import subprocess
import sys
import tempfile
import time
import zipfile
from functools import partial
from pathlib import Path

from bench.rounds import in_turn
from bench.rows import Row, under
from bench.sizes import Size

ROOT = Path(__file__).parents[1]
ROUNDS = 7
MOST_TIMES = 1.8
MOST_MB = 20

_PEER = "import boto3; boto3.client('sqs')"
_HANDLERS = {"collect": "worker.lambda_collect", "redrive": "worker.lambda_redrive"}


def measure(_size: Size) -> list[Row]:
    """Import each in a process of its own, in turn, as often as a rate would say: imports per second.

    All stand in the same folder, as Lambda unpacks it, with the same `.pyc`. What starting Python takes is in all of
    them, so it is measured too, and taken off.
    """
    architecture = "arm64" if platform.machine() in {"aarch64", "arm64"} else "x86_64"
    build = runpy.run_path(str(ROOT / "terraform" / "build_zip.py"))["build"]
    with tempfile.TemporaryDirectory() as folder:
        archive = build(architecture, Path(folder) / "redrive.zip")
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(Path(folder) / "task")
        size = under(MOST_MB, "lambda: zip of all functions", archive.stat().st_size / 1e6, "MB", architecture)
        return [*_rows(Path(folder) / "task"), size]


def _rows(task: Path) -> list[Row]:
    scripts = {"python": "pass", "boto3": _PEER} | {name: f"import {module}" for name, module in _HANDLERS.items()}
    for script in scripts.values():
        _rate(script, task)  # whatever the file system has not read yet
    found = in_turn({name: partial(_rate, script, task) for name, script in scripts.items()}, rounds=ROUNDS)
    ms = {name: 1000 / found.rate(name) for name in scripts}
    peer = ms["boto3"] - ms["python"]
    return [
        under(
            MOST_TIMES,
            f"lambda: cold import of {name}",
            (ms[name] - ms["python"]) / peer,
            "ratio",
            f"{ms[name] - ms['python']:.0f} against {peer:.0f} ms for boto3 and one client",
        )
        for name in _HANDLERS
    ]


def _rate(script: str, task: Path) -> float:
    env = {
        "PATH": os.environ["PATH"],
        "AWS_REGION": "eu-west-1",
        "LAMBDA_TASK_ROOT": "/var/task",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }
    env |= {"POWERTOOLS_SERVICE_NAME": "redrive", "REDRIVE_IDEMPOTENCY_TABLE": "t", "AWS_EC2_METADATA_DISABLED": "true"}
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, '.'); {script}"]
    started = time.perf_counter()
    subprocess.run(command, cwd=task, env=env, check=True)
    return 1 / (time.perf_counter() - started)
