"""Real workers on the sandbox, orders in a ledger, and the promises that are held to at the end of every fault."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from deadletter import redrive
from deadletter.filters import EventFilter
from deadletter.manner import AT_ONCE, Manner
from deadletter.outcome import SETTLED, Outcome
from deadletter.settings import Settings
from deadletter.store import models, read, write
from deadletter.store.check import recount
from deadletter.store.ingest import store_messages
from deadletter.store.redrives import get_redrive, list_items
from deadletter.store.rows import ItemRow, RedriveRow
from deadletter.store.sources import add_source
from sandbox.local import Sandbox
from tests.factories import ADA, make_parsed
from tests.faults.forks import Forks, forks
from tests.sandbox_fixture import Deploy, MakeQueue
from tests.worker.conftest import CLOCK, wait_until

CHARGE = """
    import os, time

    def handler(event, context):
        ledger = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(ledger, f"{event['order_id']}\\n".encode())
        os.close(ledger)
        time.sleep(float(os.environ.get("TAKES_S", "0")))
    """
"""A handler that is not idempotent: the ledger shows each time that it ran."""

QUICK = {"REDRIVE_RECEIVE_WAIT_S": "0", "REDRIVE_SETTLE_S": "0", "REDRIVE_PROCESSES": "1"}
"""Settings of every process here. The lease is what it is by default: a busy machine must not make anybody dead."""

SHORT_LEASE_S = "2"
"""Where somebody does die, and it has to be noticed."""


@pytest.fixture(scope="session")
def forked(sandbox: Sandbox) -> Iterator[Forks]:
    """What forks workers and consoles that find the sandbox."""
    with forks(os.environ | sandbox.env | QUICK | {"REDRIVE_SIGN_IN": "off"}) as found:
        yield found


@dataclass
class Till:
    """A database, a function or a queue to send to, and what arrived there."""

    engine: Engine
    settings: Settings
    arn: str
    arrived: Callable[[], Counter[str]]
    """How often each order arrived, as far as the target itself says."""

    @property
    def env(self) -> dict[str, str]:
        """Where a process finds the database."""
        return {"REDRIVE_DATA_DIR": str(self.settings.data_dir), "DATABASE_URL": self.settings.database_url}

    def fail(self, source_arn: str, orders: Sequence[str]) -> None:
        """Store failed events, one for each order."""
        with write(self.engine) as session:
            target = redrive.parse_target(self.arn)
            source = add_source(session, source_arn, target=target, by=ADA, now=CLOCK.now())
            parsed = [make_parsed(payload_text=json.dumps({"order_id": order})) for order in orders]
            store_messages(session, source.id, parsed, now=CLOCK.now())

    def start(self, *, rate: float = 5_000.0, manner: Manner = AT_ONCE, only: Sequence[int] = ()) -> int:
        """Plan and start a redrive of everything, or *only* of some events; return its id."""
        redrive_id = redrive.create_plan(
            self.engine,
            only or EventFilter(),
            target=redrive.parse_target(self.arn),
            rate=rate,
            manner=manner,
            asked_by=ADA,
            settings=self.settings,
            now=CLOCK.now(),
        )
        redrive.start(self.engine, redrive_id, digest=self.show(redrive_id).digest, started_by=ADA, now=CLOCK.now())
        return redrive_id

    def show(self, redrive_id: int) -> RedriveRow:
        with read(self.engine) as session:
            return get_redrive(session, redrive_id)

    def items(self, redrive_id: int) -> list[ItemRow]:
        with read(self.engine) as session:
            return list(list_items(session, redrive_id, limit=10_000).rows)

    def orders(self, redrive_id: int) -> Mapping[Outcome, set[str]]:
        """Return the orders by outcome."""
        found: dict[Outcome, set[str]] = {}
        for item in self.items(redrive_id):
            found.setdefault(item.outcome, set()).add(str(item.event_label))
        return found

    def ended(self, redrive_id: int, timeout_s: float = 60.0) -> RedriveRow:
        """Wait until a redrive has ended."""
        try:
            wait_until(lambda: self.show(redrive_id).ended, timeout_s)
        except AssertionError:
            raise AssertionError(f"it did not end in time: {self.show(redrive_id)}") from None
        return self.show(redrive_id)

    def keeps_its_promises(self, redrive_id: int, orders: Sequence[str]) -> Mapping[Outcome, set[str]]:
        """Assert what holds after every fault; return the orders by outcome.

        None is lost: each has one outcome. None was sent twice. Nothing is guessed: what is said to have succeeded did
        arrive, and what arrived without a success to show is unknown.
        """
        by_outcome, arrived = self.orders(redrive_id), self.arrived()
        assert sorted(item.event_label or "" for item in self.items(redrive_id)) == sorted(orders)
        assert set(by_outcome) <= SETTLED
        assert max(arrived.values(), default=0) <= 1
        assert by_outcome.get(Outcome.SUCCEEDED, set()) <= set(arrived)
        assert set(arrived) - by_outcome.get(Outcome.SUCCEEDED, set()) <= by_outcome.get(Outcome.UNKNOWN, set())
        with read(self.engine) as session:
            assert recount(session) == []
            assert not session.scalars(select(models.Event.id).where(models.Event.redrive_id.is_not(None))).all()
        return by_outcome


@pytest.fixture
def charge(deploy: Deploy, tmp_path: Path) -> Callable[..., tuple[str, Callable[[], Counter[str]]]]:
    """Deploy a function that writes each order into a ledger: ``arn, arrived = charge(takes_s=0.1)``."""

    def make(takes_s: float = 0.0, **settings: Any) -> tuple[str, Callable[[], Counter[str]]]:
        ledger = tmp_path / "ledger"
        ledger.touch()
        arn = deploy(CHARGE, environment={"LEDGER": str(ledger), "TAKES_S": str(takes_s)}, **settings).arn
        return arn, lambda: Counter(ledger.read_text().split())

    return make


@pytest.fixture
def till(
    charge: Callable[..., tuple[str, Callable[[], Counter[str]]]], settings: Settings, sqlite_engine: Engine
) -> Till:
    """A function to send to, on SQLite."""
    return Till(sqlite_engine, _lenient(settings), *charge())


@pytest.fixture
def queue_till(sandbox: Sandbox, make_queue: MakeQueue, settings: Settings, sqlite_engine: Engine) -> Till:
    """A queue to send to, on SQLite."""
    arn = make_queue()
    return Till(sqlite_engine, _lenient(settings), arn, lambda: bodies(sandbox, arn))


def _lenient(settings: Settings) -> Settings:
    return replace(settings, allowed_accounts=frozenset({"000000000000"}), settle_s=0.0)


_seen: dict[str, Counter[str]] = {}


def bodies(sandbox: Sandbox, arn: str) -> Counter[str]:
    """Return how often each order was ever in a queue: what is received is deleted, and remembered."""
    sqs, url = sandbox.clients("sqs"), sandbox.clients.queue_url(arn)
    seen = _seen.setdefault(arn, Counter())
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
        seen.update(json.loads(message["Body"])["order_id"] for message in messages)
        entries = [{"Id": str(n), "ReceiptHandle": one["ReceiptHandle"]} for n, one in enumerate(messages)]
        sqs.delete_message_batch(QueueUrl=url, Entries=entries)
    return seen
