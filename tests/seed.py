"""A bad week in a database: some 4,000 failures of nine causes with bursts, for pages to be looked at and counted on.

Run it to make one to look at: ``python -m tests.seed FOLDER``, then ``REDRIVE_DATA_DIR=FOLDER redrive serve``.
"""

from __future__ import annotations

import json
import math
import random
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from deadletter.collect import parse_batch
from deadletter.event import ReceivedMessage, TargetKind, TargetRef
from deadletter.ports import SourceState
from deadletter.settings import Settings
from deadletter.store import make_engine, sources, upgrade, write
from deadletter.store.allowed import keep_targets
from deadletter.store.ingest import store_messages
from deadletter.store.redrives.workers import heartbeat
from tests.factories import ACCOUNT, ADA

WEEK_H = 168


@dataclass(frozen=True, slots=True, kw_only=True)
class CauseOfFailure:
    """One cause: where it fails, with which words, how often in the week, and when most (hours ago; None: steadily).

    Without an error type it is a queue whose redrive policy gave up, and `function` is that queue.
    """

    function: str
    source: str
    error_type: str | None
    message: str
    n: int
    peak_h: float | None
    stack: tuple[str, ...] = ()


def _frames(*places: str) -> tuple[str, ...]:
    return tuple(f'  File "/var/task/{place}\n' for place in places)


CAUSES = (
    CauseOfFailure(
        function="orders-capture",
        source="orders-capture-failures",
        error_type="PaymentError",
        message="card declined for order ord-{n}: issuer answered {code}",
        n=1204,
        peak_h=2,
        stack=_frames(
            'app.py", line 41, in lambda_handler\n    return capture(event)',
            'aws_lambda_powertools/utilities/idempotency/base.py", line 112, in handle\n    response = self.function()',
            'gateway.py", line 18, in charge\n    raise PaymentError(message)',
        ),
    ),
    CauseOfFailure(
        function="orders-capture",
        source="orders-capture-failures",
        error_type="Sandbox.Timedout",
        message="RequestId: {id} Error: Task timed out after 3.00 seconds",
        n=412,
        peak_h=2.5,
    ),
    CauseOfFailure(
        function="orders-notify",
        source="orders-notify-failures",
        error_type="KeyError",
        message="'shippingAddress'",
        n=96,
        peak_h=None,
        stack=_frames("notify.py\", line 12, in lambda_handler\n    to = event['shippingAddress']"),
    ),
    CauseOfFailure(
        function="orders-fulfil",
        source="orders-queue-dlq",
        error_type="ConnectionError",
        message="HTTPSConnectionPool(host='stock-{code}.shop.internal', port=443): Max retries exceeded with url: "
        "/v1/reserve/ord-{n}",
        n=2010,
        peak_h=4,
    ),
    CauseOfFailure(
        function="orders-queue",
        source="orders-queue-dlq",
        error_type=None,
        message="",
        n=180,
        peak_h=30,
    ),
    CauseOfFailure(
        function="clicks-aggregate",
        source="orders-notify-failures",
        error_type="ValidationError",
        message="2 of {code} records do not fit the schema: unknown field 'utm_{n}'",
        n=44,
        peak_h=None,
    ),
    CauseOfFailure(
        function="nightly-report",
        source="orders-capture-failures",
        error_type="ThrottlingException",
        message="Rate exceeded",
        n=7,
        peak_h=100,
    ),
    CauseOfFailure(
        function="invoices-render",
        source="orders-capture-failures",
        error_type="Runtime.ExitError",
        message="RequestId: {id} Error: Runtime exited with error: signal: killed",
        n=39,
        peak_h=12,
    ),
    CauseOfFailure(
        function="search-index",
        source="orders-notify-failures",
        error_type="MarkupError",
        message="unexpected <script>alert('{n}')</script> in field title",
        n=12,
        peak_h=60,
    ),
)
SOURCES = ("orders-capture-failures", "orders-queue-dlq", "orders-notify-failures")


