"""What tests of redrives do over and over: store failures, plan, start, claim, report, look again later."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import Engine, select

from deadletter import redrive
from deadletter.event import Cause
from deadletter.filters import EventFilter
from deadletter.fingerprint import fingerprint
from deadletter.manner import AT_ONCE
from deadletter.outcome import Outcome
from deadletter.settings import Settings
from deadletter.store import models, read, write
from deadletter.store.check import recount
from deadletter.store.redrives import get_redrive, list_items
from deadletter.store.redrives.claims import Claimed, claim
from deadletter.store.redrives.outcomes import Report, record
from deadletter.store.redrives.tending import tend
from deadletter.store.redrives.workers import heartbeat
from deadletter.store.rows import ItemRow, RedriveRow
from deadletter.store.sources import list_sources, note_collected
from tests.factories import ADA, ANYWHERE, FUNCTION, NOW, make_parsed, store_some

SETTINGS = Settings(rate=1_000.0, settle_s=60.0, allowed_targets=ANYWHERE)
FIXED = {"asked_by": ADA, "manner": AT_ONCE, "settings": SETTINGS, "now": NOW}


def store(engine: Engine, count: int, **facts: Any) -> list[int]:
    """Store *count* failed events, the first of them the oldest; return their ids."""
    with write(engine) as session:
        parsed = [
            make_parsed(occurred_at=NOW - timedelta(hours=1) + timedelta(seconds=n), **facts) for n in range(count)
        ]
        store_some(session, *parsed)
        records = [each.message.message_id for each in parsed]
        found = select(models.Record.message_id, models.Record.event_id).where(models.Record.message_id.in_(records))
        ids = dict(session.execute(found).all())
        return [ids[message_id] for message_id in records]


def plan(engine: Engine, selection: EventFilter | list[int] | None = None, **given: Any) -> RedriveRow:
    redrive_id = redrive.create_plan(engine, EventFilter() if selection is None else selection, **FIXED | given)
    return show(engine, redrive_id)


def run(engine: Engine, selection: EventFilter | list[int] | None = None, **given: Any) -> RedriveRow:
    planned = plan(engine, selection, **given)
    return redrive.start(engine, planned.id, digest=planned.digest, started_by=ADA, now=NOW)


def show(engine: Engine, redrive_id: int) -> RedriveRow:
    with read(engine) as session:
        return get_redrive(session, redrive_id)


def items(engine: Engine, redrive_id: int) -> list[ItemRow]:
    with read(engine) as session:
        return list(list_items(session, redrive_id, limit=1_000).rows)


def event(engine: Engine, event_id: int) -> models.Event:
    with read(engine) as session:
        return session.get_one(models.Event, event_id)


def take(
    engine: Engine, redrive_id: int, most: int = 100, *, worker: str = "w1", later_s: float = 0.0
) -> list[Claimed]:
    now = NOW + timedelta(seconds=later_s)
    with write(engine) as session:
        heartbeat(session, worker, started_at=NOW, now=now, doing="")
        return claim(session, redrive_id, worker=worker, most=most, now=now)


def report(claimed: Claimed, outcome: Outcome, **given: Any) -> Report:
    target_arn = claimed.target.arn
    return Report(position=claimed.position, event_id=claimed.event_id, target_arn=target_arn, outcome=outcome, **given)


def tell(engine: Engine, redrive_id: int, *reports: Report, worker: str = "w1", later_s: float = 1.0) -> None:
    with write(engine) as session:
        record(session, redrive_id, reports, worker=worker, now=NOW + timedelta(seconds=later_s))


def look(engine: Engine, redrive_id: int, *, later_s: float, lease_s: float = 30.0) -> int:
    """Let time do what it does, every source having been read just now."""
    now = NOW + timedelta(seconds=later_s)
    with write(engine) as session:
        for source in list_sources(session, now=now):
            note_collected(session, source.id, now=now)
        return tend(session, redrive_id, lease_s=lease_s, now=now)


DECLINED = fingerprint(Cause(function_arn=FUNCTION, error_type="PaymentError", error_message="card was declined"))
OTHER = fingerprint(Cause(function_arn=FUNCTION, error_type="KeyError", error_message="'shippingAddress'"))


def check_counters(engine: Engine) -> None:
    """Assert that every count that is kept is what the rows say."""
    with read(engine) as session:
        assert recount(session) == []
