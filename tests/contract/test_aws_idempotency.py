"""The handler's DynamoDB table, read as its own Powertools reads it: what we say will happen is what happens."""

import json
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer, IdempotencyConfig, idempotent
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyAlreadyInProgressError,
    IdempotencyValidationError,
)
from botocore.exceptions import ClientError

from deadletter import aws
from deadletter.aws import clients
from deadletter.aws.idempotency import DynamoDbRecords
from deadletter.errors import SourceError
from deadletter.event import TargetKind, TargetRef
from deadletter.preflight import Protection, Rules
from deadletter.preflight.discovery import discover_rules
from deadletter.preflight.keys import KeyRules, Names
from deadletter.redrive.preflight import Asked, key_event, look_up
from deadletter.store.redrives.sendable import Sendable
from sandbox.local import Sandbox
from sandbox.shop import Shop
from tests.factories import ACCOUNT, make_message

pytestmark = pytest.mark.usefixtures("aws_env")
TARGET = TargetRef(TargetKind.LAMBDA, ACCOUNT.format("lambda", "function:orders-capture"))
Handler = Callable[..., Any]
CONTEXT = SimpleNamespace(get_remaining_time_in_millis=lambda: 30_000)


@pytest.fixture
def target(sandbox: Sandbox) -> Iterator[TargetRef]:
    """A function in the sandbox's Region; its clients are closed afterwards."""
    clients.forget()
    yield TargetRef(TargetKind.LAMBDA, f"arn:aws:lambda:{sandbox.region}:{sandbox.account}:function:orders-capture")
    clients.forget()


@pytest.fixture(params=["key", "key and sort key"])
def names(request: pytest.FixtureRequest) -> Names:
    """The names of a table's attributes: Powertools' own, and others with a sort key."""
    if request.param == "key":
        return Names()
    return Names(
        key="pk", sort_key="sk", static_pk="orders", expiry="ttl", in_progress_expiry="until", status="state",
        validation="sum",
    )  # fmt: skip


@pytest.fixture
def table(sandbox: Sandbox, names: Names) -> str:
    """An empty table with these names."""
    name = f"idempotency-{time.monotonic_ns()}"
    keys = [(names.key, "HASH"), *([(names.sort_key, "RANGE")] if names.sort_key else [])]
    sandbox.clients("dynamodb").create_table(
        TableName=name,
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in keys],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key, _ in keys],
        BillingMode="PAY_PER_REQUEST",
    )
    return name


