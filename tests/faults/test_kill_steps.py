"""SIGKILL at every step of a worker and of a console: what was committed stands, what was not never happened."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from sqlalchemy import select

from deadletter.outcome import Outcome, RedriveStatus
from deadletter.store import models, read, write
from deadletter.store.check import recount
from deadletter.store.sources import add_source
from sandbox.local import Sandbox
from tests.factories import ADA
from tests.faults.conftest import SHORT_LEASE_S, Till
from tests.faults.forks import Forks
from tests.sandbox_fixture import MakeQueue
from tests.worker.conftest import CLOCK, wait_until

KILLED = -9

# The step of sending at which the worker dies; whether an event is in its hand then; whether that one arrived.
SENDING = [
    ("before it claims", False, False),
    ("claimed, not committed", False, False),
    ("claimed", True, False),
    ("before the call", True, False),
    ("after the call", True, True),
    ("before it records", True, True),
    ("recorded, not committed", True, True),
    ("recorded", False, False),
]


@pytest.mark.parametrize(("kind", "a_call"), [("till", 1), ("queue_till", 10)])
def test_a_worker_killed_at_any_step_of_sending_sends_nothing_twice_and_guesses_nothing(
    request: pytest.FixtureRequest, kind: str, a_call: int, make_queue: MakeQueue, forked: Forks
) -> None:
    till: Till = request.getfixturevalue(kind)
    orders = [f"ord-{n}" for n in range(a_call * len(SENDING))]
    till.fail(make_queue(), orders)
    redrive_id = till.start()
    ever: set[str] = set()

    for step, in_hand, arrived in SENDING:
        assert forked.run("worker", dies=step, REDRIVE_CONCURRENCY="1", **till.env) == KILLED, step
        hand = till.orders(redrive_id).get(Outcome.SENDING, set()) - ever
        assert in_hand <= len(hand) <= in_hand * a_call, step
        assert (hand <= set(till.arrived())) is (arrived or not hand), step
        ever |= hand
    assert forked.run("worker", "--once", REDRIVE_LEASE_S=SHORT_LEASE_S, **till.env) == 0

    by_outcome = till.keeps_its_promises(redrive_id, orders)
    assert by_outcome[Outcome.UNKNOWN] == ever
    assert by_outcome[Outcome.SUCCEEDED] == set(orders) - ever
    assert till.show(redrive_id).unknown == len(ever)


COLLECTING = ["received", "stored, not committed", "stored", "deleted"]


def test_a_worker_killed_at_any_step_of_collecting_stores_everything_once(
    sandbox: Sandbox, make_queue: MakeQueue, till: Till, forked: Forks
) -> None:
    arn = make_queue(VisibilityTimeout="1")
    url = sandbox.clients.queue_url(arn)
    with write(till.engine) as session:
        add_source(session, arn, target=None, by=ADA, now=CLOCK.now())
    sent = set()
    for step in COLLECTING:
        entries = [{"Id": str(n), "MessageBody": json.dumps({"order_id": f"ord-{step}-{n}"})} for n in range(10)]
        answer = sandbox.clients("sqs").send_message_batch(QueueUrl=url, Entries=entries)
        sent |= {entry["MessageId"] for entry in answer["Successful"]}
        assert forked.run("worker", dies=step, REDRIVE_RECEIVERS="1", **till.env) == KILLED, step

    def stored() -> Counter[str]:
        assert forked.run("worker", "--once", **till.env) == 0
        with read(till.engine) as session:
            return Counter(session.scalars(select(models.Record.message_id)))

    wait_until(lambda: stored() == Counter(sent), 60.0)
    with read(till.engine) as session:
        assert recount(session) == []


# The step of a console at which it dies; what the redrive's status is then (None: there is none).
CONSOLE = [
    ("planned, not committed", "/redrives", None),
    ("planned", "/redrives", RedriveStatus.PLANNED),
    ("started, not committed", "/redrives/1/start", RedriveStatus.PLANNED),
    ("started", "/redrives/1/start", RedriveStatus.RUNNING),
    ("cancelled, not committed", "/redrives/1/cancel", RedriveStatus.RUNNING),
    ("cancelled", "/redrives/1/cancel", RedriveStatus.CANCELLED),
]


def test_a_console_killed_at_any_step_has_done_all_of_it_or_nothing(
    till: Till, make_queue: MakeQueue, forked: Forks
) -> None:
    till.fail(make_queue(), ["ord-1", "ord-2"])
    for step, path, status in CONSOLE:
        digest = till.show(1).digest if path.endswith("start") else ""
        fields = {"digest": digest, "filter": "status=unresolved", "target": till.arn, "rate": "20", "canary": "0"}
        code = forked.run(
            "console", path, *[f"{name}={value}" for name, value in fields.items()], dies=step, **till.env
        )
        assert code == KILLED, step
        with read(till.engine) as session:
            found = session.scalars(select(models.Redrive.status)).all()
            assert recount(session) == [], step
        assert found == ([status] if status else []), step

    assert set(till.orders(1)) == {Outcome.SKIPPED}
    assert till.arrived() == Counter()
