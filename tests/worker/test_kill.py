"""SIGKILL at random moments, many times over: nothing is lost, nothing is stored twice, no order is charged twice."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from deadletter import redrive
from deadletter.filters import EventFilter
from deadletter.manner import AT_ONCE
from deadletter.outcome import Outcome
from deadletter.settings import Settings
from deadletter.store import models, read, write
from deadletter.store.check import recount
from deadletter.store.ingest import store_messages
from deadletter.store.queries import list_workers
from deadletter.store.redrives import get_redrive, list_items
from deadletter.store.rows import RedriveRow
from deadletter.store.sources import add_source
from sandbox.local import Sandbox
from tests.factories import ADA, ANYWHERE, make_parsed
from tests.sandbox_fixture import Deploy, MakeQueue
from tests.worker.conftest import CLOCK, wait_until

KILLS = 6
ROOT = Path(__file__).parents[2]
VISIBILITY_S = 1
CHARGE = """
    import os, time

    def handler(event, context):
        ledger = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(ledger, f"{event['order_id']}\\n".encode())
        os.close(ledger)
        time.sleep(0.01)
    """

Start = Callable[..., Any]


@pytest.fixture
def start(settings: Settings, sandbox: Sandbox) -> Start:
    """Start a worker process: ``with start("--once") as process``. It is dead at the end of the block."""
    env = os.environ | sandbox.env
    env |= {"REDRIVE_DATA_DIR": str(settings.data_dir), "REDRIVE_RECEIVE_WAIT_S": "1", "REDRIVE_LEASE_S": "1"}
    env["REDRIVE_ALLOWED_TARGETS"] = " ".join(ANYWHERE)

    @contextmanager
    def started(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        command = [sys.executable, "-m", "worker", *arguments]
        null, pipe = subprocess.DEVNULL, subprocess.PIPE
        with subprocess.Popen(command, cwd=ROOT, env=env, stdin=pipe, stderr=null, bufsize=0) as process:
            try:
                yield process
            finally:
                process.kill()

    return started


def kill_in_the_middle(start: Start, progress: Callable[[], int], *, within_s: float) -> None:
    """Start a worker, let it make progress, and kill it at a random moment of the time that follows."""
    before = progress()
    with start() as process:
        wait_until(lambda: progress() > before)
        threading.Event().wait(random.uniform(0, within_s))  # noqa: S311 - no secret
        assert process.poll() is None, "the worker ended by itself"


def finish(start: Start) -> None:
    with start("--once") as process:
        assert process.wait(60) == 0


def fill(sandbox: Sandbox, arn: str, bodies: list[str]) -> set[str]:
    """Send messages; return their ids."""
    sent: set[str] = set()
    for first in range(0, len(bodies), 10):
        entries = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies[first : first + 10])]
        answer = sandbox.clients("sqs").send_message_batch(QueueUrl=sandbox.clients.queue_url(arn), Entries=entries)
        sent.update(entry["MessageId"] for entry in answer["Successful"])
    return sent


def left_in(sandbox: Sandbox, arn: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    url = sandbox.clients.queue_url(arn)
    attributes = sandbox.clients("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(value) for value in attributes.values())


def stored(engine: Engine) -> int:
    with read(engine) as session:
        return session.scalar(select(func.count()).select_from(models.Record)) or 0


@pytest.mark.slow
def test_a_worker_killed_while_it_collects_loses_nothing_and_stores_nothing_twice(
    sandbox: Sandbox, make_queue: MakeQueue, start: Start, sqlite_engine: Engine
) -> None:
    arn = make_queue(VisibilityTimeout=str(VISIBILITY_S))
    with write(sqlite_engine) as session:
        add_source(session, arn, target=None, by=ADA, now=CLOCK.now())

    sent: set[str] = set()
    for kill in range(KILLS):
        sent |= fill(sandbox, arn, [json.dumps({"order_id": f"ord-{kill}-{n}"}) for n in range(150)])
        kill_in_the_middle(start, lambda: stored(sqlite_engine), within_s=0.4)
        assert left_in(sandbox, arn) > 0 or stored(sqlite_engine) == len(sent)
    while left_in(sandbox, arn):
        finish(start)

    with read(sqlite_engine) as session:
        found = Counter(session.scalars(select(models.Record.message_id)))
        assert set(found) == sent
        assert set(found.values()) == {1}
        assert recount(session) == []


@pytest.mark.slow
def test_a_helping_process_killed_by_itself_loses_nothing_and_stores_nothing_twice(
    sandbox: Sandbox, make_queue: MakeQueue, start: Start, sqlite_engine: Engine
) -> None:
    arn = make_queue(VisibilityTimeout=str(VISIBILITY_S))
    with write(sqlite_engine) as session:
        source = add_source(session, arn, target=None, by=ADA, now=CLOCK.now())
    sent: set[str] = set()
    for kill in range(3):
        sent |= fill(sandbox, arn, [json.dumps({"order_id": f"ord-{kill}-{n}"}) for n in range(150)])
        before = stored(sqlite_engine)
        with start("--helper-of", "lead") as helper:
            wait_until(lambda: helper.stdin.write(b"[%d]\n" % source.id) and stored(sqlite_engine) > before)  # noqa: B023 - called at once
            threading.Event().wait(random.uniform(0, 0.2))  # noqa: S311 - no secret
    while left_in(sandbox, arn):
        finish(start)

    with read(sqlite_engine) as session:
        found = Counter(session.scalars(select(models.Record.message_id)))
        assert set(found) == sent
        assert set(found.values()) == {1}
        assert recount(session) == []


def test_a_helping_process_ends_well_when_its_worker_is_gone(start: Start) -> None:
    with start("--helper-of", "lead") as helper:
        helper.stdin.write(b"[]\n")
        helper.stdin.close()
        assert helper.wait(20) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_that_is_told_to_stop_finishes_and_ends_well(
    sandbox: Sandbox, make_queue: MakeQueue, start: Start, sqlite_engine: Engine, number: signal.Signals
) -> None:
    arn = make_queue()
    with write(sqlite_engine) as session:
        add_source(session, arn, target=None, by=ADA, now=CLOCK.now())
    fill(sandbox, arn, [json.dumps({"order_id": f"ord-{n}"}) for n in range(300)])
    with start() as process:
        wait_until(lambda: stored(sqlite_engine))
        process.send_signal(number)
        assert process.wait(20) == 0

    assert stored(sqlite_engine) + left_in(sandbox, arn) == 300
    with read(sqlite_engine) as session:
        assert list_workers(session) == []


@pytest.mark.slow
def test_a_worker_killed_while_it_redrives_charges_no_order_twice_and_knows_what_it_does_not_know(
    deploy: Deploy, make_queue: MakeQueue, start: Start, settings: Settings, sqlite_engine: Engine
) -> None:
    ledger = settings.data_dir / "ledger"
    ledger.touch()
    function = deploy(CHARGE, environment={"LEDGER": str(ledger)})
    orders = [f"ord-{n}" for n in range(400)]
    with write(sqlite_engine) as session:
        source = add_source(session, make_queue(), target=None, by=ADA, now=CLOCK.now())
        parsed = [make_parsed(payload_text=json.dumps({"order_id": order})) for order in orders]
        store_messages(session, source.id, parsed, now=CLOCK.now())
    redrive_id = _start_redrive(sqlite_engine, settings, function.arn)

    def charged() -> Counter[str]:
        return Counter(ledger.read_text().split())

    for _ in range(KILLS):
        kill_in_the_middle(start, lambda: charged().total(), within_s=0.2)
    assert _show(sqlite_engine, redrive_id).waiting > 0, "the redrive was over before the last kill"
    finish(start)

    ended = _show(sqlite_engine, redrive_id)
    by_outcome = _orders_by_outcome(sqlite_engine, redrive_id)
    assert ended.ended
    assert max(charged().values()) == 1
    assert set(by_outcome) <= {Outcome.SUCCEEDED, Outcome.UNKNOWN}
    assert by_outcome[Outcome.SUCCEEDED] <= set(charged())
    assert set(charged()) - by_outcome[Outcome.SUCCEEDED] <= by_outcome.get(Outcome.UNKNOWN, set())
    assert set().union(*by_outcome.values()) == set(orders)
    assert ended.unknown <= KILLS * settings.concurrency
    with read(sqlite_engine) as session:
        assert recount(session) == []


def _start_redrive(engine: Engine, settings: Settings, arn: str) -> int:
    given: dict[str, Any] = {
        "target": redrive.parse_target(arn),
        "rate": 150.0,
        "manner": AT_ONCE,
        "asked_by": ADA,
        "settings": settings,
    }
    redrive_id = redrive.create_plan(engine, EventFilter(), **given, now=CLOCK.now())
    digest = _show(engine, redrive_id).digest
    redrive.start(engine, redrive_id, digest=digest, started_by=ADA, now=CLOCK.now())
    return redrive_id


def _show(engine: Engine, redrive_id: int) -> RedriveRow:
    with read(engine) as session:
        return get_redrive(session, redrive_id)


def _orders_by_outcome(engine: Engine, redrive_id: int) -> dict[Outcome, set[str]]:
    with read(engine) as session:
        found: dict[Outcome, set[str]] = {}
        for item in list_items(session, redrive_id, limit=10_000).rows:
            found.setdefault(item.outcome, set()).add(str(item.event_label))
    return found
