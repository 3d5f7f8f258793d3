"""A small shop on the sandbox: three functions, their queues and tables, and customers who order.

Orders go to the functions in turn. While the bug is deployed (release 1) some of them fail, always the same ones by
their number; once the fix is deployed (release 2) the same orders succeed.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from sandbox.functions import Function, FunctionName, QueueMapping
from sandbox.local import Sandbox
from sandbox.shop.customers import make_order
from sandbox.shop.office import REFUSES_EVERY, Office

CODE = Path(__file__).parent
CAPTURE, NOTIFY, FULFIL = "orders-capture", "orders-notify", "orders-fulfil"
FUNCTIONS = (CAPTURE, NOTIFY, FULFIL)
WAYS = {CAPTURE: "lambda-async-dlq/sqs", NOTIFY: "lambda-destination/sqs", FULFIL: "sqs-redrive"}
"""The producer of each function's records, and where there are several the way by which they come."""

TIMEOUT_S = 2.0
"""Twice what the slowest healthy order takes on a machine that is busy with other things."""
BATCH_TIMEOUT_S = 10.0
"""Of the function that gets ten orders at once, none of which hangs: cut off half-way, some would be packed twice."""
VISIBILITY_S = 30
"""Long enough for a batch on a busy machine: what is visible again while it is worked on counts as received twice."""
RETRY_WAIT_S = 0
MAX_RECEIVES = 2
FIRST_ORDER = 1001
_EFFECTS_TABLE, IDEMPOTENCY_TABLE = "shop-effects", "shop-idempotency"
IDEMPOTENT_FOR_S = 14 * 24 * 3600
"""How long the functions keep an order's record: as long as an event can lie in a dead-letter queue."""
_LOOK_AGAIN_S = 0.05


