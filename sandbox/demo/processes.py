"""The product's processes as the demo runs them: by the same commands that an operator types."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

STOP_WITHIN_S = 15.0


class CommandFailed(Exception):
    """A `redrive` command did not do what the story needs; the text holds its own sentence."""


class Product:
    """The `redrive` command in one environment: *env* names the sandbox, *data_dir* holds the database and the logs."""

    def __init__(self, data_dir: Path, env: Mapping[str, str]) -> None:
        self.data_dir = data_dir
        self.env = {**os.environ, **env, "REDRIVE_DATA_DIR": str(data_dir)}
        self.console = ""
        """Where the console answers, once it does."""
        self.token = ""
        """What lets the demo itself into the console."""
        self.running: list[subprocess.Popen[bytes]] = []

    def run(self, *args: str, ok: Sequence[int] = (0,), **settings: str) -> str:
        """Run one command to its end and return what it printed; raise CommandFailed on another exit code than *ok*.

        *settings* are variables of its environment, for this once.
        """
        env = self.env | settings
        done = subprocess.run([*_redrive(), *args], env=env, capture_output=True, text=True, check=False)
        if done.returncode not in ok:
            raise CommandFailed(f"redrive {' '.join(args)} ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
        return done.stdout

    def ask(self, *args: str, ok: Sequence[int] = (0,), **settings: str) -> Any:  # noqa: ANN401 - any JSON document
        """Run one command with `--json` and return its document; see `run`."""
        return json.loads(self.run(*args, "--json", ok=ok, **settings))

    def events(self) -> list[dict[str, Any]]:
        """Return all events, by the console's API: asked again and again, a process for each would be most of it."""
        found: list[dict[str, Any]] = []
        query = {"limit": "200"}
        while True:
            page = json.loads(self.get("/api/v1/events", **query))
            found += page["items"]
            if not page["next"]:
                return found
            query["cursor"] = page["next"]

    def post(self, path: str, **fields: str) -> None:
        """Send a form to a page of the console, as its button does."""
        self._open(path, urllib.parse.urlencode(fields).encode())

    def get(self, path: str, **query: str) -> bytes:
        """Return what a page of the console answers, as its link does."""
        return self._open(f"{path}?{urllib.parse.urlencode(query)}")

    def _open(self, path: str, form: bytes | None = None) -> bytes:
        headers = {"Origin": self.console, "Authorization": f"Bearer {self.token}"}
        request = urllib.request.Request(f"{self.console}{path}", form, headers)  # noqa: S310 - our own loopback address
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - the same
                body: bytes = answer.read()
        except urllib.error.HTTPError as error:
            with error:
                raise CommandFailed(f"{path} was answered with {error.code}.") from error
        return body

    def start(self, name: str, *args: str) -> None:
        """Start a command that goes on (`serve`, `work`), logging to a file of its name."""
        with (self.data_dir / f"{name}.log").open("ab") as log:
            # A group of its own: Ctrl-C reaches the demo first, which then stops the parts in order.
            process = subprocess.Popen(
                [*_redrive(), *args], env=self.env, stdout=log, stderr=log, start_new_session=True
            )
        self.running.append(process)

    def stop(self) -> None:
        """End everything that was started, politely first."""
        for process in reversed(self.running):
            process.send_signal(signal.SIGTERM)
        for process in reversed(self.running):
            try:
                process.wait(STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.running.clear()

    def died(self) -> str | None:
        """Say which part ended by itself, if any did."""
        for process in self.running:
            if process.poll() is not None:
                return f"{process.args!r} ended with {process.returncode}; its log is in {self.data_dir}"
        return None


def wait_until_served(url: str, *, within_s: float = 60.0) -> None:
    """Return once *url* answers; raise CommandFailed when it does not in time."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - our own loopback address
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise CommandFailed(f"{url} did not answer within {within_s:g} s")


def _redrive() -> list[str]:
    return [str(Path(sys.executable).with_name("redrive"))]
