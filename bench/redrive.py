"""Redriving to SQS (claim, rebuild, send, record) against a bare boto3 loop that only sends; and the rate that is kept.

The worker is the real one, in a process of its own. It stands still (SIGSTOP) while the others have their turn, so
nobody pays for it.
"""

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from sqlalchemy import Engine, select, text

from bench.databases import databases
from bench.rounds import Rounds, in_turn
from bench.rows import Row, at_least, under
from bench.sizes import Size
from deadletter import redrive
from deadletter.actor import Actor
from deadletter.event import ReceivedMessage
from deadletter.fingerprint import cause_of, fingerprint
from deadletter.manner import AT_ONCE
from deadletter.parse import parse_message
from deadletter.settings import Settings
from deadletter.store import make_engine, models, read, upgrade, write
from deadletter.store.ingest import Parsed, store_messages
from deadletter.store.queries import list_workers
from deadletter.store.redrives import get_redrive
from deadletter.store.sources import add_source
from sandbox.local import Sandbox

LEAST = 0.8
MOST_CPU = 1.3
RATES = (50.0, 200.0, 500.0)
RATE_S = 10
OFF = 0.02
MOST_A_SECOND = 1.1
BY = Actor("bench", "bench")


def measure(size: Size) -> list[Row]:
    """Return a row for each database, and for each rate."""
    with tempfile.TemporaryDirectory() as folder, Sandbox(Path(folder)) as box, databases() as found:
        os.environ.update(box.env)
        return [row for name, settings in found.items() for row in _rows(box, name, settings, size)]


def _rows(box: Sandbox, name: str, settings: Settings, size: Size) -> list[Row]:
    with _bench(box, name.lower(), settings, size.messages) as ours:
        spent: dict[str, list[float]] = {"ours": [], "loop": []}
        rounds = in_turn(
            {"loop": lambda: ours.loop(spent["loop"]), "ours": lambda: ours.send(spent["ours"])}, rounds=size.rounds
        )
        cpu = statistics.median(mine / theirs for mine, theirs in zip(spent["ours"], spent["loop"], strict=True))
        note = " against ".join(f"{statistics.median(spent[who]) * 1e6:,.0f}" for who in ("ours", "loop"))
        return [
            at_least(LEAST, f"redrive / boto3 loop, {name}", rounds.ratio("ours", "loop"), note=_note(rounds)),
            under(MOST_CPU, f"CPU of the same, {name}", cpu, "ratio", note=f"{note} us a message"),
            *[row for rate in RATES for row in ours.keep(rate, name)],
        ]


def _note(rounds: Rounds) -> str:
    return rounds.note("ours", "loop")


@dataclass
class _Bench:
    """A worker that stands still but for its turns, and a queue to send to."""

    engine: Engine
    settings: Settings
    process: subprocess.Popen[bytes]
    arn: str
    url: str
    source_id: int
    events: int

    def loop(self, spent: list[float]) -> float:
        """Send as many messages of 1 KB, ten a call; note the CPU time; return the rate."""
        sqs = boto3.client("sqs")
        bodies = [_body(n) for n in range(self.events)]
        sqs.send_message_batch(QueueUrl=self.url, Entries=_entries(bodies[:1]))  # the connection
        at, cpu = time.perf_counter(), time.thread_time()
        for start in range(0, self.events, 10):
            sqs.send_message_batch(QueueUrl=self.url, Entries=_entries(bodies[start : start + 10]))
        spent.append((time.thread_time() - cpu) / self.events)
        return self.events / (time.perf_counter() - at)

    def send(self, spent: list[float]) -> float:
        """Let the worker send as many; note the CPU time that it took; return the rate."""
        redrive_id = self._plan(self.events, redrive.MAX_RATE)
        with self._at_work():
            at, cpu = time.perf_counter(), _cpu_s(self.process.pid)
            self._start(redrive_id)
            self._sent(redrive_id)
            took_s = time.perf_counter() - at
            spent.append((_cpu_s(self.process.pid) - cpu) / self.events)
        return self.events / took_s

    def keep(self, rate: float, name: str) -> list[Row]:
        """Let the worker send at *rate* for a while; return what the moments of sending say."""
        redrive_id = self._plan(int(rate * RATE_S), rate)
        with self._at_work():
            self._start(redrive_id)
            self._sent(redrive_id)
        item = models.RedriveItem
        with read(self.engine) as session:
            moments = session.scalars(select(item.sent_at).where(item.redrive_id == redrive_id))
            times = sorted(moment.timestamp() for moment in moments if moment)
        mean = (len(times) - 1) / (times[-1] - times[0])
        most = max(_within_a_second(times))
        note = f"mean {mean:.1f}, most in any second {most}"
        return [
            under(OFF, f"rate {rate:g}, mean off by, {name}", abs(mean / rate - 1), "share", note=note),
            under(MOST_A_SECOND + 1e-9, f"rate {rate:g}, any second, {name}", most / rate, "times", note=note),
        ]

    def _plan(self, count: int, rate: float) -> int:
        with write(self.engine) as session:
            for start in range(0, count, 500):
                store_messages(
                    session, self.source_id, [_parsed(n) for n in range(start, min(count, start + 500))], now=_now()
                )
            newest = select(models.Event.id).order_by(models.Event.id.desc()).limit(count)
            event_ids = sorted(session.scalars(newest))
        target = redrive.parse_target(self.arn)
        settings = self.settings
        return redrive.create_plan(
            self.engine, event_ids, target=target, rate=rate, manner=AT_ONCE, asked_by=BY, settings=settings, now=_now()
        )

    def _start(self, redrive_id: int) -> None:
        with read(self.engine) as session:
            digest = get_redrive(session, redrive_id).digest
        redrive.start(self.engine, redrive_id, digest=digest, started_by=BY, now=_now())

    def _sent(self, redrive_id: int) -> None:
        """Wait until all of it is sent and written down."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            with read(self.engine) as session:
                row = get_redrive(session, redrive_id)
            if not (row.waiting or row.sending):
                return
            time.sleep(0.05)
        raise RuntimeError("After 120 s, there are still events to send.")

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        os.killpg(self.process.pid, signal.SIGCONT)
        time.sleep(1.0)  # what waited for its turn while it stood still is no part of what is measured
        yield
        self.stand_still()

    def stand_still(self) -> None:
        """Stop the worker at a moment when it does not hold SQLite's write lock."""
        with write(self.engine) as session:
            session.execute(text("SELECT 1"))
            os.killpg(self.process.pid, signal.SIGSTOP)