class Shop:
    """The shop, opened on *box*, with the bug deployed.

    Its ARNs: `capture_arn`, `notify_arn`, `fulfil_arn` are the functions; `capture_dlq_arn` (async DLQ),
    `notify_failures_arn` (on-failure destination), `fulfil_queue_arn` (source queue) and `fulfil_dlq_arn` (the source
    queue's DLQ) are the queues. With *ways*, it has a back
    office too, with those other ways to fail (`office.ALL_WAYS` are all).
    """

    def __init__(self, box: Sandbox, *, ways: Collection[str] = ()) -> None:
        self.box = box
        self.fixed = False
        self._service = box.lambda_service
        self._next = FIRST_ORDER
        self._make_queues()
        self._make_table(_EFFECTS_TABLE, "effect_id")
        self._make_table(IDEMPOTENCY_TABLE, "id", ttl="expiration")
        self.capture_arn = self._make_function(CAPTURE, dead_letter_arn=self.capture_dlq_arn)
        self.notify_arn = self._make_function(NOTIFY, on_failure_arn=self.notify_failures_arn)
        self.fulfil_arn = self._make_function(FULFIL)
        mapping = QueueMapping(queue_arn=self.fulfil_queue_arn, function_name=FULFIL, retry_wait_s=RETRY_WAIT_S)
        self._service.add_mapping(mapping)
        self.office = Office(box, ways, lambda name, fixed: _environment(name, fixed=fixed), CODE) if ways else None
        box.app.extensions["shop"] = self

    @property
    def failure_arns(self) -> tuple[str, str, str]:
        """The queues where failures land, in the order of the functions."""
        return self.capture_dlq_arn, self.notify_failures_arn, self.fulfil_dlq_arn

    def orders(self, count: int) -> list[str]:
        """Let *count* customers order; return the orders' ids. Each order goes to one function, in turn."""
        orders = [make_order(self._next + n) for n in range(count)]
        bodies = [json.dumps(order, separators=(",", ":")) for order in orders]
        turn = self._next % len(FUNCTIONS)
        self._next += count
        for name, rest in zip(FUNCTIONS, _in_turn(bodies, turn), strict=True):
            self._send(name, rest)
        return [order["orderId"] for order in orders]

    def office_orders(self, each: int = REFUSES_EVERY) -> None:
        """Let *each* orders go to every way of the back office, where there is one."""
        if self.office:
            self.office.orders(each)

    def deploy_fix(self) -> None:
        """Deploy release 2: from the next invocation on, no order fails."""
        self._deploy(fixed=True)

    def roll_back(self) -> None:
        """Deploy release 1 again, with its bugs."""
        self._deploy(fixed=False)

    def settled(self, timeout_s: float = 30.0) -> bool:
        """Wait until every order is done, or lies where failures land; return whether that came to be in time."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if self._service.wait_until_idle(deadline - time.monotonic()) and self._queue_is_empty():
                self._wait_for_locks()
                return self.office is None or self.office.settled(self.done, deadline)
            time.sleep(_LOOK_AGAIN_S)  # SQS tells nobody when a queue is empty
        return False

    def side_effects(self) -> dict[str, int]:
        """Return how often each order was carried out, by its id. More than 1 is a customer charged twice.

        What several functions did with one order is not counted together.
        """
        most: dict[str, int] = {}
        for (_, order), count in self.done().items():
            most[order] = max(count, most.get(order, 0))
        return most

    def done(self) -> dict[tuple[str, str], int]:
        """Return how often each thing was done, by what it was and the order's id."""
        return dict(Counter((row["kind"]["S"], row["order_id"]["S"]) for row in self._rows(_EFFECTS_TABLE)))

    def failed_orders(self) -> list[str]:
        """Return the orders that are not carried out. Once `settled`, each of them lies where failures land."""
        done = self.side_effects()
        orders = (f"ord-{number}" for number in range(FIRST_ORDER, self._next))
        return [order for order in orders if order not in done]

    def failed_by_way(self, done: Mapping[tuple[str, str], int] | None = None) -> dict[str, list[str]]:
        """Return the orders that failed for good by the way in which they did (`WAYS`, and the office's).

        Those of the office that release 1 is to fail; where *done* is given, those that are not carried out by it.
        """
        failed: dict[str, list[str]] = {way: [] for way in WAYS.values()}
        for order in self.failed_orders():
            failed[WAYS[FUNCTIONS[int(order.removeprefix("ord-")) % len(FUNCTIONS)]]].append(order)
        if self.office:
            failed |= self.office.failed() if done is None else self.office.undone(done)
        return failed

    def way_of(self, producer: str, place: str) -> str:
        """Return the way of a record that *producer* wrote and that was found in the *place* of that name."""
        ways = {(way.name, name_of(way.place)): way.name for way in (self.office.ways if self.office else ())}
        ways |= {(WAYS[name], name_of(arn)): WAYS[name] for name, arn in zip(FUNCTIONS, self.failure_arns, strict=True)}
        found = (name for (name, where), _ in ways.items() if where == place and name.split("/")[0] == producer)
        return next(found, f"{producer} in {place}")

    def healthy_subscriber_calls(self) -> int:
        """Return how often the subscriber was invoked that never fails, of a topic of which the other one does."""
        return self._service.invocations("orders-greet")

    def _deploy(self, *, fixed: bool) -> None:
        self.fixed = fixed
        for name in FUNCTIONS:
            self._service.functions.update(name, environment=_environment(name, fixed=fixed))
        if self.office:
            self.office.deploy(fixed=fixed)

    def _make_queues(self) -> None:
        self.capture_dlq_arn = self._make_queue("orders-capture-dlq")
        self.notify_failures_arn = self._make_queue("orders-notify-failures")
        self.fulfil_dlq_arn = self._make_queue("orders-fulfil-dlq")
        policy = {"deadLetterTargetArn": self.fulfil_dlq_arn, "maxReceiveCount": str(MAX_RECEIVES)}
        attributes = {"VisibilityTimeout": str(VISIBILITY_S), "RedrivePolicy": json.dumps(policy)}
        self.fulfil_queue_arn = self._make_queue("orders-fulfil", **attributes)

    def _make_queue(self, name: str, **attributes: str) -> str:
        sqs = self.box.clients("sqs")
        url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        return str(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"])

    def _make_table(self, name: str, key: str, ttl: str | None = None) -> None:
        dynamodb = self.box.clients("dynamodb")
        dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        if ttl:
            setting = {"Enabled": True, "AttributeName": ttl}
            dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=setting)

    def _make_function(self, name: str, **places: str) -> str:
        function = Function(
            name=name,
            handler=f"{name.replace('-', '.')}.lambda_handler",
            code=CODE,
            timeout_s=BATCH_TIMEOUT_S if name == FULFIL else TIMEOUT_S,
            environment=_environment(name, fixed=False),
            dead_letter_arn=places.get("dead_letter_arn"),
            on_failure_arn=places.get("on_failure_arn"),
        )
        return self._service.functions.put(function).arn

    def _send(self, name: str, bodies: list[str]) -> None:
        """Send orders to a function as its kind of event source does."""
        if name == FULFIL:
            self._enqueue(bodies)
        else:
            for body in bodies:
                self._service.accept(FunctionName(name), body)

    def _enqueue(self, bodies: list[str]) -> None:
        url = self.box.clients.queue_url(self.fulfil_queue_arn)
        for start in range(0, len(bodies), 10):
            entries = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies[start : start + 10])]
            self.box.clients("sqs").send_message_batch(QueueUrl=url, Entries=entries)

    def _queue_is_empty(self) -> bool:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        url = self.box.clients.queue_url(self.fulfil_queue_arn)
        counts = self.box.clients("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return all(counts[name] == "0" for name in names)

    def _wait_for_locks(self) -> None:
        """Wait until no attempt that died locks its order: its idempotency record does, until its deadline."""
        locks = (row for row in self._rows(IDEMPOTENCY_TABLE) if row["status"]["S"] == "INPROGRESS")
        until_ms = max((int(row["in_progress_expiration"]["N"]) for row in locks), default=0)
        time.sleep(max(0.0, (until_ms + 1) / 1000 - time.time()))

    def _rows(self, table: str) -> Iterator[Any]:
        for page in self.box.clients("dynamodb").get_paginator("scan").paginate(TableName=table):
            yield from page["Items"]


def name_of(arn: str) -> str:
    """Return the name of a queue, a bucket or a function."""
    return arn.rpartition(":")[2]


def _in_turn(bodies: list[str], turn: int) -> list[list[str]]:
    """Return each function's share of *bodies*, the first of which is for the function whose turn it is."""
    most = len(FUNCTIONS)
    return [bodies[(function - turn) % most :: most] for function in range(most)]


def _environment(name: str, *, fixed: bool) -> dict[str, str]:
    return {
        "EFFECTS_TABLE": _EFFECTS_TABLE,
        "IDEMPOTENCY_TABLE": IDEMPOTENCY_TABLE,
        "POWERTOOLS_SERVICE_NAME": name,
        "POWERTOOLS_LOG_LEVEL": "INFO",
        "SHOP_RELEASE": "2" if fixed else "1",
    }
