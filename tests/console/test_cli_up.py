"""`redrive up` runs the console and a worker as one: both end in order, and neither lives on alone."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from console.cli import main
from deadletter.settings import Settings
from tests.worker.conftest import wait_until


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def service(settings: Settings) -> Iterator[tuple[subprocess.Popen[str], int]]:
    port = free_port()
    env = os.environ | {"REDRIVE_DATA_DIR": str(settings.data_dir), "REDRIVE_PORT": str(port)}
    command = [sys.executable, "-m", "console.cli", "up"]
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True) as process:
        try:
            wait_until(lambda: process.poll() is not None or main(["ready", "--port", str(port)]) == 0, timeout_s=60)
            yield process, port
        finally:
            process.kill() if process.poll() is None else None


def children(pid: int) -> dict[str, int]:
    """Return the processes that *pid* started, by `console.cli` and `worker`."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return {Path(f"/proc/{each}/cmdline").read_text().split("\0")[2]: int(each) for each in found}


def test_it_ends_both_in_order_when_it_is_told_to(settings: Settings) -> None:
    with service(settings) as (process, port):
        started = children(process.pid)
        assert started.keys() == {"console.cli", "worker"}
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=40)
        assert process.returncode == 0, log
        assert '"message": "the worker ends"' in log
        assert not [pid for pid in started.values() if Path(f"/proc/{pid}").exists()]
        assert main(["ready", "--port", str(port)]) == 1


def test_when_one_dies_the_other_is_ended_and_it_fails(settings: Settings) -> None:
    with service(settings) as (process, _):
        started = children(process.pid)
        os.kill(started["worker"], signal.SIGKILL)
        _, log = process.communicate(timeout=40)
        assert process.returncode == 1
        assert "ended by itself, with exit code -9" in log
        assert not [pid for pid in started.values() if Path(f"/proc/{pid}").exists()]


def test_it_refuses_an_address_that_others_reach_as_serve_does(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REDRIVE_DATA_DIR", str(tmp_path / "none"))
    assert main(["up", "--host", "0.0.0.0"]) == 2  # noqa: S104 - it is refused
    assert "Others can reach 0.0.0.0" in capsys.readouterr().err


def test_where_nothing_listens_ready_says_what_to_start(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ready", "--port", str(free_port())]) == 1
    assert "Start it with `redrive up`" in capsys.readouterr().err
