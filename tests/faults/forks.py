"""Workers and consoles as processes of their own, forked from one that has imported everything: ready at once.

Run as a program, it reads one order a line from its stdin and answers each with one line. A process may be told to kill
itself (SIGKILL) at a step, the first time that it comes there: see `STEPS`.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

STEPS = {
    "before it claims": ("before", "worker.sending", "claim"),
    "claimed, not committed": ("after", "worker.sending", "claim"),
    "claimed": ("before", "worker.calling.Calls", "submit"),
    "before the call": ("before", "worker.activity.WatchedTarget", "send"),
    "after the call": ("after", "worker.activity.WatchedTarget", "send"),
    "before it records": ("before", "worker.sending", "record_reports"),
    "recorded, not committed": ("after", "deadletter.redrive.sending", "record"),
    "recorded": ("after", "worker.sending", "record_reports"),
    "received": ("after", "worker.activity.WatchedSource", "receive"),
    "stored, not committed": ("after", "deadletter.collect", "store_all"),
    "stored": ("before", "worker.activity.WatchedSource", "delete"),
    "deleted": ("after", "worker.activity.WatchedSource", "delete"),
    "planned, not committed": ("after", "deadletter.store.redrives.plans", "_begin"),
    "planned": ("after", "deadletter.redrive", "create_plan"),
    "started, not committed": ("after", "deadletter.store.redrives.plans", "start"),
    "started": ("after", "deadletter.redrive", "start"),
    "cancelled, not committed": ("after", "deadletter.store.redrives.plans", "cancel"),
    "cancelled": ("after", "deadletter.redrive", "cancel"),
}
"""Where a process dies: before or after a call, by what it is called on."""


class Forks:
    """The process that the others are forked from."""

    def __init__(self, process: subprocess.Popen[str], env: Mapping[str, str]) -> None:
        self._process = process
        self._env = dict(env)
        self._lock = threading.Lock()
        self._gone: set[int] = set()

    def start(self, program: str, *arguments: str, dies: str | None = None, **env: str) -> int:
        """Start a `worker`, or a `console` that is asked for pages; return its process id."""
        order = {"program": program, "arguments": arguments, "dies": dies, "env": self._env | env}
        pid: int = self._ask(order)["pid"]
        return pid

    def ended(self, pid: int) -> int | None:
        """Return how a process ended, as `subprocess` says it (-9: killed); None while it runs."""
        code: int | None = self._ask({"program": "ended", "pid": pid})["code"]
        if code is not None:
            self._gone.add(pid)
        return code

    def wait(self, pid: int, timeout_s: float = 60.0) -> int:
        """Wait for the end of a process; return how it ended."""
        pause = threading.Event()
        for _ in range(int(timeout_s / 0.02)):
            if (code := self.ended(pid)) is not None:
                return code
            pause.wait(0.02)
        os.kill(pid, signal.SIGKILL)
        raise AssertionError(f"process {pid} did not end within {timeout_s:g} s")

    def run(self, program: str, *arguments: str, dies: str | None = None, **env: str) -> int:
        """Start a process and wait for its end."""
        return self.wait(self.start(program, *arguments, dies=dies, **env))

    @contextmanager
    def together(self) -> Iterator[Callable[..., int]]:
        """Give what starts processes as `start` does; whatever of them still runs at the end of the block is killed."""
        started: list[int] = []

        def start(program: str, *arguments: str, **env: str) -> int:
            started.append(self.start(program, *arguments, **env))
            return started[-1]

        try:
            yield start
        finally:
            for pid in started:
                if pid not in self._gone and self.ended(pid) is None:
                    os.kill(pid, signal.SIGKILL)
                    self.wait(pid)

    def _ask(self, order: Mapping[str, Any]) -> dict[str, Any]:
        assert self._process.stdin
        assert self._process.stdout
        with self._lock:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


@contextmanager
def forks(env: Mapping[str, str]) -> Iterator[Forks]:
    """Start what processes are forked from; *env* is theirs. It takes them all with it when it ends."""
    command = [sys.executable, "-m", "tests.faults.forks"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, env=dict(env), stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield Forks(process, env)
        finally:
            process.stdin.close()  # type: ignore[union-attr] # a pipe, as asked for
            process.wait(30)


def main() -> None:
    """Fork as told, until stdin ends; then end what still runs."""
    import_module("console.app")
    import_module("worker.loop")
    running: set[int] = set()
    for line in sys.stdin:
        order = json.loads(line)
        if order["program"] == "ended":
            answer = {"code": _code(order["pid"], running)}
        else:
            pid = os.fork()
            if not pid:
                _become(order)
            running.add(pid)
            answer = {"pid": pid}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    for pid in running:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _code(pid: int, running: set[int]) -> int | None:
    found, status = os.waitpid(pid, os.WNOHANG)
    if not found:
        return None
    running.discard(pid)
    return os.waitstatus_to_exitcode(status)


def _become(order: Mapping[str, Any]) -> None:
    """Be the program that was asked for, in this process; never returns."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, *(() if os.environ.get("FAULTS_LOUD") else (2,))):
        os.dup2(null, number)
    os.environ.clear()
    os.environ.update(order["env"])
    if order["dies"]:
        _die_at(*STEPS[order["dies"]])
    code = 1
    try:
        code = _PROGRAMS[order["program"]](order["arguments"])
    finally:
        os._exit(code)


def _die_at(when: str, where: str, name: str) -> None:
    """Let this process kill itself before or after the first call of *name* that does something."""
    owner = _find(where)
    real = getattr(owner, name)

    @functools.wraps(real)
    def fatal(*given: Any, **named: Any) -> Any:
        if when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        done = real(*given, **named)
        if done or name in {"record", "record_reports", "start", "cancel", "delete"}:  # these may return nothing
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    setattr(owner, name, fatal)


def _find(where: str) -> Any:
    try:
        return import_module(where)
    except ModuleNotFoundError:
        module, _, name = where.rpartition(".")
        return getattr(import_module(module), name)


def _worker(arguments: list[str]) -> int:
    main: Callable[[list[str]], int] = import_module("worker.__main__").main
    return main(arguments)


def _console(arguments: list[str]) -> int:
    """Answer one request, `POST /path name=value …`, as the console does; return its status's first digit."""
    app = import_module("console.app").create_app(import_module("deadletter.settings").Settings.from_env())
    path, *fields = arguments
    data: dict[str, str] = dict(field.split("=", 1) for field in fields)
    answer = app.test_client().post(path, data=data, headers={"Sec-Fetch-Site": "same-origin"})
    return int(answer.status_code) // 100


def _serve(arguments: list[str]) -> int:
    main: Callable[[list[str]], int] = import_module("console.cli").main
    return main(["serve", *arguments])


_PROGRAMS: dict[str, Callable[[list[str]], int]] = {"worker": _worker, "console": _console, "serve": _serve}

if __name__ == "__main__":
    main()
