"""`redrive up` and `redrive ready`: the console and a worker as one service, and whether it is well."""

from __future__ import annotations

import http.client
import logging
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from types import FrameType

import click

from console.commands.database import database, said_plainly
from console.commands.service import add_first_admin, check_host
from deadletter.errors import RedriveError
from deadletter.settings import Settings
from deadletter.store import upgrade

log = logging.getLogger("redrive")

SPARE_S = 3.0
"""How much longer than the worker gives itself (REDRIVE_STOP_WITHIN_S) both may take to end, before they are killed."""

_LOOK_EVERY_S = 0.2
_ANSWERS_WITHIN_S = 4.0
_OK = 200


@click.command()
@click.option("--host", help="Address to listen on (REDRIVE_HOST, else 127.0.0.1).")
@click.option("--port", type=click.IntRange(0, 65535), help="Port (REDRIVE_PORT, else 8080); 0 takes a free one.")
def up(*, host: str | None, port: int | None) -> int:
    """Bring the database to the newest schema, then run the console and one worker.

    SIGTERM or Ctrl-C ends both, once what they have in hand is safe; the exit code is 0 then. When one of the two ends
    by itself, the other is ended too, and the exit code is 1: whatever started this starts it anew.
    """
    logging.basicConfig(format="%(asctime)s %(name)s %(levelname)s %(message)s")
    log.setLevel(logging.INFO)
    settings = Settings.from_env()
    with said_plainly():
        upgrade(settings)
    with database() as (_, engine):
        add_first_admin(settings, engine)
        check_host(host or settings.host, settings, engine)
    serve = ["serve", *(["--host", host] if host else []), *(["--port", str(port)] if port is not None else [])]
    commands: dict[str, Sequence[str]] = {"console": _redrive(*serve), "worker": [sys.executable, "-m", "worker"]}
    return _supervise(commands, stop_within_s=settings.stop_within_s + SPARE_S)


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), help="The console's port (REDRIVE_PORT, else 8080).")
def ready(*, port: int | None) -> None:
    """Ask the console on this machine whether it is ready; exit with 1 when it is not."""
    port = port or Settings.from_env().port
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_ANSWERS_WITHIN_S)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        text = answer.read().decode().strip()
    except (OSError, http.client.HTTPException) as error:
        raise RedriveError(f"No console answers on port {port}: {error}. Start it with `redrive up`.") from error
    finally:
        connection.close()
    if answer.status != _OK:
        raise RedriveError(
            text if answer.getheader("Content-Type", "").startswith("text/plain") else "It is not ready."
        )
    click.echo(text)


def _redrive(*words: str) -> list[str]:
    return [sys.executable, "-m", "console.cli", *words]


def _supervise(commands: dict[str, Sequence[str]], *, stop_within_s: float) -> int:
    """Run *commands* until a signal, or until one ends; then end the others. Return the exit code."""
    told = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        told.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    # Sessions of their own: Ctrl-C reaches this process alone, which then ends the others in order.
    running = {
        name: subprocess.Popen(words, start_new_session=True)  # noqa: S603 - our own commands
        for name, words in commands.items()
    }
    while not told.wait(_LOOK_EVERY_S) and not _ended(running):
        pass
    for name, code in _ended(running).items():
        log.error("The %s ended by itself, with exit code %s, so everything ends.", name, code)
    by_itself = not told.is_set()
    return 1 if _stop(running, stop_within_s) or by_itself else 0


def _ended(running: dict[str, subprocess.Popen[bytes]]) -> dict[str, int]:
    codes = {name: process.poll() for name, process in running.items()}
    return {name: code for name, code in codes.items() if code is not None}


def _stop(running: dict[str, subprocess.Popen[bytes]], within_s: float) -> bool:
    """End what still runs, politely first; return whether anything had to be killed."""
    for process in running.values():
        process.terminate()
    deadline = time.monotonic() + within_s
    killed = False
    for name, process in running.items():
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            log.error("The %s did not end within %g s, and was killed.", name, within_s)  # noqa: TRY400 - no trace
            process.kill()
            process.wait()
            killed = True
    return killed