def make_handler(
    sandbox: Sandbox, table: str, names: Names, ran: list[str], monkeypatch: pytest.MonkeyPatch
) -> tuple[Handler, Rules]:
    """Return a handler that Powertools keeps idempotent, and the rules that say the same to us."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "orders-capture")
    layer = DynamoDBPersistenceLayer(
        table_name=table,
        boto3_client=sandbox.clients("dynamodb"),
        key_attr=names.key,
        sort_key_attr=names.sort_key,
        static_pk_value=names.static_pk,
        expiry_attr=names.expiry,
        in_progress_expiry_attr=names.in_progress_expiry,
        status_attr=names.status,
        validation_key_attr=names.validation,
    )
    config = IdempotencyConfig(event_key_jmespath="order.id", payload_validation_jmespath="total")

    @idempotent(config=config, persistence_store=layer)
    def handler(event: dict[str, Any], context: object) -> str:  # noqa: ARG001 - Lambda's signature
        ran.append(event["order"]["id"])
        return "done"

    inner = make_handler.__qualname__ + ".<locals>.handler"
    prefix = f"orders-capture.{make_handler.__module__}.{inner}"
    return handler, Rules(table=table, prefix=prefix, key_path="order.id", validation_path="total", names=names)


def order(number: str | None, total: int = 5) -> dict[str, Any]:
    return {"order": {"id": number}, "total": total}


def age(sandbox: Sandbox, rules: Rules, event: Mapping[str, Any], **values: object) -> None:
    """Change the record of *event* as time, or a crash, would have left it."""
    names = rules.names
    key = key_event(Sendable(0, make_message(json.dumps(event)), None), TARGET, KeyRules.of(rules)).keys[0][0]
    item = (
        {names.key: {"S": key}} if names.sort_key is None else {names.key: {"S": "orders"}, names.sort_key: {"S": key}}
    )
    sandbox.clients("dynamodb").update_item(
        TableName=rules.table,
        Key=item,
        UpdateExpression="SET " + ", ".join(f"#{n} = :{n}" for n in values),
        ExpressionAttributeNames={f"#{n}": getattr(names, n) for n in values},
        ExpressionAttributeValues={f":{n}": {"S" if isinstance(v, str) else "N": str(v)} for n, v in values.items()},
    )


def became(handler: Handler, event: Mapping[str, Any], ran: list[str]) -> str:
    """Return what the handler really does with *event*."""
    before = len(ran)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            handler(event, CONTEXT)
    except IdempotencyAlreadyInProgressError:
        return "in progress"
    except IdempotencyValidationError:
        return "refused"
    return "ran" if len(ran) > before else "answered"


REALLY = {
    Protection.DONE: "answered",
    Protection.RUNNING: "in progress",
    Protection.NOT_SEEN: "ran",
    Protection.CRASHED: "ran",
    Protection.EXPIRED: "ran",
    Protection.NO_KEY: "ran",
    Protection.REFUSED: "refused",
}


def test_what_we_say_of_every_state_is_what_powertools_does(
    sandbox: Sandbox, target: TargetRef, table: str, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []
    handler, rules = make_handler(sandbox, table, names, ran, monkeypatch)
    now = datetime.now(UTC)
    past, future = (int((now + timedelta(seconds=s)).timestamp()) for s in (-60, 600))
    events = {state: order(state.value) for state in REALLY} | {Protection.NO_KEY: order(None)}
    for state in (Protection.DONE, Protection.RUNNING, Protection.CRASHED, Protection.EXPIRED, Protection.REFUSED):
        handler(events[state], CONTEXT)
    age(sandbox, rules, events[Protection.RUNNING], status="INPROGRESS", in_progress_expiry=future * 1000)
    age(sandbox, rules, events[Protection.CRASHED], status="INPROGRESS", in_progress_expiry=past * 1000)
    age(sandbox, rules, events[Protection.EXPIRED], expiry=past)
    events[Protection.REFUSED] = order(Protection.REFUSED.value, total=6)

    compiled = KeyRules.of(rules)
    asked = [Asked(number, target, rules) for number in range(len(events))]
    keyed = {
        number: key_event(Sendable(0, make_message(json.dumps(event)), None), target, compiled)
        for number, event in enumerate(events.values())
    }
    found = look_up(asked, keyed, aws.open_records, now=now)
    assert [found[number].state for number in range(len(events))] == list(events)
    for state, event in events.items():
        assert became(handler, event, ran) == REALLY[state], state


def test_many_keys_are_read_in_calls_of_a_hundred(sandbox: Sandbox, target: TargetRef) -> None:
    table = f"many-{time.monotonic_ns()}"
    dynamodb = sandbox.clients("dynamodb")
    dynamodb.create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for start in range(0, 250, 25):
        items = [
            {"id": {"S": f"k{n}"}, "status": {"S": "COMPLETED"}, "expiration": {"N": str(n)}}
            for n in range(start, start + 25)
        ]
        dynamodb.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": item}} for item in items]})
    records = DynamoDbRecords(Rules(table=table, prefix="p"), target.arn).look_up([f"k{n}" for n in range(300)] * 2)
    assert {key: record.expiration for key, record in records.items()} == {f"k{n}": n for n in range(250)}


def test_a_table_that_is_not_there_is_named(target: TargetRef) -> None:
    with pytest.raises(SourceError, match="nowhere"):
        DynamoDbRecords(Rules(table="nowhere", prefix="p"), target.arn).look_up(["a"])


class Reluctant:
    """A DynamoDB that leaves out what it has no capacity for, and throttles in between."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.asked: list[int] = []

    def batch_get_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803 - boto3's own name
        (table, request), *_ = RequestItems.items()
        self.asked.append(len(request["Keys"]))
        self.times -= 1
        if self.times >= 0 and self.times % 2:
            error = {"Error": {"Code": "ProvisionedThroughputExceededException", "Message": "slow down"}}
            raise ClientError(error, "BatchGetItem")  # type: ignore[arg-type] # as much of an answer as is read
        take = request["Keys"] if self.times < 0 else request["Keys"][:1]
        rest = request["Keys"][len(take) :]
        items = [key | {"status": {"S": "COMPLETED"}, "expiration": {"N": "9"}} for key in take]
        left = {table: request | {"Keys": rest}} if rest else {}
        return {"Responses": {table: items}, "UnprocessedKeys": left}


def test_what_the_table_leaves_out_is_asked_for_again(target: TargetRef) -> None:
    records = DynamoDbRecords(Rules(table="t", prefix="p"), target.arn, waits_s=(0, 0, 0, 0))
    records._client = reluctant = Reluctant(4)  # noqa: SLF001 - a table with too little capacity, which no sandbox has
    assert sorted(records.look_up([f"k{n}" for n in range(5)])) == [f"k{n}" for n in range(5)]
    assert reluctant.asked == [5, 5, 4, 4, 3]


def test_a_table_that_always_leaves_something_out_is_given_up_in_a_sentence(target: TargetRef) -> None:
    records = DynamoDbRecords(Rules(table="t", prefix="p"), target.arn, waits_s=(0, 0))
    records._client = Reluctant(100)  # noqa: SLF001 - as above
    with pytest.raises(SourceError, match=r"3 times in a row|slow down"):
        records.look_up([f"k{n}" for n in range(50)])


def test_the_shops_function_says_its_table_and_its_prefix(shop: Shop) -> None:
    clients.forget()
    found = discover_rules(aws.read_consumer(shop.capture_arn)).rules
    assert (found.table, found.prefix) == ("shop-idempotency", "orders-capture.orders.capture.lambda_handler")
