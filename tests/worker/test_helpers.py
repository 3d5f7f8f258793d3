"""Processes that help a worker to collect: they come when needed, come again when they die, and end with the worker."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import func, select

from deadletter.event import ReceivedMessage
from deadletter.store import models, read
from deadletter.store.queries import list_workers
from deadletter.store.sources import list_sources
from tests.factories import make_message
from tests.worker.conftest import CLOCK, World, wait_until
from worker.helper import Helper
from worker.helpers import Helpers

ECHO = "import sys, pathlib\nfor line in sys.stdin: pathlib.Path(sys.argv[1]).write_text(line)"
DIES = "raise SystemExit(3)"


def starter(code: str, *arguments: object) -> Callable[[], subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return lambda: subprocess.Popen(command, stdin=subprocess.PIPE, bufsize=0)


@contextmanager
def ended(helpers: Helpers) -> Iterator[Helpers]:
    try:
        yield helpers
    finally:
        helpers.stop()
        helpers.wait(5)


def source_id(world: World) -> int:
    with read(world.engine) as session:
        return list_sources(session, now=CLOCK.now())[0].id


def stored(world: World) -> int:
    with read(world.engine) as session:
        return session.scalar(select(func.count()).select_from(models.Record)) or 0


def test_nobody_helps_while_nothing_flows() -> None:
    started: list[int] = []
    helpers = Helpers(3, start=lambda: started.append(1) or pytest.fail("started"), flowing=list, after_s=0)

    helpers.turn()
    assert started == []
    assert helpers.wait(0)


def test_helpers_hear_what_flows_and_end_when_their_orders_end(tmp_path: Path) -> None:
    told = tmp_path / "told"
    flowing = [7, 3]
    with ended(Helpers(1, start=starter(ECHO, told), flowing=lambda: flowing, after_s=0)) as helpers:

        def last() -> object:
            helpers.turn()
            try:
                return json.loads(told.read_text() or "null")
            except (OSError, ValueError):
                return None

        wait_until(lambda: last() == [3, 7])
        flowing.clear()
        wait_until(lambda: last() == [])
        helpers.stop()
        assert helpers.wait(10)


def test_a_helper_that_dies_is_started_again_and_ever_more_rarely() -> None:
    started: list[float] = []
    start = starter(DIES)

    def counted() -> subprocess.Popen[bytes]:
        started.append(time.monotonic())
        process = start()
        process.wait()
        return process

    with ended(Helpers(1, start=counted, flowing=lambda: [1], after_s=0)) as helpers:
        wait_until(lambda: helpers.turn() and len(started) == 3)
        helpers.stop()
        assert not helpers.wait(5), "the last one ended ill"
    assert started[2] - started[1] > started[1] - started[0]


def test_a_helper_collects_what_flows_and_nothing_else(each_world: World) -> None:
    source, quiet = each_world.add_source(), each_world.add_source("quiet-dlq")
    source.put(*[make_message() for _ in range(43)])
    quiet.put(make_message())
    helper = Helper(each_world.settings, each_world.engine, lead="lead", open_source=each_world.open_source)
    number, enough = source_id(each_world), threading.Event()

    def orders() -> Iterator[str]:
        while not enough.wait(0.02):
            yield json.dumps([number])

    thread = threading.Thread(target=helper.run, args=[orders()])
    thread.start()
    try:
        wait_until(lambda: stored(each_world) == 43 and not source.hidden)
        with read(each_world.engine) as session:
            (row,) = list_workers(session)
        assert (row.lead, row.doing) == ("lead", "helping to collect")
    finally:
        enough.set()
        thread.join(10)
    assert not thread.is_alive()
    with read(each_world.engine) as session:
        assert list_workers(session) == []
    assert (len(quiet.visible), quiet.receives) == (1, 0)


def test_a_worker_says_what_it_left_when_it_had_to_end(world: World, caplog: pytest.LogCaptureFixture) -> None:
    source = world.add_source()
    hangs = threading.Event()
    source.put(make_message())

    def delete(messages: list[ReceivedMessage]) -> list[str]:
        hangs.set()
        threading.Event().wait(4)
        return [message.message_id for message in messages]

    source.delete = delete  # type: ignore[method-assign, assignment]
    worker = world.worker(stop_within_s=0.2)
    thread = threading.Thread(target=worker.run)
    thread.start()
    assert hangs.wait(10)
    worker.stop()
    thread.join(10)

    (left,) = [vars(record)["left"] for record in caplog.records if hasattr(record, "left")]
    assert left == ["1 receives of orders-dlq are not deleted there: what they hold comes again."]


def test_a_second_worker_on_sqlite_says_that_it_brings_nothing(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.start()
    wait_until(lambda: bool(_workers(world)))

    assert world.worker().run(once=True)
    assert [record.message for record in caplog.records if "brings nothing" in record.message]


def _workers(world: World) -> list[str]:
    with read(world.engine) as session:
        return [row.id for row in list_workers(session)]
