"""A database that is locked, or gone: workers wait for it with what they know, and go on."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import psycopg
import pytest
from sqlalchemy import Engine, make_url, text

from deadletter.outcome import Outcome
from deadletter.settings import Settings
from tests.faults.conftest import Till
from tests.faults.forks import Forks
from tests.sandbox_fixture import MakeQueue
from tests.worker.conftest import wait_until

ORDERS = [f"ord-{n}" for n in range(30)]
AWAY_S = 1.5


@contextmanager
def locked(engine: Engine) -> Iterator[None]:
    """Somebody else writes to SQLite, and does not end."""
    with engine.connect() as connection:
        connection.execute(text("UPDATE sources SET depth = 0"))
        yield
        connection.rollback()


@contextmanager
def gone(engine: Engine) -> Iterator[None]:
    """PostgreSQL lets nobody in, and has thrown out who was there."""
    url = make_url(engine.url).set(drivername="postgresql")
    name = url.database
    with psycopg.connect(url.set(database="postgres").render_as_string(hide_password=False), autocommit=True) as admin:
        admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'.encode())
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        try:
            yield
        finally:
            admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'.encode())


def test_a_database_that_is_away_for_a_while_costs_time_and_nothing_else(  # noqa: PLR0913, PLR0917 - fixtures
    engine: Engine,
    request: pytest.FixtureRequest,
    settings: Settings,
    charge: Callable[..., tuple[str, Callable[[], Counter[str]]]],
    make_queue: MakeQueue,
    forked: Forks,
) -> None:
    is_pg = engine.dialect.name == "postgresql"
    if is_pg:
        settings = replace(settings, database_url=request.getfixturevalue("postgres_url"))
    till = Till(engine, settings, *charge(takes_s=0.01))
    till.fail(make_queue(), ORDERS)
    redrive_id = till.start(rate=60.0)
    with forked.together() as start:
        pid = start("worker", **till.env)
        wait_until(lambda: len(till.arrived()) > 3, 60.0)
        with (gone if is_pg else locked)(engine):
            threading.Event().wait(AWAY_S)
            assert forked.ended(pid) is None, "the worker gave up"
        till.ended(redrive_id)
        os.kill(pid, signal.SIGTERM)
        assert forked.wait(pid) == 0

    assert till.keeps_its_promises(redrive_id, ORDERS) == {Outcome.SUCCEEDED: set(ORDERS)}
