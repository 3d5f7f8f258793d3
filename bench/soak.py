"""Very many events in, a fifth of them redriven, workers killed (SIGKILL) all the while; then count, and count again.

Nothing lost and nothing double is said by the database itself (plain SQL over its rows, and the product's own recount)
and by the ledger: what a consumer of the target queue took, by order. A send that a kill cut short is `unknown`: its
order may have come once or not at all, and never twice.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from sqlalchemy import Engine, text

from bench.databases import databases
from bench.messages import CAUSES, make_record
from deadletter import redrive
from deadletter.actor import Actor
from deadletter.filters import EventFilter
from deadletter.manner import AT_ONCE
from deadletter.outcome import EventStatus
from deadletter.settings import Settings
from deadletter.store import make_engine, read, upgrade, write
from deadletter.store.check import recount
from deadletter.store.redrives import get_redrive
from deadletter.store.sources import add_source
from sandbox.local import Sandbox

REDRIVEN_CAUSES = 5
"""Of the 25 causes: a fifth of the events."""

WORKERS = 2
MOST_MB = 300
BY = Actor("soak", "bench")
RATE = 80.0
"""Events a second of each redrive: no more than the emulator hands on, which is slower the more lie in a queue."""

CONSUMERS = 3
LEASE_S = 5.0
SETTLE_S = 3.0
HIDDEN_S = "20"
"""How long SQS hides what a worker took: what a killed one held comes again after that."""


@dataclass
class _Queue:
    """A queue of the sandbox."""

    box: Sandbox
    name: str
    url: str = ""

    def __post_init__(self) -> None:
        sqs = boto3.client("sqs")
        self.url = sqs.create_queue(QueueName=self.name, Attributes={"VisibilityTimeout": HIDDEN_S})["QueueUrl"]

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"arn:aws:sqs:{self.box.region}:{self.box.account}:{self.name}"


@dataclass
class _Ledger:
    """How often each order came out at the target; a message that the queue itself hands over twice counts once."""

    came: Counter[str] = field(default_factory=Counter)
    seen: set[str] = field(default_factory=set)
    one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def take(self, messages: list[Any]) -> None:
        """Write down what came."""
        with self.one_at_a_time:
            for message in messages:
                if message["MessageId"] not in self.seen:
                    self.seen.add(message["MessageId"])
                    self.came[json.loads(message["Body"])["orderId"]] += 1


def main() -> int:
    """Return 0 when nothing was lost and nothing came twice."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000, help="how many (default 1,000,000)")
    parser.add_argument("--kill-every", type=float, default=60.0, metavar="S", help="seconds between two kills (60)")
    parser.add_argument("--database", choices=("postgresql", "sqlite", "both"), default="postgresql")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    events = max(CAUSES, given.events // CAUSES * CAUSES)
    with tempfile.TemporaryDirectory() as folder, Sandbox(Path(folder)) as box, databases() as found:
        os.environ.update(box.env)
        chosen = {n: s for n, s in found.items() if given.database in {"both", n.lower()}}
        if given.database != "sqlite" and "PostgreSQL" not in chosen:
            raise SystemExit("PostgreSQL (initdb) was not found, so there is nothing to soak. Install it.")
        wrong = [line for name, settings in chosen.items() for line in _soak(box, name, settings, events, given)]
    for line in wrong:
        print(f"WRONG: {line}", file=sys.stderr)
    return 1 if wrong else 0


def _soak(box: Sandbox, name: str, settings: Settings, events: int, given: argparse.Namespace) -> list[str]:
    """Run it on one database; print what was counted; return what is wrong with it, as sentences."""
    at = time.monotonic()
    own = replace(settings, data_dir=settings.data_dir / f"soak-{name}", settle_s=SETTLE_S)
    source, target, ledger = _Queue(box, f"soak-in-{name}"), _Queue(box, f"soak-out-{name}"), _Ledger()
    upgrade(own)
    engine, done = make_engine(own), threading.Event()
    with write(engine) as session:
        add_source(session, source.arn, target=redrive.parse_target(target.arn), by=BY, now=_now())
    with ExitStack() as ending:
        ending.callback(engine.dispose)
        ending.callback(done.set)
        _in_background(lambda: _feed(source, events, done))
        for _ in range(CONSUMERS):
            _in_background(lambda: _consume(target, ledger, done))
        crew = ending.enter_context(_crew(own))
        redrives = _drive(engine, own, target, events, crew, given.kill_every)
        _wait_until_drained(target)
        time.sleep(1)  # what the consumer has received, it writes down
    took_s = time.monotonic() - at
    wrong, counts = _judge(engine, redrives, ledger, events)
    peak = max(crew.peaks_mb, default=0)
    if peak >= MOST_MB:
        wrong.append(f"a worker took {peak:.0f} MB, and may take {MOST_MB}")
    print(
        f"{name}: {events:,} events in {took_s:,.0f} s, {crew.kills} kills, {WORKERS} workers of {peak:.0f} MB; "
        + ", ".join(f"{what} {n:,}" for what, n in counts.items())
        + (f"; {len(wrong)} WRONG" if wrong else "; nothing lost, nothing double"),
        flush=True,
    )
    return [f"{name}: {line}" for line in wrong]


def _drive(  # noqa: PLR0913, PLR0917 - what it works with
    engine: Engine, settings: Settings, target: _Queue, events: int, crew: _Crew, kill_every_s: float
) -> list[int]:
    """Kill at every interval; redrive once the fifth is here; return when everything is in and every redrive ended."""
    redrives: list[int] = []
    deadline = time.monotonic() + 300 + events / 50
    next_kill = time.monotonic() + kill_every_s
    while not (redrives and _all_in(engine, events) and _ended(engine, redrives)):
        if time.monotonic() > deadline:
            raise RuntimeError(f"The soak does not come to its end: {_where(engine, redrives)}.")
        if time.monotonic() >= next_kill:
            crew.kill_one()
            next_kill = time.monotonic() + kill_every_s
        if not redrives:
            redrives = _redrive(engine, settings, target, events)
        time.sleep(0.2)
    return redrives


def _redrive(engine: Engine, settings: Settings, target: _Queue, events: int) -> list[int]:
    """Start a redrive of each group that is to be redriven, once all of them are here in full."""
    with engine.connect() as connection:
        full = "SELECT id FROM groups WHERE n_unresolved = :n ORDER BY id LIMIT :most"
        given = {"n": events // CAUSES, "most": REDRIVEN_CAUSES}
        groups = list(connection.scalars(text(full), given))
    if len(groups) < REDRIVEN_CAUSES:
        return []
    return [_start(engine, settings, target, group) for group in groups]


def _start(engine: Engine, settings: Settings, target: _Queue, group: int) -> int:
    chosen = EventFilter(group=group, status=EventStatus.UNRESOLVED)
    to = redrive.parse_target(target.arn)
    redrive_id = redrive.create_plan(
        engine, chosen, target=to, rate=RATE, manner=AT_ONCE, asked_by=BY, settings=settings, now=_now()
    )
    with read(engine) as session:
        digest = get_redrive(session, redrive_id).digest
    redrive.start(engine, redrive_id, digest=digest, started_by=BY, now=_now())
    return redrive_id


def _all_in(engine: Engine, events: int) -> bool:
    with engine.connect() as connection:
        return bool(connection.scalar(text("SELECT sum(collected_total) FROM sources")) == events)


def _ended(engine: Engine, redrives: list[int]) -> bool:
    with read(engine) as session:
        return all(get_redrive(session, redrive_id).status == "finished" for redrive_id in redrives)


def _where(engine: Engine, redrives: list[int]) -> str:
    with read(engine) as session:
        rows = [get_redrive(session, redrive_id) for redrive_id in redrives]
        collected = session.scalar(text("SELECT sum(collected_total) FROM sources"))
    return f"{collected} collected, redrives {[(row.status.value, row.waiting, row.sending) for row in rows]}"


def _judge(engine: Engine, redrives: list[int], ledger: _Ledger, events: int) -> tuple[list[str], dict[str, int]]:
    """Count in the database and in the ledger; return what is wrong, and the counts."""
    wrong: list[str] = []
    with engine.connect() as connection:
        for what, query in _COUNTED.items():
            n = connection.scalar(text(query)) or 0
            if n != events:
                wrong.append(f"{what}: {n:,}, and {events:,} went in")
        items = connection.execute(text(_ITEMS)).all()
    fifth = events // CAUSES * REDRIVEN_CAUSES
    if len(items) != fifth or len({label for label, _ in items}) != fifth:
        wrong.append(f"{len(items):,} items in {len(redrives)} redrives, and {fifth:,} were to be redriven")
    wrong += [f"{label} is {outcome} and came {ledger.came[label]} times" for label, outcome in _odd(items, ledger)]
    if strange := ledger.came.keys() - {label for label, _ in items}:
        wrong.append(f"{len(strange):,} orders came that no redrive sent")
    with read(engine) as session:
        wrong += [f"recount: {difference}" for difference in recount(session)]
    outcomes = Counter(outcome for _, outcome in items)
    return wrong[:50], {"redriven": len(items), **outcomes, "came": ledger.came.total()}


def _odd(items: Any, ledger: _Ledger) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - rows
    for label, outcome in items:
        allowed = {0, 1} if outcome == "unknown" else {1} if outcome in {"sent", "succeeded"} else {0}
        if ledger.came[label] not in allowed:
            yield label, outcome


_COUNTED = {
    "events": "SELECT count(*) FROM events",
    "orders among the events": "SELECT count(DISTINCT label) FROM events",
    "invocations among the events": "SELECT count(DISTINCT request_id) FROM events",
    "records": "SELECT count(*) FROM records",
    "events with their main record": "SELECT count(*) FROM events JOIN records ON records.id = events.record_id",
    "events in the search": "SELECT count(*) FROM search",
}
_ITEMS = "SELECT events.label, outcome FROM redrive_items JOIN events ON events.id = redrive_items.event_id"


class _Crew:
    """The workers: one is killed now and then, and another one takes its place."""

    def __init__(self, env: dict[str, str]) -> None:
        self._env = env
        self._chance = random.Random(7)  # noqa: S311 - the same victims every time, no secret
        self.kills = 0
        self.peaks_mb: list[float] = []
        self._workers = [self._hire() for _ in range(WORKERS)]

    def kill_one(self) -> None:
        """Kill a worker with everything that it started; start another."""
        place = self._chance.randrange(WORKERS)
        self._end(self._workers[place], signal.SIGKILL)
        self._workers[place] = self._hire()
        self.kills += 1

    def end(self) -> None:
        """End all of them."""
        for worker in self._workers:
            self._end(worker, signal.SIGTERM)

    def _hire(self) -> subprocess.Popen[bytes]:
        command, quiet = [sys.executable, "-m", "worker"], subprocess.DEVNULL
        return subprocess.Popen(command, env=os.environ | self._env, stderr=quiet, start_new_session=True)

    def _end(self, worker: subprocess.Popen[bytes], number: signal.Signals) -> None:
        if worker.poll() is not None:
            raise RuntimeError(f"A worker ended by itself, with {worker.returncode}.")
        status = Path(f"/proc/{worker.pid}/status").read_text(encoding="utf-8").splitlines()
        self.peaks_mb += [int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM")]
        os.killpg(worker.pid, number)
        worker.wait(60)


@contextmanager
def _crew(settings: Settings) -> Iterator[_Crew]:
    crew = _Crew(
        {
            "REDRIVE_DATA_DIR": str(settings.data_dir),
            "DATABASE_URL": settings.database_url,
            "REDRIVE_PROCESSES": "1",
            "REDRIVE_LEASE_S": str(LEASE_S),
            "REDRIVE_SETTLE_S": str(SETTLE_S),
            "REDRIVE_RECEIVE_WAIT_S": "1",
        }
    )
    try:
        yield crew
    finally:
        crew.end()


def _feed(queue: _Queue, events: int, done: threading.Event) -> None:
    """Put the failures in, those that will be redriven first."""
    sqs = boto3.client("sqs")
    numbers = sorted(range(events), key=lambda number: number % CAUSES >= REDRIVEN_CAUSES)
    for start in range(0, events, 10):
        if done.is_set():
            return
        bodies = [make_record(number) for number in numbers[start : start + 10]]
        entries: Any = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies)]
        sqs.send_message_batch(QueueUrl=queue.url, Entries=entries)


def _consume(queue: _Queue, ledger: _Ledger, done: threading.Event) -> None:
    sqs = boto3.client("sqs")
    while not done.is_set():
        messages: Any = sqs.receive_message(QueueUrl=queue.url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        if found := messages.get("Messages"):
            ledger.take(found)
            entries: Any = [{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(found)]
            sqs.delete_message_batch(QueueUrl=queue.url, Entries=entries)


def _wait_until_drained(queue: _Queue) -> None:
    sqs, names = boto3.client("sqs"), ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    deadline = time.monotonic() + 300
    while True:
        depth: Any = sqs.get_queue_attributes(QueueUrl=queue.url, AttributeNames=names)["Attributes"]  # type: ignore[arg-type]
        if all(depth[name] == "0" for name in names):
            return
        if time.monotonic() > deadline:
            raise RuntimeError("After 300 s, what was redriven still lies in the target queue.")
        time.sleep(0.2)


def _in_background(act: Any) -> None:  # noqa: ANN401 - a function without arguments
    threading.Thread(target=act, daemon=True).start()


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    sys.exit(main())
