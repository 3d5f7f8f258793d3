"""The container's own steps, without an engine: install, run as nobody on a tree that cannot be written, look, stop."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.container.dockerfile import Room, words
from tests.container.test_dockerfile import BUILD, FINAL

pytestmark = [pytest.mark.container]

NOBODY = pwd.getpwnam("nobody")


@pytest.fixture(scope="module")
def room() -> Iterator[Room]:
    """The image: built by the Dockerfile's steps, then nobody's to write but for its volume."""
    folder = Path(tempfile.mkdtemp(prefix="redrive-image-"))
    folder.chmod(0o755)
    try:
        made = Room(folder)
        made.run_stage(BUILD)
        made.run_stage(FINAL)
        (folder / "data").mkdir()
        if os.geteuid() == 0:
            shutil.chown(folder / "data", NOBODY.pw_uid, NOBODY.pw_gid)
        subprocess.run(["chmod", "-R", "a-w", folder / "app", folder / "opt"], check=True)
        yield made
    finally:
        subprocess.run(["chmod", "-R", "u+w", folder], check=True)
        shutil.rmtree(folder)


def start(room: Room, *command: str, port: int) -> subprocess.Popen[str]:
    """Start a command of the container as its user: nobody here, where we are root."""
    as_nobody = {"user": NOBODY.pw_uid, "group": NOBODY.pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    env = room.env | {"REDRIVE_PORT": str(port), "REDRIVE_RECEIVE_WAIT_S": "0", "HOME": str(room.folder / "data")}
    return subprocess.Popen(
        command, env=env, cwd=room.path(FINAL.last("WORKDIR")), text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, executable=shutil.which(command[0], path=env["PATH"]), **as_nobody,  # type: ignore[call-overload] # by name
    )  # fmt: skip


def run(room: Room, *command: str, port: int) -> tuple[int, str]:
    process = start(room, *command, port=port)
    output, _ = process.communicate(timeout=60)
    return process.returncode, output


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(room: Room) -> Iterator[tuple[subprocess.Popen[str], int]]:
    port = free_port()
    process = start(room, *words(FINAL.last("ENTRYPOINT")), *words(FINAL.last("CMD")), port=port)
    try:
        yield process, port
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=40)


def healthy(room: Room, port: int, within_s: float = 60.0) -> bool:
    """Return whether the health check says yes in time; between its tries it rests."""
    check = words(FINAL.last("HEALTHCHECK").partition("CMD ")[2])
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if run(room, *check, port=port)[0] == 0:
            return True
        threading.Event().wait(0.3)
    return False


def test_its_user_can_write_nothing_of_it(room: Room) -> None:
    script = "import pathlib, sys, console; pathlib.Path(console.__file__).with_name('new.py').touch()"
    code, output = run(room, "python", "-c", script, port=1)
    assert code == 1
    assert "Permission denied" in output


def test_it_has_no_pip(room: Room) -> None:
    assert run(room, "python", "-m", "pip", "--version", port=1)[0] == 1


def test_it_comes_up_healthy_serves_and_stops_in_order(room: Room) -> None:
    with running(room) as (process, port):
        assert healthy(room, port)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/groups") as page:
            assert page.status == 200
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as page:
            assert b"redrive_workers 1.0" in page.read()
        code, output = run(room, "redrive", "sources", "add", "arn:aws:sqs:eu-west-1:111122223333:a-dlq", port=port)
        assert code == 0
        assert output.startswith("Source 1: arn:aws:sqs:eu-west-1:111122223333:a-dlq, collected")
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=40)
        assert process.returncode == 0, output
        assert '"message": "the worker ends"' in output
        assert not healthy(room, port, within_s=0.1)
