"""Two consoles and three workers on one PostgreSQL: one of each dies, and every event is sent once."""

from __future__ import annotations

import os
import signal
import socket
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import Engine

from deadletter.outcome import Outcome, RedriveStatus
from deadletter.settings import Settings
from tests.faults.conftest import Till
from tests.faults.forks import Forks
from tests.sandbox_fixture import MakeQueue
from tests.worker.conftest import wait_until

ORDERS = [f"ord-{n}" for n in range(80)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def press(port: int, path: str, **form: str) -> int:
    """Press a button of a console; return the status of the page that follows, or of the refusal."""
    url = f"http://127.0.0.1:{port}"
    data = urllib.parse.urlencode(form).encode()
    request = urllib.request.Request(url + path, data, headers={"Origin": url})  # noqa: S310 - our own, on this machine
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


@pytest.mark.postgres
def test_two_consoles_and_three_workers_of_which_one_each_is_killed_send_every_event_once(  # noqa: PLR0913, PLR0917 - fixtures
    postgres_engine: Engine,
    postgres_url: str,
    settings: Settings,
    charge: Callable[..., tuple[str, Callable[[], Counter[str]]]],
    make_queue: MakeQueue,
    forked: Forks,
) -> None:
    till = Till(postgres_engine, replace(settings, database_url=postgres_url), *charge(takes_s=0.02))
    till.fail(make_queue(), ORDERS)
    ports = [free_port(), free_port()]
    few = {"REDRIVE_CONCURRENCY": "2", "REDRIVE_LEASE_S": "5"}
    with forked.together() as start:
        consoles = [start("serve", "--port", str(port), **till.env) for port in ports]
        workers = [start("worker", **few, **till.env) for _ in range(3)]
        wait_until(lambda: all(answers(port) for port in ports), 60.0)
        first, second = ports
        form = {"filter": "status=unresolved", "target": till.arn, "rate": "60"}
        assert press(first, "/redrives", **form) == 200
        digest = till.show(1).digest
        assert {press(port, "/redrives/1/start", digest=digest, at_once="1") for port in ports} == {200, 409}

        wait_until(lambda: len(till.arrived()) > 10, 60.0)
        os.kill(workers[0], signal.SIGKILL)
        os.kill(consoles[0], signal.SIGKILL)
        assert press(second, "/redrives/1/pause") == 200
        assert till.show(1).status is RedriveStatus.PAUSED
        assert press(second, "/redrives/1/resume") == 200
        till.ended(1)
        for pid in (*workers[1:], consoles[1]):
            os.kill(pid, signal.SIGTERM)
        assert [forked.wait(pid) for pid in (consoles[0], *workers)] == [-9, -9, 0, 0]

    by_outcome = till.keeps_its_promises(1, ORDERS)
    assert len(by_outcome[Outcome.SUCCEEDED]) > len(ORDERS) / 2
