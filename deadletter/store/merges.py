"""Two records of one failure: a DLQ's message and a destination's record of the same invocation are one event.

Whichever comes first, the event ends up the same: the record that says more about the failure gives the facts and
counts as the failure, and a record that holds the payload gives what is sent again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from deadletter.outcome import EventStatus
from deadletter.store import search
from deadletter.store.counters import Deltas
from deadletter.store.groups import ensure_groups
from deadletter.store.incoming import CAUSE, PAYLOAD, Incoming, richness
from deadletter.store.models import Event, Record
from deadletter.store.rowset import lock_events, parts, table_of, update_rows

_TIMES = ("occurred_at", "last_failed_at")

Row = dict[str, Any]
Merged = tuple[Incoming, int]
"""A message, and the id of the event that it is another record of."""


def merge(session: Session, merged: Sequence[Merged], deltas: Deltas, now: datetime) -> None:
    """Merge messages, whose records are stored already (as no failures), into their events."""
    if not merged:
        return
    events = lock_events(session, [event_id for _, event_id in merged])
    _find_groups(session, [message for message, event_id in merged if _tells_more(message, events[event_id])], now)
    told = _told(session, merged)
    records = {row["id"]: row for row in (*told.values(), *(message.record for message, _ in merged))}
    texts = dict.fromkeys(events, "")
    for message, event_id in merged:
        first = told.get((event_id, message.request_id))
        texts[event_id] += " " + _merge(events[event_id], first, message, deltas)
        if message.record["is_failure"]:
            told[event_id, message.request_id] = message.record
    update_rows(session, Event, list(events.values()), (*CAUSE, *PAYLOAD, *_TIMES), ["id"])
    update_rows(session, Record, list(records.values()), ("group_id", "is_failure"), ["id"])
    search.extend(session, {event_id: text for event_id, text in texts.items() if not text.isspace()})


def _tells_more(message: Incoming, event: Row) -> bool:
    return richness(message.event) > richness(event)


def _find_groups(session: Session, messages: Sequence[Incoming], now: datetime) -> None:
    causes = [(each.parsed.fingerprint, each.event["occurred_at"]) for each in messages]
    groups = ensure_groups(session, causes, now=now)
    for message in messages:
        message.event["group_id"] = groups[message.parsed.fingerprint.value]


def _told(session: Session, merged: Sequence[Merged]) -> dict[tuple[int, str | None], Row]:
    """Return the records that told of the same failures before, by event and request id."""
    record = table_of(Record).c
    columns = (record.id, record.event_id, record.request_id, record.source_id, record.group_id, record.occurred_at)
    found: dict[tuple[int, str | None], Row] = {}
    for some in parts({message.request_id for message, _ in merged if message.request_id}):
        for row in session.execute(select(*columns).where(record.request_id.in_(some), record.is_failure)).mappings():
            found[row["event_id"], row["request_id"]] = {**row, "is_failure": True}
    return found


def _merge(event: Row, first: Row | None, message: Incoming, deltas: Deltas) -> str:
    """Change the rows in memory, and count what changes; return the words by which the event was not found before."""
    news = ""
    message.record["group_id"] = first["group_id"] if first else event["group_id"]
    tells_more = first is not None and _tells_more(message, event) and _is_latest(first, event)
    if first is not None and tells_more:
        news = message.error_text
        _replace_cause(event, first, message, deltas)
    if message.event["payload_digest"] and (tells_more or not event["payload_digest"]):
        news = news if event["payload_digest"] else message.search_text
        event |= {name: message.event[name] for name in PAYLOAD}
    return news


def _is_latest(record: Row, event: Row) -> bool:
    """Return whether the event's facts are those of this record's failure, and not of a later one."""
    return bool(record["occurred_at"] == event["last_failed_at"] and record["group_id"] == event["group_id"])


def _replace_cause(event: Row, first: Row, message: Incoming, deltas: Deltas) -> None:
    """Let *message* count as the failure, in its group, at its time, by its source; and *first* no more."""
    status, facts = EventStatus(event["status"]), message.event
    deltas.failed(first["group_id"], first["source_id"], first["occurred_at"], -1)
    deltas.failed(facts["group_id"], facts["source_id"], facts["occurred_at"])
    for row, n in ((event, -1), (facts, 1)):
        deltas.count(row["group_id"], status, n)
        deltas.belongs(row["group_id"], row["source_id"], row["producer"], n)
    event |= {name: facts[name] for name in CAUSE}
    for name in _TIMES if event["failures"] == 1 else ("last_failed_at",):
        event[name] = facts["occurred_at"]
    first["is_failure"], message.record["is_failure"] = False, True
    first["group_id"] = message.record["group_id"] = facts["group_id"]
