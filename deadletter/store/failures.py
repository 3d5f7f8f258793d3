"""An event fails again: it is one event still, with one failure more, perhaps of another cause."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from deadletter.fingerprint import Fingerprint, same_cause
from deadletter.outcome import EventStatus, Outcome
from deadletter.store import search
from deadletter.store.counters import Deltas
from deadletter.store.groups import ensure_groups
from deadletter.store.models import Event, Group, Record
from deadletter.store.moves import move_events
from deadletter.store.rowset import lock_events, table_of, update_rows
from deadletter.store.text import MAX_MESSAGE, MAX_NAME, kept

__all__ = ["FailedAgain", "fail_again", "move_events", "record_failures"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedAgain:
    """One more failure of a known event.

    `record_id` and `source_id` are of the message that told of it; None where the target's own answer did. `redrive_id`
    is the redrive that it failed in: an event that another one has claimed meanwhile stays claimed. `left_record_id` is
    the record of a message that was left in its queue, which drops it at `expires_at`.
    """

    event_id: int
    fingerprint: Fingerprint
    error_type: str | None
    error_message: str | None
    occurred_at: datetime
    record_id: int | None = None
    source_id: int | None = None
    redrive_id: int | None = None
    left_record_id: int | None = None
    expires_at: datetime | None = None


_CHANGED = (
    "group_id",
    "status",
    "redrive_id",
    "function_name",
    "error_type",
    "error_message",
    "last_failed_at",
    "failures",
    "last_outcome",
    "left_record_id",
    "expires_at",
)


def fail_again(session: Session, failures: Sequence[FailedAgain]) -> dict[int, int]:
    """Write down that events failed again: unresolved, released, one failure more; return each event's group by its id.

    The same cause stays in its group, another goes to the group of the new one. Counters follow.
    """
    deltas = Deltas()
    groups = record_failures(session, failures, deltas)
    deltas.write(session)
    return groups


def record_failures(session: Session, failures: Sequence[FailedAgain], deltas: Deltas) -> dict[int, int]:
    """Do what `fail_again` does, and leave the counters to the caller's *deltas*."""
    events = lock_events(session, [failure.event_id for failure in failures])
    groups = _Groups(session)
    groups.load(event["group_id"] for event in events.values())
    groups.make(failure for failure in failures if not groups.holds(events[failure.event_id]["group_id"], failure))
    texts: dict[int, str] = {}
    told: list[dict[str, Any]] = []
    for failure in failures:
        event = events[failure.event_id]
        texts[failure.event_id] = f"{texts.get(failure.event_id, '')} {_news(event, failure)}"
        group_id = groups.of(event["group_id"], failure)
        _fail(event, failure, group_id, deltas)
        if failure.record_id is not None:
            told.append({"id": failure.record_id, "group_id": group_id})
    update_rows(session, Event, list(events.values()), _CHANGED, ["id"])
    update_rows(session, Record, told, ["group_id"], ["id"])
    search.extend(session, {event_id: text for event_id, text in texts.items() if not text.isspace()})
    return {event_id: event["group_id"] for event_id, event in events.items()}


class _Groups:
    """The groups that a set of failures touches: what is known of each, and which one a failure belongs to."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._facts: dict[int, dict[str, Any]] = {}
        self._made: dict[str, int] = {}

    def load(self, group_ids: Iterable[int]) -> None:
        group = table_of(Group).c
        columns = (group.id, group.function_name, group.error_type, group.masked_message, group.frames)
        for row in self._session.execute(select(*columns).where(group.id.in_(set(group_ids)))):
            self._facts[row.id] = {
                "function_name": row.function_name,
                "error_type": row.error_type,
                "masked": row.masked_message,
                "frames": row.frames,
            }

    def make(self, failures: Iterable[FailedAgain]) -> None:
        causes = [(each.fingerprint, each.occurred_at) for each in failures]
        if causes:  # an answer told of the failure just then, or a message did, just collected
            self._made.update(ensure_groups(self._session, causes, now=max(at for _, at in causes)))
        self.load(self._made.values())

    def holds(self, group_id: int, failure: FailedAgain) -> bool:
        return same_cause(**self._facts[group_id], new=failure.fingerprint)

    def of(self, group_id: int, failure: FailedAgain) -> int:
        if self.holds(group_id, failure):
            return group_id
        if failure.fingerprint.value not in self._made:
            self.make([failure])
        return self._made[failure.fingerprint.value]


def _fail(event: dict[str, Any], failure: FailedAgain, group_id: int, deltas: Deltas) -> None:
    """Change *event*, a row in memory, and count what changes."""
    before, same = EventStatus(event["status"]), group_id == event["group_id"]
    claimed_by_another = failure.redrive_id is not None and event["redrive_id"] not in {None, failure.redrive_id}
    status = before if claimed_by_another else EventStatus.UNRESOLVED
    deltas.count(event["group_id"], before, -1)
    deltas.count(group_id, status, 1)
    deltas.belongs(event["group_id"], event["source_id"], event["producer"], -1)
    deltas.belongs(group_id, event["source_id"], event["producer"], 1)
    deltas.failed(group_id, failure.source_id, failure.occurred_at)
    error_type = kept(failure.error_type, MAX_NAME)
    event |= {
        "group_id": group_id,
        "status": status.value,
        "redrive_id": event["redrive_id"] if claimed_by_another else None,
        "function_name": event["function_name"] if same else kept(failure.fingerprint.function_name, MAX_NAME),
        "error_type": error_type or (event["error_type"] if same else None),
        "error_message": kept(failure.error_message, MAX_MESSAGE),
        "last_failed_at": failure.occurred_at,
        "failures": event["failures"] + 1,
        "last_outcome": Outcome.FAILED_AGAIN.value,
    }
    if failure.left_record_id is not None:
        event |= {"left_record_id": failure.left_record_id, "expires_at": failure.expires_at}


def _news(event: dict[str, Any], failure: FailedAgain) -> str:
    """Return the words by which the event was not found before."""
    parts = ((failure.error_type, event["error_type"]), (failure.error_message, event["error_message"]))
    return " ".join(new for new, old in parts if new and new != old)