def seed(engine: Engine, *, now: datetime, share: float = 1.0) -> None:
    """Collect the week before *now*, or a *share* of it: the same one every time."""
    chance = random.Random(7)  # noqa: S311 - the same week every time, not a secret
    with write(engine) as session:
        heartbeat(session, "seed", started_at=now - timedelta(hours=1), now=now, doing="collecting")
        for name in SOURCES:
            source = sources.add_source(
                session, _arn("sqs", name), target=_target(name), by=ADA, now=now - timedelta(days=30)
            )
            causes = [cause for cause in CAUSES if cause.source == name]
            messages = [message for cause in causes for message in _messages(cause, now, share, chance)]
            store_messages(session, source.id, parse_batch(messages, source), now=now)
            _leave(session, source.id, name, now)
        keep_targets(session, "/", [_arn(*where) for cause in _of_different_functions() for where in _names(cause)])


def _of_different_functions() -> Iterable[CauseOfFailure]:
    return {cause.function: cause for cause in CAUSES}.values()


def _names(cause: CauseOfFailure) -> tuple[tuple[str, str], ...]:
    """Return what a discovery of the account would show of a cause's consumer: a function or a queue of that name."""
    return ("lambda", f"function:{cause.function}"), ("sqs", cause.function)


def _leave(session: Session, source_id: int, name: str, now: datetime) -> None:
    """Leave each source as a night leaves it: one quiet, one with a rest that expires soon, one that cannot be read."""
    depth = {"orders-capture-failures": 12, "orders-queue-dlq": 2041}.get(name, 0)
    sources.note_collected(session, source_id, now=now, oldest_sent_at=now - timedelta(days=13, hours=15))
    sources.note_state(session, source_id, SourceState(depth=depth, in_flight=0, retention_s=1_209_600), now)
    if name == "orders-queue-dlq":
        missing = f"The permission sqs:ReceiveMessage on {_arn('sqs', name)} is missing. Grant it to us."
        sources.note_error(session, source_id, missing, now - timedelta(minutes=9), now + timedelta(seconds=40))


def _messages(cause: CauseOfFailure, now: datetime, share: float, chance: random.Random) -> Iterator[ReceivedMessage]:
    for n in range(7000, 7000 + max(1, round(cause.n * share))):
        at = now - _age(cause, chance)
        sent = {"SentTimestamp": str(int(at.timestamp() * 1000)), "ApproximateReceiveCount": "1"}
        order = json.dumps(_order(n, chance))
        if cause.error_type is None:
            queue = {"DeadLetterQueueSourceArn": _arn("sqs", cause.function)}
            yield ReceivedMessage(str(_uuid(chance)), order, sent | queue)
        else:
            yield ReceivedMessage(str(_uuid(chance)), _record(cause, order, n, at, chance), sent)


def _order(n: int, chance: random.Random) -> dict[str, object]:
    return {
        "orderId": f"ord-{n}",
        "amount": {"currency": "EUR", "value": round(chance.uniform(5, 90), 2)},
        "card": {"number": "4111111111111111", "holder": "A. Lovelace"},
        "items": [{"sku": f"A-{chance.randrange(99)}", "qty": 1 + chance.randrange(3), "gift": False}],
        "password": "hunter2",
    }


def _record(cause: CauseOfFailure, order: str, n: int, at: datetime, chance: random.Random) -> str:
    """Return Lambda's on-failure record of one order."""
    request_id = str(_uuid(chance))
    error = {
        "errorMessage": cause.message.format(n=n, code=50 + chance.randrange(5), id=request_id),
        "errorType": cause.error_type,
        "stackTrace": cause.stack,
    }
    record = {
        "version": "1.0",
        "timestamp": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "requestContext": {
            "requestId": request_id,
            "functionArn": f"{_arn('lambda', 'function:' + cause.function)}:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": json.loads(order),
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": error,
    }
    return json.dumps(record)


def _age(cause: CauseOfFailure, chance: random.Random) -> timedelta:
    if cause.peak_h is None:
        return timedelta(hours=chance.uniform(0.1, WEEK_H))
    return timedelta(hours=cause.peak_h * math.exp(chance.gauss(0, 0.35)))


def _target(name: str) -> TargetRef | None:
    capture = TargetRef(TargetKind.LAMBDA, _arn("lambda", "function:orders-capture"))
    return capture if "capture" in name else None


def _arn(service: str, name: str) -> str:
    return ACCOUNT.format(service, name)


def _uuid(chance: random.Random) -> UUID:
    return UUID(int=chance.getrandbits(128), version=4)


if __name__ == "__main__":
    chosen = Settings(data_dir=Path(sys.argv[1]))
    upgrade(chosen)
    seed(make_engine(chosen), now=datetime.now(tz=UTC))