@contextmanager
def _bench(box: Sandbox, name: str, settings: Settings, events: int) -> Iterator[_Bench]:
    upgrade(settings)
    engine = make_engine(settings)
    sqs = boto3.client("sqs")
    url, _ = (sqs.create_queue(QueueName=f"{kind}-{name}")["QueueUrl"] for kind in ("target", "source"))
    source = f"arn:aws:sqs:{box.region}:{box.account}:source-{name}"
    with write(engine) as session:
        target = redrive.parse_target(source.replace("source-", "target-"))
        source_id = add_source(session, source, target=target, by=BY, now=_now()).id
    env = {
        "REDRIVE_DATA_DIR": str(settings.data_dir),
        "DATABASE_URL": settings.database_url,
        "REDRIVE_SETTLE_S": "86400",
        "REDRIVE_PROCESSES": "1",
    }
    arn = f"arn:aws:sqs:{box.region}:{box.account}:target-{name}"
    command = [sys.executable, "-m", "worker"]
    log = subprocess.DEVNULL
    with subprocess.Popen(command, env=os.environ | env, stderr=log, start_new_session=True) as process:
        try:
            _wait_for_worker(engine)
            ours = _Bench(engine, settings, process, arn, url, source_id, events)
            ours.stand_still()
            yield ours
        finally:
            os.killpg(process.pid, signal.SIGCONT)
            process.terminate()
    engine.dispose()


def _wait_for_worker(engine: Engine) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with read(engine) as session:
            if list_workers(session):
                return
        time.sleep(0.05)
    raise RuntimeError("After 60 s, the worker is not there.")


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _within_a_second(times: list[float]) -> Iterator[int]:
    first = 0
    for n, at in enumerate(times):
        while times[first] <= at - 1.0:
            first += 1
        yield n - first + 1


def _body(number: int) -> str:
    return json.dumps({"orderId": f"ord-{number}", "op": "capture", "note": "x" * 960})


def _entries(bodies: list[str]) -> list[Any]:
    return [{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies)]


def _parsed(number: int) -> Parsed:
    """Return a message that a redrive policy moved, as SQS hands it over."""
    sent = str(int(time.time() * 1000))
    attributes = {
        "SenderId": "AROAQ5H8EXAMPLE33KLM:checkout-api",
        "ApproximateReceiveCount": "6",
        "SentTimestamp": sent,
        "DeadLetterQueueSourceArn": "arn:aws:sqs:eu-west-1:000000000000:orders",
    }
    message = ReceivedMessage(message_id=str(uuid.uuid4()), body=_body(number), attributes=attributes)
    event = parse_message(message)
    return Parsed(message, event, fingerprint(cause_of(event)), event.target)


def _now() -> datetime:
    return datetime.now(UTC)
