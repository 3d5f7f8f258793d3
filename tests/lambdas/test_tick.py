"""What time demands, out of the zip: retention, and a discovery that is asked for or has become old."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, func, select, update

from deadletter.outcome import EventStatus
from deadletter.scouting import REFRESH_AFTER
from deadletter.store import models, read, retention, write
from deadletter.store.discoveries import DiscoveryStatus, ask_discovery, latest_discovery
from tests.factories import ADA, make_parsed, store_some
from tests.lambdas.conftest import Stack
from tests.lambdas.test_redriving import tick


def count(engine: Engine, table: type[models.Base]) -> int:
    with read(engine) as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_a_tick_retains_and_discovers_and_one_with_nothing_to_do_ends_at_once(
    stack: Stack, sqlite_engine: Engine, lambda_client: Any
) -> None:
    now = datetime.now(UTC)
    with write(sqlite_engine) as session:
        old = now - timedelta(days=9)
        store_some(session, *(make_parsed(occurred_at=old) for _ in range(3)), now=old)
        rule = retention.Rule(status=EventStatus.UNRESOLVED, days=7)
        retention.set_rule(session, rule, by=ADA, now=old)
        ask_discovery(session, by=ADA, now=now)
    stack.deploy("tick", "worker.lambda_tick.handler", timeout_s=80.0)

    tick(stack, lambda_client, "03:00")
    with read(sqlite_engine) as session:
        done = latest_discovery(session)
    assert done is not None
    assert done.status is DiscoveryStatus.FINISHED
    assert count(sqlite_engine, models.Event) == 0
    assert count(sqlite_engine, models.DiscoveredTarget) > 0  # the work queue, at least

    began = time.monotonic()
    tick(stack, lambda_client, "03:01")
    assert time.monotonic() - began < 30  # it has 80 s, and takes turns until the last 20 where there is work
    assert count(sqlite_engine, models.Discovery) == 1

    with write(sqlite_engine) as session:
        session.execute(update(models.Discovery).values(asked_at=now - REFRESH_AFTER))
    tick(stack, lambda_client, "03:02")
    with read(sqlite_engine) as session:
        again = latest_discovery(session)
    assert again is not None
    assert (again.id > done.id, again.asked_by, again.status) == (True, "tick", DiscoveryStatus.FINISHED)
