"""What stands around redrives: workers, targets with their rules, the account's map, and groups in people's hands."""

from __future__ import annotations

from datetime import timedelta

from deadletter.aws.discovery import Scan
from deadletter.discovery.account import Account, Function, Queue, SourceMapping
from deadletter.event import ReceivedMessage
from deadletter.filters import EventFilter
from deadletter.preflight import Rules
from deadletter.scouting import Scout
from deadletter.settings import Settings
from deadletter.store import read, triage, write
from deadletter.store.discoveries import ask_discovery
from deadletter.store.queries import list_groups
from deadletter.store.redrives.workers import heartbeat
from deadletter.store.targets import set_rules
from tests.factories import ACCOUNT, ADA, FUNCTION, GRACE, make_id
from tests.fakes import FakeClock
from tests.rows import make_body
from tests.states.night import WORKER, Night

RULES = Rules(
    table="orders-idempotency",
    prefix="orders-capture.app.lambda_handler",
    key_path="orderId",
    validation_path="amount.value",
)
_DOES = {
    "collecting": {ACCOUNT.format("sqs", "orders-capture-failures"): 812.5},
    "sending": {FUNCTION: {"per_second": 19.8, "calls": 2}},
    "threads": [
        {"name": "receiver 1", "doing": "receiving from orders-capture-failures", "for_s": 3.2},
        {"name": "committer", "doing": "storing 96", "for_s": 0.1},
        {"name": "call 0", "doing": "sending 1 to orders-capture", "for_s": 1.5},
    ],
}
_REFUSED = "pipes:ListPipes was refused once, which hides every pipe with its dead-letter queue. (AWS: no)"
_NOTE = "The bank's sandbox certificate ran out; ticket PAY-1204.\nRedrive once they say that it is back."
_STANDING = {
    "unresolved": "PaymentError",
    "snoozed": "ThrottlingException",
    "archived": "ValidationError",
    "regressed": "KeyError",
}
"""Which cause of the bad week stands where."""


def workers(night: Night) -> None:
    """One that works, one that helps it, and one that was lost."""
    began, silent = night.now - timedelta(hours=5), night.now - timedelta(minutes=9)
    with write(night.engine) as session:
        heartbeat(session, WORKER, started_at=began, now=night.now, doing="collecting and redriving", activity=_DOES)
        helps = {"doing": "helping to collect", "lead": WORKER}
        heartbeat(session, "ip-10-0-3-7:9:b771", started_at=began, now=night.now, **helps)
        heartbeat(session, "ip-10-0-3-8:7:90c1", started_at=began, now=silent, doing="collecting and redriving")


def targets(night: Night) -> None:
    """Two with rules, one of which is to be warned of."""
    whole = Rules(table="orders-idempotency", prefix="orders-fulfil.handler.fulfil", data_path="Records[*]")
    with write(night.engine) as session:
        set_rules(session, FUNCTION, RULES, by=ADA, now=night.now)
        set_rules(session, ACCOUNT.format("lambda", "function:orders-fulfil"), whole, by=GRACE, now=night.now)


def map_of_account(night: Night) -> None:
    """Read an account with places of every kind, with gaps, and with something that may not be read."""
    with write(night.engine) as session:
        ask_discovery(session, by=ADA, now=night.now)
    scan = Scan(_account(), (_REFUSED,), 112, 22.4)
    Scout(night.engine, Settings(), WORKER, FakeClock(night.now), lambda: False, lambda *_, **__: scan).turn()


def groups(night: Night) -> None:
    """One with somebody on it and a note, one snoozed, one archived, one that failed anew after it was resolved."""
    with read(night.engine) as session:
        rows = list_groups(session, EventFilter(), now=night.now, limit=50, sort="events").rows
        night.groups = {at: next(row.id for row in rows if row.title == title) for at, title in _STANDING.items()}
    who, later = {"by": GRACE, "now": night.now - timedelta(minutes=30)}, night.now + timedelta(hours=6)
    with write(night.engine) as session:
        triage.assign(session, night.groups["unresolved"], "grace", **who)
        triage.add_note(session, night.groups["unresolved"], _NOTE, **who)
        triage.snooze(session, night.groups["snoozed"], until=later, failures=50, **who)
        triage.archive(session, night.groups["archived"], **who)
        triage.resolve(session, night.groups["regressed"], **who)
    frame = "  File \"/var/task/notify.py\", line 12, in lambda_handler\n    to = event['shippingAddress']"
    at, error = night.now - timedelta(minutes=3), ("KeyError", "'shippingAddress'")
    body = make_body({"orderId": "ord-anew"}, stack=(frame,), request_id=make_id(), error=error, at=at)
    message = ReceivedMessage(make_id(), body.replace("orders-capture", "orders-notify"))
    night.store("orders-notify-failures", "regressed", message)


def _account() -> Account:
    function, queue = ACCOUNT.format("lambda", "function:{}").format, ACCOUNT.format("sqs", "{}").format
    return Account(
        functions=(
            Function(arn=function("orders-capture"), dead_letter_arn=queue("orders-capture-failures")),
            Function(arn=function("invoices-render"), dead_letter_arn=queue("shared-dlq")),
            Function(arn=function("nightly-report"), dead_letter_arn=queue("shared-dlq")),
            Function(arn=function("stock-sync"), dead_letter_arn=queue("stock-sync-dlq")),
            Function(arn=function("thumbnails")),
            Function(arn=function("newsletter-with-a-very-long-name-that-has-to-wrap-somewhere")),
        ),
        queues=(Queue(arn=queue("orders-queue")), Queue(arn=queue("stock-queue"))),
        mappings=(SourceMapping(uuid="m", function_arn=function("orders-capture"), source_arn=queue("orders-queue")),),
    )
