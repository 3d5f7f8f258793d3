"""Check what is kept as a count against the rows, and set right what is not true."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from deadletter.actor import Actor
from deadletter.event import ReceivedMessage
from deadletter.parse import parse_message
from deadletter.store import audit, read, write
from deadletter.store.check import Difference, recount
from deadletter.store.models import Event, Record
from deadletter.store.repair import hold_writers, index, records_of, repair

_ROUNDS = 100
"""Times `check.MOST` differences: more than a million, and the cause should be found before the rest is mended."""


@dataclass(frozen=True, slots=True)
class Repaired:
    """What was set right, by what it is, and what needs a person."""

    counts: Counter[str]
    left: Sequence[Difference]


def check(engine: Engine) -> list[Difference]:
    """Count everything again in one snapshot; nobody waits for it. Return what differs, the first `check.MOST`."""
    with read(engine) as session:
        return recount(session)


def repair_all(engine: Engine, *, by: Actor, now: datetime) -> Repaired:
    """Count and set right in one transaction that keeps other writers waiting, and note it in the audit trail.

    Raises:
        OperationalError: Other writers did not let go of the tables in time; nothing has changed.
    """
    done = Counter[str]()
    with write(engine) as session:
        hold_writers(session)
        left = _repair(session, done)
        for what, count in sorted(done.items()):
            audit.note(session, by, "repair", "database", "", details={"what": what, "count": count}, now=now)
    return Repaired(done, left)


def _repair(session: Session, done: Counter[str]) -> Sequence[Difference]:
    """Repair until nothing is left that can be: one round may bring out more, such as a status by new counts."""
    left: Sequence[Difference] = []
    for _ in range(_ROUNDS):
        found = recount(session)
        left = [each for each in repair(session, found) if not (each.what == "search" and _index(session, each.key[0]))]
        mended = Counter(each.what for each in found) - Counter(each.what for each in left)
        done.update(mended)
        if not mended:
            break
    return left


def _index(session: Session, event_id: int) -> bool:
    """Let an event be found by what its records say; return whether there is such an event."""
    event = session.get(Event, event_id)
    if event is None:
        return False
    said = (event.error_type, event.error_message, event.label, event.request_id)
    payloads = [parse_message(_message(row)).payload_text for row in records_of(session, event_id)]
    index(session, event_id, " ".join(filter(None, (*said, *payloads))))
    return True


def _message(row: Record) -> ReceivedMessage:
    body = row.body.decode("utf-8", "surrogatepass")
    return ReceivedMessage(row.message_id, body, row.attributes, row.message_attributes)
