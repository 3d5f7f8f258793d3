"""Looking for evidence of what became of events whose outcome is unknown. Without any, nothing is changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

from deadletter.actor import Actor
from deadletter.errors import NotFound
from deadletter.outcome import Outcome
from deadletter.ports import OpenRecords
from deadletter.preflight import Protection
from deadletter.redrive.preflight import Checked
from deadletter.redrive.preflight import check as look_up_records
from deadletter.store import read, write
from deadletter.store.audit import note
from deadletter.store.redrives.doubts import DoubtRow, came_back, list_doubts, settle_done, twins_of

MOST_CHECKED = 500
"""Events that one check looks at."""

DONE = "The handler's idempotency record says that it is done."


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found of one event. `outcome` is `unknown` still where nothing proves anything; `said` is why."""

    event_id: int
    outcome: Outcome
    said: str
    twin_id: int | None = None
    """Another event with the same payload that failed after the sending: perhaps this one. A person decides."""


def check(
    engine: Engine, event_ids: Sequence[int], *, open_records: OpenRecords | None, by: Actor, now: datetime
) -> list[Finding]:
    """Look for evidence of what became of events whose last outcome is unknown, and write down what is proven.

    Proof is: it came back into a source with the id that the redrive got (it failed again), or its handler's own
    idempotency record says that it is done (it succeeded).

    Args:
        engine: The database.
        event_ids: Which events; at most `MOST_CHECKED`.
        open_records: Opens the handlers' idempotency records; None: they are not looked at.
        by: Who asks, for the audit trail.
        now: The time now, UTC.

    Raises:
        NotFound: None of them has an unknown outcome (any more).
    """
    with read(engine) as session:
        doubts = list_doubts(session, event_ids=list(event_ids)[:MOST_CHECKED], limit=MOST_CHECKED).rows
        if not doubts:
            raise NotFound("None of these events has an unknown outcome: it was settled meanwhile, or never was.")
        targets = {doubt.event_id: doubt.target for doubt in doubts if doubt.target}
        records = look_up_records(session, targets, open_records, edited={}, now=now) if open_records else {}
        twins = twins_of(session, doubts)
    with write(engine) as session:
        again = came_back(session, doubts, now=now)
        found = []
        for doubt in doubts:
            done = _is_done(records.get(doubt.event_id)) and doubt.event_id not in again
            settled = done and settle_done(session, doubt, DONE, now=now)
            finding = _finding(doubt, records.get(doubt.event_id), again, twins.get(doubt.event_id), done=settled)
            details = {"outcome": finding.outcome.words, "found": finding.said, "redrive": doubt.redrive_id}
            note(session, by, "check", "event", doubt.event_id, details=details, now=now)
            found.append(finding)
        return found


def _is_done(checked: Checked | None) -> bool:
    return checked is not None and checked.state is Protection.DONE


def _finding(doubt: DoubtRow, checked: Checked | None, again: set[int], twin_id: int | None, *, done: bool) -> Finding:
    if doubt.event_id in again:
        return Finding(doubt.event_id, Outcome.FAILED_AGAIN, "It came back into a source: it failed again.")
    if done:
        return Finding(doubt.event_id, Outcome.SUCCEEDED, DONE)
    return Finding(doubt.event_id, Outcome.UNKNOWN, " ".join(_hints(doubt, checked, twin_id)), twin_id)


def _hints(doubt: DoubtRow, checked: Checked | None, twin_id: int | None) -> list[str]:
    """Return what is known, and proves nothing."""
    hints = ["It has not come back into any source under the id that it got." if doubt.sent_id else _NO_ID]
    if checked is None:
        hints.append("Its target has no idempotency settings, so no record can be asked.")
    else:
        hints.append(f"The handler's idempotency record: {checked.state.words}. {checked.reason or ''}".strip())
    if twin_id is not None:
        hints.append(f"Event {twin_id} has the same payload and failed after the sending: it may be this one.")
    return hints


_NO_ID = "The answer with its id was lost, so its return could not be recognised."
