"""The idempotency pre-flight of 10,000 events, on a DynamoDB table in which they have all seven states.

A plan in which one of them is judged wrongly is no figure: it ends the run.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select

from bench.databases import databases
from bench.rows import Row, under
from bench.sizes import Size
from deadletter import aws, redrive
from deadletter.actor import Actor
from deadletter.event import TargetKind, TargetRef
from deadletter.filters import EventFilter
from deadletter.preflight import KeyRules, Protection, Rules, keys_of, validation_of
from deadletter.settings import Settings
from deadletter.store import make_engine, models, read, upgrade, write
from deadletter.store.targets import set_rules
from sandbox.local import Sandbox
from tests.factories import make_parsed, store_some

EVENTS = 10_000
MOST_S = 10.0
BY = Actor("bench", "bench")
RULES = Rules(
    table="orders-idempotency", prefix="orders-capture.app.lambda_handler", key_path="order_id", validation_path="total"
)
STATES = (
    Protection.DONE, Protection.RUNNING, Protection.NOT_SEEN, Protection.CRASHED, Protection.EXPIRED,
    Protection.REFUSED, Protection.NO_KEY,
)  # fmt: skip
"""In turn: the state of event *n* is the one at *n* modulo seven."""
_WRITES_A_CALL = 25


def measure(_size: Size) -> list[Row]:
    """Return a row for each database; the bar is the same at every size."""
    with tempfile.TemporaryDirectory() as folder, Sandbox(Path(folder)) as box, databases() as found:
        os.environ.update(box.env)
        _fill_table(box)
        return [_row(box, name, settings) for name, settings in found.items()]


def _row(box: Sandbox, name: str, settings: Settings) -> Row:
    target = TargetRef(TargetKind.LAMBDA, f"arn:aws:lambda:{box.region}:{box.account}:function:orders-capture")
    upgrade(settings)
    engine = make_engine(settings)
    _store(engine, target)
    at = time.perf_counter()
    redrive_id = redrive.create_plan(
        engine,
        EventFilter(),
        target=target,
        open_records=aws.open_records,
        asked_by=BY,
        settings=replace(settings, allowed_targets=(target.arn,), allowed_accounts=frozenset({box.account})),
        now=datetime.now(UTC),
    )
    took_s = time.perf_counter() - at
    _check(engine, redrive_id)
    engine.dispose()
    return under(MOST_S, f"pre-flight of {EVENTS:,}, {name}", took_s, "s", note="every one of them right")


def _store(engine: Engine, target: TargetRef) -> None:
    first = datetime.now(UTC) - timedelta(hours=5)
    with write(engine) as session:
        parsed = [
            make_parsed(payload_text=json.dumps(_order(n)), occurred_at=first + timedelta(seconds=n))
            for n in range(EVENTS)
        ]
        store_some(session, *parsed)
        set_rules(session, target.arn, RULES, by=BY, now=first)


def _order(n: int) -> dict[str, Any]:
    return {"order_id": None if STATES[n % 7] is Protection.NO_KEY else f"ord-{n}", "total": 5}


def _check(engine: Engine, redrive_id: int) -> None:
    items = select(models.RedriveItem.protection).where(models.RedriveItem.redrive_id == redrive_id)
    with read(engine) as session:
        judged = session.scalars(items.order_by(models.RedriveItem.position)).all()
    wrong = [n for n, state in enumerate(judged) if state != STATES[n % 7]]
    if len(judged) != EVENTS or wrong:
        message = f"Of {len(judged):,} events {len(wrong):,} were judged wrongly: {list(judged[:9])}."
        raise AssertionError(message)


def _fill_table(box: Sandbox) -> None:
    client = box.clients("dynamodb")
    client.create_table(
        TableName=RULES.table,
        KeySchema=[{"AttributeName": RULES.names.key, "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": RULES.names.key, "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    items = list(_items(datetime.now(UTC)))
    for first in range(0, len(items), _WRITES_A_CALL):
        puts = [{"PutRequest": {"Item": item}} for item in items[first : first + _WRITES_A_CALL]]
        client.batch_write_item(RequestItems={RULES.table: puts})


def _items(now: datetime) -> Iterator[Mapping[str, Any]]:
    """Yield what Powertools would have left of each event, by its state."""
    rules, names = KeyRules.of(RULES), RULES.names
    past, future = (int((now + timedelta(seconds=s)).timestamp()) for s in (-600, 36_000))
    for n in range(EVENTS):
        state = STATES[n % 7]
        if state in {Protection.NOT_SEEN, Protection.NO_KEY}:
            continue
        key = keys_of(_order(n), rules)[0][0]
        open_until = {Protection.RUNNING: future, Protection.CRASHED: past}.get(state)
        total = {"total": 6 if state is Protection.REFUSED else 5}
        yield {
            names.key: {"S": key},
            names.status: {"S": "INPROGRESS" if open_until else "COMPLETED"},
            names.expiry: {"N": str(past if state is Protection.EXPIRED else future)},
            names.validation: {"S": validation_of(total, rules)},
            **({names.in_progress_expiry: {"N": str(open_until * 1000)}} if open_until else {}),
        }
