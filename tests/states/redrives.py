"""Redrives in every state that they can be in, by what became of their events."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from deadletter import redrive
from deadletter.approval import ApprovalRules
from deadletter.editing.transforms import parse_transform
from deadletter.event import Cause
from deadletter.filters import EventFilter
from deadletter.fingerprint import fingerprint
from deadletter.manner import Manner
from deadletter.outcome import EventStatus, Outcome
from deadletter.preflight import Record, Rules
from deadletter.settings import Settings
from deadletter.store import read, write
from deadletter.store.queries import list_events
from deadletter.store.redrives import get_redrive
from deadletter.store.redrives.claims import Claimed, claim
from deadletter.store.redrives.outcomes import Report, record
from tests.factories import ADA, ANYWHERE, FUNCTION, GRACE
from tests.states.night import WORKER, Night

PATCH = '[{"op": "replace", "path": "/amount/currency", "value": "USD"}, {"op": "remove", "path": "/items"}]'
_SETTINGS = Settings(rate=50.0, settle_s=360.0, allowed_targets=ANYWHERE)
_GUARDED = replace(_SETTINGS, approval=ApprovalRules(targets=("*:orders-capture",)))
_STEPS = 60


def _failing(error_type: str, message: str) -> dict[str, Any]:
    cause = Cause(function_arn=FUNCTION, error_type=error_type, error_message=message)
    return {"error_type": error_type, "error_message": message, "fingerprint": fingerprint(cause)}


_ENDS: Mapping[str, dict[str, Any]] = {
    "succeeded": {"outcome": Outcome.SUCCEEDED, "evidence": "The function answered without an error."},
    "declined": {
        "outcome": Outcome.FAILED_AGAIN,
        **_failing("PaymentError", "card declined for order ord-7003: issuer answered 51"),
    },
    "carrier": {
        "outcome": Outcome.FAILED_AGAIN,
        **_failing("ValidationError", "unknown carrier 'DHL2' in shipment of order ord-7004"),
    },
    "sent": {"outcome": Outcome.SENT},
    "unknown": {"outcome": Outcome.UNKNOWN, "reason": "The answer was lost: the connection ended before it came."},
}


class SomeRecords:
    """A handler's idempotency table in which every key has one of its possible states, by its last digits."""

    def __init__(self, now: datetime) -> None:
        later, before = int(now.timestamp()) + 9_000, int(now.timestamp()) - 9_000
        self._states = (
            None,
            Record("COMPLETED", later),
            Record("INPROGRESS", later, later * 1000),
            Record("INPROGRESS", later, before * 1000),
            Record("COMPLETED", before),
            Record("COMPLETED", later, validation="of another payload"),
        )

    def __call__(self, rules: Rules, target_arn: str) -> SomeRecords:
        assert rules.table
        assert target_arn
        return self

    def look_up(self, keys: Collection[str]) -> Mapping[str, Record]:
        chosen = {key: self._states[int(key[-4:], 16) % len(self._states)] for key in keys}
        return {key: found for key, found in chosen.items() if found}


def redrives(night: Night) -> None:
    """Plan one for each state, and let it get there."""
    made = night.redrives
    made["planned"] = _plan(night, 30, "orders-capture", open_records=SomeRecords(night.now))
    made["planned with an edit"] = _plan(night, 25, "orders-notify", edit=parse_transform(PATCH))
    made["awaiting approval"] = _plan(night, 12, "orders-capture", settings=_GUARDED)
    made["scheduled"] = _plan(night, 15, "orders-fulfil", manner=Manner(starts_at=night.now + timedelta(hours=3)))
    for name in ("awaiting approval", "scheduled"):
        _start(night, made[name])
    made["watching"] = _run(night, 8, ["succeeded"] * 5 + ["sent"] * 3, "orders-fulfil", invocation="Event")
    made["tripped"] = _run(night, 30, ["declined"] * 5, "orders-capture")
    made["paused"] = _run(night, 20, ["succeeded"] * 9, "orders-fulfil")
    redrive.pause(night.engine, made["paused"], by=GRACE, now=night.now)
    made["running"] = _run(night, 40, ["succeeded"] * 12 + ["carrier", "sent"], "orders-fulfil")
    ends = ["succeeded"] * 9 + ["carrier"] * 2 + ["unknown"]
    made["finished"] = _run(night, 12, ends, "orders-capture", manner=Manner(max_failures=1.0))
    made["cancelled"] = _run(night, 10, ["succeeded"] * 5, "orders-fulfil")
    redrive.cancel(night.engine, made["cancelled"], by=ADA, now=night.now)


def _plan(night: Night, most: int, function: str, **given: Any) -> int:
    facts = {"asked_by": ADA, "settings": _SETTINGS, "now": night.now - timedelta(minutes=20)}
    return redrive.create_plan(night.engine, _pick(night, most, function), **facts | given)


def _pick(night: Night, most: int, function: str) -> list[int]:
    """Return unresolved events of a function that no other redrive here has, at most so many."""
    chosen, cursor, found = EventFilter(status=EventStatus.UNRESOLVED, function=function), None, []
    with read(night.engine) as session:
        while len(found) < most:
            page = list_events(session, chosen, cursor=cursor, limit=200)
            found += [row.id for row in page.rows if row.redrivable == "yes" and row.id not in night.used]
            if (cursor := page.next_cursor) is None:
                break
    night.used.update(found[:most])
    return found[:most]


def _start(night: Night, redrive_id: int) -> None:
    with read(night.engine) as session:
        digest = get_redrive(session, redrive_id).digest
    at = night.now - timedelta(minutes=15)
    redrive.start(night.engine, redrive_id, digest=digest, started_by=ADA, now=at)


def _run(night: Night, most: int, ends: Sequence[str], function: str, **given: Any) -> int:
    """Start a redrive, and let as many of its events end as *ends* says, step by step."""
    redrive_id, rest = _plan(night, most, function, **given), list(ends)
    _start(night, redrive_id)
    for step in range(_STEPS):
        at = night.now - timedelta(minutes=14) + timedelta(seconds=10 * step)
        with write(night.engine) as session:
            claims = claim(session, redrive_id, worker=WORKER, most=min(5, len(rest)), now=at)
            record(session, redrive_id, [_report(each, rest.pop(0)) for each in claims], worker=WORKER, now=at)
        if not rest:
            break
    return redrive_id


def _report(claimed: Claimed, end: str) -> Report:
    at = {"position": claimed.position, "event_id": claimed.event_id, "target_arn": claimed.target.arn}
    return Report(**at, **_ENDS[end], sent_id=f"r-{claimed.redrive_id}-{claimed.position}" if end == "sent" else None)
