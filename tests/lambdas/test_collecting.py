"""Our function stores what AWS pushes, out of the zip, as an event source, as a subscriber and as a destination."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Engine

from deadletter.filters import EventFilter
from deadletter.store import read
from deadletter.store.queries import list_events
from deadletter.store.rows import EventRow
from tests.lambdas.conftest import Stack
from tests.lambdas.test_redriving import metric
from tests.sandbox_fixture import MakeQueue, sample
from tests.worker.conftest import wait_until
from tests.worker.test_kill import fill, left_in


def stored(engine: Engine) -> list[EventRow]:
    with read(engine) as session:
        return list(list_events(session, EventFilter()).rows)


def test_what_lies_in_a_queue_is_stored_and_only_then_deleted(
    stack: Stack, make_queue: MakeQueue, sqlite_engine: Engine
) -> None:
    stack.deploy("collect", "worker.lambda_collect.handler")
    queue = make_queue(VisibilityTimeout="60")
    record = json.dumps(sample("async-destination-sqs.json"))
    sent = fill(stack.sandbox, queue, [f'{{"order_id": "ord-{n}"}}' for n in range(9)] + [record])
    stack.attach(queue, "collect")

    wait_until(lambda: len(stored(sqlite_engine)) == len(sent), timeout_s=60)
    wait_until(lambda: left_in(stack.sandbox, queue) == 0)
    log = stack.log_of("collect")
    assert sum(metric(log, "Collected")) == len(sent)
    said = [json.loads(line) for line in log.splitlines() if '"what was pushed is stored"' in line]
    assert said
    assert said[0]["service"] == "redrive"
    assert said[0]["function_request_id"]


def test_while_the_database_is_away_nothing_is_deleted(
    stack: Stack, make_queue: MakeQueue, sqlite_engine: Engine, lambda_client: Any
) -> None:
    stack.environment = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    function = stack.deploy("collect", "worker.lambda_collect.handler")
    answer = lambda_client.invoke(FunctionName=function.name, Payload=json.dumps(sample("lambda-event-sqs.json")))
    assert answer["FunctionError"] == "Unhandled"
    assert stored(sqlite_engine) == []
    assert make_queue()
