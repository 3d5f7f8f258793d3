"""Collecting (receive, parse, group, store, delete) against a bare boto3 loop that only receives and deletes.

The worker is the real one, a process of its own with the processes that help it. It stands still (SIGSTOP) while the
others have their turn and while its queue is filled, so nobody pays for it.
"""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from sqlalchemy import Engine

from bench.databases import databases
from bench.messages import make_record
from bench.mover import mover
from bench.rounds import in_turn
from bench.rows import Row, at_least
from bench.sizes import Size
from deadletter.actor import Actor
from deadletter.settings import Settings
from deadletter.store import make_engine, read, upgrade, write
from deadletter.store.queries import list_workers
from deadletter.store.sources import add_source
from sandbox.local import Sandbox

WARM_UP = 500
"""Messages that are put in again and again until the helping processes are there: they come when a source flows."""

THREADS = 4
PROCESSES = 2
LEAST = 0.6
_DEADLINE_S = 300
LEAST_MOVER = 1.0


def measure(size: Size) -> list[Row]:
    """Return a row for each database and peer."""
    with tempfile.TemporaryDirectory() as folder, Sandbox(Path(folder)) as box, databases() as found:
        os.environ.update(box.env)
        return [row for name, settings in found.items() for row in _rows(box, name, settings, Path(folder), size)]


def _rows(box: Sandbox, name: str, settings: Settings, folder: Path, size: Size) -> list[Row]:
    ours, bare, moved = (_Queue(box, f"{kind}-{name.lower()}", size.messages) for kind in ("ours", "bare", "moved"))
    with ExitStack() as ending:
        work = ending.enter_context(_worker(settings, ours))
        move = ending.enter_context(mover(folder)) if name == "SQLite" else None
        things = {"bare loop": lambda: _bare_loop(bare), "ours": work}
        if move:
            things["sqs-mover"] = lambda: _timed(moved, lambda: move(moved.name, "elsewhere"))
            _Queue(box, "elsewhere", 0)
        rounds = in_turn(things, rounds=size.rounds)
    rows = [
        at_least(
            LEAST,
            f"collect / bare loop, {name}",
            rounds.ratio("ours", "bare loop"),
            note=rounds.note("ours", "bare loop"),
        )
    ]
    if move:
        ratio, note = rounds.ratio("ours", "sqs-mover"), rounds.note("ours", "sqs-mover")
        rows.append(at_least(LEAST_MOVER, f"collect / sqs-mover, {name}", ratio, note=note))
    return rows


class _Queue:
    """A queue of the sandbox, filled and watched."""

    def __init__(self, box: Sandbox, name: str, messages: int) -> None:
        self.name = name
        self.messages = messages
        self.arn = f"arn:aws:sqs:{box.region}:{box.account}:{name}"
        self._sqs: Any = boto3.client("sqs")
        self.url = self._sqs.create_queue(QueueName=name)["QueueUrl"]

    def fill(self, messages: int) -> None:
        for start in range(0, messages, 10):
            entries = [{"Id": str(n), "MessageBody": make_record(start + n)} for n in range(10)]
            self._sqs.send_message_batch(QueueUrl=self.url, Entries=entries)

    def drained(self) -> bool:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = self._sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return all(attributes[name] == "0" for name in names)


def _timed(queue: _Queue, empty: Callable[[], object]) -> float:
    """Return how many messages a second *empty* takes out of the queue."""
    queue.fill(queue.messages)
    at = time.perf_counter()
    empty()
    return queue.messages / (time.perf_counter() - at)


def _bare_loop(queue: _Queue) -> float:
    left, lock = [queue.messages], threading.Lock()

    def loop() -> None:
        sqs = boto3.client("sqs")
        while left[0] > 0:
            messages = sqs.receive_message(QueueUrl=queue.url, MaxNumberOfMessages=10).get("Messages", [])
            if messages:
                sqs.delete_message_batch(
                    QueueUrl=queue.url,
                    Entries=[{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(messages)],
                )
                with lock:
                    left[0] -= len(messages)

    def run() -> None:
        threads = [threading.Thread(target=loop) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return _timed(queue, run)


@contextmanager
def _worker(settings: Settings, queue: _Queue) -> Iterator[Callable[[], float]]:
    """Run a worker on *queue*; yield what lets it work for one round."""
    upgrade(settings)
    engine = make_engine(settings)
    with write(engine) as session:
        add_source(session, queue.arn, target=None, by=Actor("bench", "bench"), now=datetime.now(UTC))
    env = {
        "REDRIVE_DATA_DIR": str(settings.data_dir),
        "DATABASE_URL": settings.database_url,
        "REDRIVE_PROCESSES": str(PROCESSES),
        "REDRIVE_RECEIVERS": str(THREADS // PROCESSES),
    }
    command = [sys.executable, "-m", "worker"]
    log = subprocess.DEVNULL
    with subprocess.Popen(command, env=os.environ | env, stderr=log, start_new_session=True) as process:
        try:
            _warm_up(queue, engine)
            os.killpg(process.pid, signal.SIGSTOP)
            yield lambda: _timed(queue, lambda: _let_work(process.pid, queue))
        finally:
            os.killpg(process.pid, signal.SIGCONT)
            process.terminate()
    engine.dispose()


def _warm_up(queue: _Queue, engine: Engine) -> None:
    """Fill the queue until there are helpers: how long they take depends on the machine, so no number is enough."""
    deadline = time.monotonic() + _DEADLINE_S
    while not _helped(engine):
        if time.monotonic() > deadline:
            raise RuntimeError(f"After {_DEADLINE_S} s, the worker has no helping processes, or does not run at all.")
        queue.fill(WARM_UP)
    _wait(queue.drained)


def _let_work(group: int, queue: _Queue) -> None:
    os.killpg(group, signal.SIGCONT)
    _wait(queue.drained)
    os.killpg(group, signal.SIGSTOP)


def _helped(engine: Engine) -> bool:
    with read(engine) as session:
        return sum(worker.lead is not None for worker in list_workers(session)) == PROCESSES - 1


def _wait(until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while not until():
        if time.monotonic() > deadline:
            raise RuntimeError(f"After {_DEADLINE_S} s, there are still messages to collect.")
        time.sleep(0.05)
