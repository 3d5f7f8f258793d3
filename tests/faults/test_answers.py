"""Answers that are lost, cut short or a refusal to take anything now: called once, and nothing guessed of it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing

import boto3
import pytest
from botocore.config import Config

from deadletter.outcome import Outcome
from deadletter.store import read
from deadletter.store.queries import status_counts
from deadletter.store.redrives.doubts import list_doubts
from sandbox.local import Sandbox
from tests.faults.burst import CUT_SHORT, LOST, Burst, Rule, bursts
from tests.faults.conftest import Till
from tests.faults.forks import Forks
from tests.sandbox_fixture import MakeQueue
from tests.worker.conftest import wait_until

ORDERS = [f"ord-{n}" for n in range(12)]


def warm_up(sqs: Burst, lambda_: Burst) -> None:
    """Let both read what they know of their service, at a first call under a rule: that takes them seconds."""
    config = Config(read_timeout=120, retries={"total_max_attempts": 1})
    session = boto3.Session("sandbox", "sandbox", region_name=Sandbox.region)
    queues = session.client("sqs", endpoint_url=sqs.url, config=config)
    functions = session.client("lambda", endpoint_url=lambda_.url, config=config)
    with closing(queues), closing(functions):
        queues.list_queues()
        functions.list_functions()


@pytest.fixture(scope="module")
def both(sandbox: Sandbox) -> Iterator[list[Burst]]:
    with bursts(sandbox.endpoint, sandbox.lambda_endpoint) as found:
        for burst in found:
            burst.become({**LOST, "operation": "NoSuchOperation"})
        warm_up(*found)
        yield found


@pytest.fixture
def sqs(both: list[Burst]) -> Burst:
    return both[0]


@pytest.fixture
def lambda_(both: list[Burst]) -> Burst:
    return both[1]


@pytest.fixture
def work(both: list[Burst], forked: Forks) -> Callable[[Till], int]:
    """Run a worker, whose calls all go by way of the two, until every redrive has ended."""
    env = {"AWS_ENDPOINT_URL": both[0].url, "AWS_ENDPOINT_URL_LAMBDA": both[1].url}
    return lambda till: forked.run("worker", "--once", **env, **till.env)


def test_an_invocation_whose_answer_is_lost_is_made_once_and_unknown(
    till: Till, make_queue: MakeQueue, lambda_: Burst, work: Callable[[Till], int]
) -> None:
    till.fail(make_queue(), ORDERS)
    redrive_id = till.start()
    lambda_.become({**LOST, "operation": "Invoke", "times": 4})
    assert work(till) == 0

    assert len(till.keeps_its_promises(redrive_id, ORDERS)[Outcome.UNKNOWN]) == 4
    assert till.arrived() == dict.fromkeys(ORDERS, 1)
    assert len(lambda_.fired()) == 4


@pytest.mark.parametrize("fault", [LOST, CUT_SHORT], ids=["lost", "cut short"])
def test_messages_whose_answer_does_not_come_whole_are_sent_once_and_unknown(
    queue_till: Till, make_queue: MakeQueue, sqs: Burst, work: Callable[[Till], int], fault: Rule
) -> None:
    queue_till.fail(make_queue(), ORDERS)
    redrive_id = queue_till.start()
    sqs.become({**fault, "operation": "SendMessageBatch", "times": 1})
    assert work(queue_till) == 0

    by_outcome = queue_till.keeps_its_promises(redrive_id, ORDERS)
    assert queue_till.arrived() == dict.fromkeys(ORDERS, 1)
    assert 1 <= len(by_outcome[Outcome.UNKNOWN]) <= 10, "one call's worth"
    assert len(sqs.fired()) == 1


def test_what_a_person_sends_again_from_unknown_is_all_that_arrives_twice(
    till: Till, make_queue: MakeQueue, lambda_: Burst, work: Callable[[Till], int]
) -> None:
    till.fail(make_queue(), ORDERS)
    first = till.start()
    lambda_.become({**LOST, "operation": "Invoke", "times": 3})
    assert work(till) == 0
    unknown = till.orders(first)[Outcome.UNKNOWN]
    with read(till.engine) as session:
        doubts = [doubt.event_id for doubt in list_doubts(session).rows]
    second = till.start(only=doubts)
    assert work(till) == 0

    assert till.orders(second) == {Outcome.SUCCEEDED: unknown}
    assert till.arrived() == {order: 2 if order in unknown else 1 for order in ORDERS}


def test_a_storm_of_throttling_delays_and_neither_loses_nor_doubles(
    till: Till, make_queue: MakeQueue, lambda_: Burst, work: Callable[[Till], int]
) -> None:
    till.fail(make_queue(), ORDERS)
    redrive_id = till.start()
    error = {"code": "TooManyRequestsException", "status": 429, "fields": {"Reason": "CallerRateLimitExceeded"}}
    lambda_.become({"operation": "Invoke", "error": error, "sequence": {"fail": 2, "pass": 3}})
    assert work(till) == 0

    assert till.keeps_its_promises(redrive_id, ORDERS) == {Outcome.SUCCEEDED: set(ORDERS)}
    assert len(lambda_.fired()) > 2
    assert till.arrived() == dict.fromkeys(ORDERS, 1)


def test_connections_that_break_before_a_call_is_out_leave_nothing_in_the_target(
    queue_till: Till, make_queue: MakeQueue, sqs: Burst, work: Callable[[Till], int]
) -> None:
    queue_till.fail(make_queue(), ORDERS)
    redrive_id = queue_till.start()
    sqs.become({"operation": "SendMessageBatch", "reset": True, "times": 1})
    assert work(queue_till) == 0

    by_outcome = queue_till.orders(redrive_id)
    assert set(queue_till.arrived()) == by_outcome[Outcome.SUCCEEDED]
    assert by_outcome[Outcome.UNKNOWN] == set(ORDERS) - by_outcome[Outcome.SUCCEEDED]  # nobody could tell from here


def test_a_target_deleted_in_mid_run_takes_nothing_more_and_the_rest_can_go_elsewhere(
    till: Till, sandbox: Sandbox, make_queue: MakeQueue, forked: Forks
) -> None:
    till.fail(make_queue(), ORDERS)
    redrive_id = till.start(rate=8.0)
    with forked.together() as start:
        pid = start("worker", **till.env)
        wait_until(lambda: len(till.arrived()) >= 2, 60.0)
        sandbox.lambda_service.functions.remove(till.arn.rpartition(":")[2])
        till.ended(redrive_id)
        os.kill(pid, signal.SIGTERM)
        assert forked.wait(pid) == 0

    by_outcome = till.keeps_its_promises(redrive_id, ORDERS)
    assert set(by_outcome) == {Outcome.SUCCEEDED, Outcome.SKIPPED}
    assert by_outcome[Outcome.SUCCEEDED] == set(till.arrived())
    reasons = {item.reason for item in till.items(redrive_id) if item.outcome is Outcome.SKIPPED}
    assert all("does not exist in eu-west-1" in str(reason) for reason in reasons)
    with read(till.engine) as session:
        assert status_counts(session).unresolved == len(by_outcome[Outcome.SKIPPED])
