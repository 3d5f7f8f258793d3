"""Our functions send redrives, out of the zip: the tick queues slices, and a slice that is killed loses nothing."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from deadletter.outcome import Outcome
from tests.lambdas.conftest import Stack
from tests.sandbox_fixture import Deploy
from tests.worker.conftest import World, outcomes, wait_until

LEDGER = """
    import os, time

    def handler(event, context):
        ledger = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(ledger, f"{event['order_id']}\\n".encode())
        os.close(ledger)
        time.sleep(float(os.environ["TAKES_S"]))
        if event["order_id"].endswith("-bad"):
            raise ValueError("no such article")
    """


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "ledger"


@pytest.fixture
def world(stack: Stack, sqlite_engine: Engine) -> World:
    """The database that the functions share; no worker runs on it."""
    return World(sqlite_engine, replace(stack.settings, allowed_accounts=frozenset({"000000000000"})))


def target(deploy: Deploy, ledger: Path, *, takes_s: float = 0.0, **settings: Any) -> str:
    environment = {"LEDGER": str(ledger), "TAKES_S": str(takes_s)}
    return deploy(LEDGER, environment=environment, **settings).arn


def invoke(lambda_client: Any, name: str, event: Any) -> tuple[Any, str]:
    """Invoke one of our functions; return its answer, and the function's error if it failed."""
    answer = lambda_client.invoke(FunctionName=name, Payload=json.dumps(event))
    return json.load(answer["Payload"]), answer.get("FunctionError", "")


def tick(stack: Stack, lambda_client: Any, minute: str) -> list[int]:
    answer, error = invoke(lambda_client, stack.names["tick"], {"tick": minute})
    assert not error, answer
    queued: list[int] = answer["queued"]
    return queued


def sqs_event(*bodies: str) -> dict[str, Any]:
    """Return what an event source mapping hands over."""
    arn = "arn:aws:sqs:eu-west-1:000000000000:work"
    records = [
        {"messageId": f"message-{n}", "receiptHandle": "r", "body": body, "attributes": {}, "messageAttributes": {},
         "md5OfBody": "", "eventSource": "aws:sqs", "eventSourceARN": arn, "awsRegion": "eu-west-1"}
        for n, body in enumerate(bodies)
    ]  # fmt: skip
    return {"Records": records}


def metric(log: str, name: str) -> list[float]:
    """Return the values of one metric in the log's lines of embedded metrics."""
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{") and "CloudWatchMetrics" in line]
    return [value for line in lines if name in line for value in line[name]]


def test_the_tick_queues_a_slice_and_the_redrive_is_carried_out(
    stack: Stack, world: World, deploy: Deploy, lambda_client: Any, ledger: Path
) -> None:
    stack.deploy("tick", "worker.lambda_tick.handler")
    stack.deploy("redrive", "worker.lambda_redrive.handler")
    stack.attach(stack.work_arn, "redrive", batch_size=1)
    world.store_failures(12)
    redrive_id = world.run_redrive(target=target(deploy, ledger))

    assert tick(stack, lambda_client, "03:00") == [redrive_id]
    wait_until(lambda: world.show(redrive_id).ended, timeout_s=60)
    assert outcomes(world.show(redrive_id)) == {Outcome.SUCCEEDED: 12}
    assert len(ledger.read_text().splitlines()) == 12
    assert tick(stack, lambda_client, "03:01") == []

    wait_until(lambda: metric(stack.log_of("redrive"), "Redriven") == [12.0])  # said after the last outcome is stored
    log = stack.log_of("redrive")
    assert metric(log, "ColdStart")
    said = [json.loads(line) for line in log.splitlines() if '"a slice is sent"' in line]
    assert said[0]["function_request_id"]
    assert said[0]["cold_start"] is True
    assert len(metric(stack.log_of("tick"), "OldestUnresolvedAge")) == 2


def test_the_same_message_twice_is_sent_once_and_one_that_is_no_slice_is_named(
    stack: Stack, world: World, deploy: Deploy, lambda_client: Any, ledger: Path
) -> None:
    function = stack.deploy("redrive", "worker.lambda_redrive.handler")
    world.store_failures(3)
    redrive_id = world.run_redrive(target=target(deploy, ledger))
    body = json.dumps({"redrive": redrive_id, "slice": "once"})

    first, error = invoke(lambda_client, function.name, sqs_event(body, body, "{}", "no JSON"))
    assert not error, first
    assert [each["itemIdentifier"] for each in first["batchItemFailures"]] == ["message-2", "message-3"]
    again, _ = invoke(lambda_client, function.name, sqs_event(body))
    assert again == {"batchItemFailures": []}
    assert metric(stack.log_of("redrive"), "Redriven") == [3.0]
    assert max(Counter(ledger.read_text().split()).values()) == 1


def test_it_stops_before_its_time_ends_and_queues_the_rest(
    stack: Stack, world: World, deploy: Deploy, lambda_client: Any, ledger: Path
) -> None:
    stack.environment = {"REDRIVE_CONCURRENCY": "1"}
    stack.deploy("redrive", "worker.lambda_redrive.handler", timeout_s=8.0)
    stack.deploy("tick", "worker.lambda_tick.handler")
    stack.attach(stack.work_arn, "redrive", batch_size=1)
    world.store_failures(16)
    redrive_id = world.run_redrive(target=target(deploy, ledger, takes_s=0.5))

    tick(stack, lambda_client, "03:00")
    wait_until(lambda: world.show(redrive_id).ended, timeout_s=120)
    assert outcomes(world.show(redrive_id)) == {Outcome.SUCCEEDED: 16}
    wait_until(lambda: sum(metric(stack.log_of("redrive"), "Redriven")) == 16)  # said after the last outcome is stored
    assert len(metric(stack.log_of("redrive"), "Redriven")) > 1
    assert max(Counter(ledger.read_text().split()).values()) == 1


@pytest.mark.slow
def test_killed_at_its_time_limit_it_loses_nothing(
    stack: Stack, world: World, deploy: Deploy, lambda_client: Any, ledger: Path
) -> None:
    """A call that takes longer than our whole time is cut off: that event is unknown, and the others are sent."""
    stack.environment = {"REDRIVE_CONCURRENCY": "1"}
    function = stack.deploy("redrive", "worker.lambda_redrive.handler", timeout_s=6.0)
    stack.deploy("tick", "worker.lambda_tick.handler")
    world.store_failures(3)
    slow = target(deploy, ledger, takes_s=30.0, timeout_s=60.0, name="slow-then-well")
    redrive_id = world.run_redrive(target=slow)
    invoke(lambda_client, function.name, sqs_event('{"redrive": 999, "slice": "warm"}'))
    answer, error = invoke(lambda_client, function.name, sqs_event(json.dumps({"redrive": redrive_id, "slice": "a"})))
    assert error, answer
    assert "Task timed out after" in answer["errorMessage"]

    stack.sandbox.lambda_service.functions.update("slow-then-well", environment={"LEDGER": str(ledger), "TAKES_S": "0"})
    stack.deploy("redrive", "worker.lambda_redrive.handler")
    stack.attach(stack.work_arn, "redrive", batch_size=1)
    minutes = itertools.count()
    wait_until(
        lambda: tick(stack, lambda_client, f"03:{next(minutes)}") is not None and world.show(redrive_id).ended,
        timeout_s=90,
    )
    ended = world.show(redrive_id)
    assert ended.succeeded + ended.unknown == 3
    assert ended.unknown <= 1  # none, where this machine was too slow to begin
    assert sum(metric(stack.log_of("tick"), "Unknown")) == ended.unknown
