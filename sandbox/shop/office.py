"""The shop's back office: a function or two for every other way in which AWS leaves a failure behind."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sandbox.functions import Function, FunctionName
from sandbox.local import Sandbox
from sandbox.shop.customers import make_order
from sandbox.shop.places import Places
from sandbox.streams import StreamMapping

FIRST_ORDER = 5001
REFUSES_EVERY = 3
"""Of so many orders in a row, release 1 fails one: always the same ones."""
TIMEOUT_S = 10.0
"""Nothing hangs here. One that is cut off after its effect, on a busy machine, would have it twice."""
BUCKET = "shop-failures"
ALL_WAYS = frozenset({
    "lambda-async-dlq/sns", "lambda-destination/sns", "lambda-destination/eventbridge", "lambda-destination/s3",
    "lambda-destination/lambda", "kinesis-esm/sqs", "kinesis-esm/s3", "dynamodb-esm/sqs", "dynamodb-esm/s3",
    "sns-subscription", "eventbridge-rule",
})  # fmt: skip
_BUS, _GIFT = "orders-failures", "orders-gift"
_LOOK_AGAIN_S = 0.1

Send = Callable[[str, Sequence[str]], None]
"""Hands orders, as JSON, to a function: by its name."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to fail.

    `name` is the producer of its records, and after a slash the way by which they come. Its orders go to `function`,
    and failures land in `place`; `target` says that the records there do not name the function. `always` is for a
    function that in release 1 takes no event at all.
    """

    name: str
    function: str
    place: str
    send: Send
    target: bool = False
    always: bool = False

    def fails(self, number: int) -> bool:
        """Say whether release 1 fails for order *number*."""
        return self.always or number % REFUSES_EVERY == 0


class Office:
    """The back office, opened on *box*, with the bug deployed. `environment` are the variables that all handlers have.

    *names* are those of its ways to fail, of `ALL_WAYS`.
    """

    def __init__(
        self, box: Sandbox, names: Collection[str], environment: Callable[[str, bool], Mapping[str, str]], code: Path
    ) -> None:
        self.box = box
        self._environment = environment
        self._code = code
        self._places = Places(box)
        self._functions = box.lambda_service.functions
        self._orders: dict[str, list[int]] = {}
        self._next = FIRST_ORDER
        made = (*self._asynchronous(), *self._streams(), *self._fanned_out())
        self.ways = tuple(way for way in made if way.name in names)

    def pushes_to(self, function_arn: str) -> None:
        """Let another function be the destination that is one; the source is then the function that failed."""
        place = self._functions.update(_GIFT, on_failure_arn=function_arn).arn
        self.ways = tuple(replace(way, place=place) if way.function == _GIFT else way for way in self.ways)

    def orders(self, each: int) -> None:
        """Let *each* orders go to every way."""
        for way in self.ways:
            numbers = [self._next + n for n in range(each)]
            self._next += each
            self._orders.setdefault(way.name, []).extend(numbers)
            way.send(way.function, [json.dumps(make_order(number), separators=(",", ":")) for number in numbers])

    def failed(self) -> dict[str, list[str]]:
        """Return the orders that release 1 fails for good, by way."""
        return {
            way.name: [f"ord-{number}" for number in self._orders.get(way.name, ()) if way.fails(number)]
            for way in self.ways
        }

    def settled(self, effects: Callable[[], Mapping[tuple[str, str], int]], deadline: float) -> bool:
        """Wait until everything that can be done is; return whether that came to be before *deadline* (monotonic)."""
        healthy = {
            (way.function, f"ord-{number}")
            for way in self.ways
            for number in self._orders.get(way.name, ())
            if not way.fails(number)
        }
        while not healthy <= effects().keys():
            if time.monotonic() > deadline:
                return False
            time.sleep(_LOOK_AGAIN_S)
        return True

    def undone(self, done: Mapping[tuple[str, str], int]) -> dict[str, list[str]]:
        """Return the orders that are not carried out, by way."""
        return {
            way.name: [order for n in self._orders.get(way.name, ()) if (way.function, order := f"ord-{n}") not in done]
            for way in self.ways
        }

    def deploy(self, *, fixed: bool) -> None:
        """Deploy release 2, or release 1 again."""
        for way in self.ways:
            environment = {**self._partner(way.function, always=way.always), **self._environment(way.function, fixed)}
            refuses = way.always and not fixed
            self._functions.update(way.function, environment=environment, refuses_events=refuses)

    def _asynchronous(self) -> list[Way]:
        """Return the ways of asynchronous functions: a topic as DLQ, and every kind of destination."""
        queues = {name: self._places.queue(f"orders-{name}-failures") for name in ("invoice", "loyalty", "customs")}
        kept = self._places.queue("orders-gift-failures")
        self._put("failures-forward", handler="orders.forward.lambda_handler", more={"QUEUE_URL": self._url(kept)})
        bucket, bus = self._places.bucket(BUCKET), self._places.bus(_BUS, queues["customs"])
        topics = {name: self._places.topic(f"orders-{name}-failures", queues[name]) for name in ("invoice", "loyalty")}
        forward = self._functions.get("failures-forward").arn
        self._put("orders-invoice", dead_letter_arn=topics["invoice"])
        for name, place in (("loyalty", topics["loyalty"]), ("customs", bus), ("archive", bucket), ("gift", forward)):
            self._put(f"orders-{name}", on_failure_arn=place)
        return [
            Way("lambda-async-dlq/sns", "orders-invoice", queues["invoice"], self._invoke, target=True),
            Way("lambda-destination/sns", "orders-loyalty", queues["loyalty"], self._invoke),
            Way("lambda-destination/eventbridge", "orders-customs", queues["customs"], self._invoke),
            Way("lambda-destination/s3", "orders-archive", bucket, self._invoke),
            Way("lambda-destination/lambda", _GIFT, kept, self._invoke),
        ]

    def _streams(self) -> list[Way]:
        """Return the ways of functions that read a stream: each kind of stream to each kind of place."""
        bucket = self._places.bucket(BUCKET)
        ways = []
        for kind, function, way in (
            ("kinesis-esm", "orders-track", "sqs"),
            ("kinesis-esm", "orders-stats", "s3"),
            ("dynamodb-esm", "orders-ledger", "sqs"),
            ("dynamodb-esm", "orders-search", "s3"),
        ):
            place = bucket if way == "s3" else self._places.queue(f"{function}-failures")
            made, send = (
                (self._places.stream, self._places.put_records)
                if kind == "kinesis-esm"
                else (self._places.table, self._places.put_items)
            )
            self._put(function, handler="orders.partner.stream_handler")
            self._attach(made(function), function, place)
            ways.append(Way(f"{kind}/{way}", function, place, send))
        return ways

    def _fanned_out(self) -> list[Way]:
        """Return the ways of functions that a topic and a rule call, and that take no event in release 1."""
        scored, routed = (self._places.queue(f"orders-{name}-failures") for name in ("score", "route"))
        for function in ("orders-greet", "orders-score", "orders-route"):
            self._put(function, refuses_events=function != "orders-greet", always=function != "orders-greet")
        greet, score, route = (self._functions.get(f"orders-{name}").arn for name in ("greet", "score", "route"))
        publish = self._places.subscribed("orders-placed", {greet: None, score: scored})
        put = self._places.ruled("orders-placed", route, routed)
        return [
            Way("sns-subscription", "orders-score", scored, publish, always=True),
            Way("eventbridge-rule", "orders-route", routed, put, always=True),
        ]

    def _attach(self, stream_arn: str, function: str, place: str) -> None:
        mapping = StreamMapping(
            stream_arn=stream_arn,
            function_name=function,
            bisect=True,
            maximum_retry_attempts=1,
            on_failure_arn=place,
        )
        self.box.lambda_service.add_mapping(mapping)

    def _put(
        self,
        name: str,
        *,
        handler: str = "orders.partner.lambda_handler",
        more: Mapping[str, str] | None = None,
        always: bool = False,
        **settings: Any,  # noqa: ANN401 - the fields of `Function`
    ) -> None:
        environment = {**self._partner(name, always=always), **self._environment(name, False), **(more or {})}  # noqa: FBT003 - the first release
        self._functions.put(
            Function(
                name=name, handler=handler, code=self._code, timeout_s=TIMEOUT_S, environment=environment, **settings
            )
        )

    def _partner(self, function: str, *, always: bool) -> dict[str, str]:
        return {"PARTNER": function, "PARTNER_REFUSES_EVERY": "1" if always else str(REFUSES_EVERY)}

    def _invoke(self, function: str, bodies: Sequence[str]) -> None:
        for body in bodies:
            self.box.lambda_service.accept(FunctionName(function), body)

    def _url(self, queue_arn: str) -> str:
        return self.box.clients.queue_url(queue_arn)
