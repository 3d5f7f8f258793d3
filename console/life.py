"""An event's life as its page tells it: failed, seen by a second record, redriven, failed again or succeeded. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from deadletter import parse
from deadletter.event import FailedEvent, ReceivedMessage, name_of
from deadletter.outcome import Outcome
from deadletter.store.audit import AuditRow
from deadletter.store.rows import EventDetail, ItemRow, RecordRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that happened: when, in which words, how it reads (bad, good, busy, warn, none), and what to see there.

    `redrive_id` and `group_id` are what the step links to; `error` is the failure's own text, not yet redacted.
    """

    at: datetime | None
    what: str
    tone: str
    note: str | None = None
    error: str | None = None
    redrive_id: int | None = None
    group_id: int | None = None
    group_title: str | None = None


def read_record(record: RecordRow) -> FailedEvent:
    """Read a stored record again: what is derived can always be computed from what AWS wrote."""
    return parse.parse_message(
        ReceivedMessage(record.message_id, record.body, record.attributes, record.message_attributes)
    )


def latest_failure(detail: EventDetail) -> FailedEvent:
    """Return the facts of the event's latest failure: its last redrive's answer, else the record that says most."""
    told = read_record(detail.main)
    again = [item for item in detail.items if item.outcome is Outcome.FAILED_AGAIN]
    if again and again[-1].record_id is None:
        return _with_error(told, again[-1])
    if again:
        newer = next((record for record in detail.records if record.id == again[-1].record_id), detail.main)
        return read_record(newer)
    return told


def steps(detail: EventDetail, acts: Sequence[AuditRow] = ()) -> list[Step]:
    """Return the event's life, oldest first: failures, redrives, and *acts*, what people did to it besides.

    A failure after a redrive is told once: with the redrive that it ended.
    """
    told_by_items = {item.record_id for item in detail.items}
    happened = [*_failures(detail.records, told_by_items), *_redrives(detail), *map(_act, acts)]
    return sorted(happened, key=lambda step: (step.at is None, step.at))


def _with_error(told: FailedEvent, item: ItemRow) -> FailedEvent:
    stack = tuple(item.stack_trace) if item.stack_trace is not None else None
    return replace(
        told,
        error_type=item.error_type,
        error_message=item.error_message,
        stack_trace=stack,
        occurred_at=item.settled_at,
    )


def _failures(records: Sequence[RecordRow], told: set[int | None]) -> Iterator[Step]:
    for record in records:
        if record.id in told:
            continue
        if not record.is_failure:
            what = f"the same failure, told by {record.source_name} too"
            yield Step(at=record.collected_at, what=what, tone="none", note=f"as {record.producer}; counted once")
            continue
        said = read_record(record)
        yield Step(at=record.occurred_at, what="failed", tone="bad", note=_attempts(said), error=error_line(said))
        yield Step(at=record.collected_at, what=f"collected from {record.source_name}", tone="none")


def _redrives(detail: EventDetail) -> Iterator[Step]:
    group = detail.records[0].group_id if detail.records else detail.event.group_id
    for item in detail.items:
        target = f"to {name_of(item.target_arn)}" if item.target_arn else None
        done = "edited and redriven" if item.edited else "redriven"
        what = f"{done} by {item.asked_by}" if item.sent_at else f"planned for a redrive by {item.asked_by}"
        yield Step(at=item.sent_at, what=what, tone="busy", note=target, redrive_id=item.redrive_id)
        if item.outcome not in {Outcome.WAITING, Outcome.SENDING}:
            yield _outcome(item, same_cause=item.group_id == group)
        group = item.group_id or group


_DONE = {"archive": "archived", "unarchive": "brought back", "check": "looked for evidence", "send-again": "sent again"}


def _act(entry: AuditRow) -> Step:
    found = entry.details.get("found")
    what = f"{_DONE.get(entry.verb, entry.verb)} by {entry.who}"
    return Step(at=entry.at, what=what, tone="none", note=str(found) if found else None)


def _outcome(item: ItemRow, *, same_cause: bool) -> Step:
    tones = {Outcome.SUCCEEDED: "good", Outcome.FAILED_AGAIN: "bad", Outcome.UNKNOWN: "warn", Outcome.SENT: "busy"}
    what = "sent, outcome awaited" if item.outcome is Outcome.SENT else item.outcome.words
    if item.outcome is Outcome.FAILED_AGAIN:
        what += " with the same error" if same_cause else " with another error"
    return Step(
        at=item.settled_at or item.sent_at,
        what=what,
        tone=tones.get(item.outcome, "none"),
        note=item.evidence or item.reason,
        error=joined(item.error_type, item.error_message) if item.outcome is Outcome.FAILED_AGAIN else None,
        redrive_id=item.redrive_id,
        group_id=item.group_id,
        group_title=item.group_title,
    )


def error_line(event: FailedEvent) -> str | None:
    """Return ``Type: message``, as much of it as is known."""
    return joined(event.error_type, event.error_message)


def joined(error_type: str | None, message: str | None) -> str | None:
    """Return ``Type: message``, or the one that is known, or None."""
    return ": ".join(part for part in (error_type, message) if part) or None


def _attempts(event: FailedEvent) -> str | None:
    if event.invoke_count is None:
        return event.condition
    tries = "once" if event.invoke_count == 1 else f"{event.invoke_count} times"
    return f"AWS tried {tries}" + (f", then gave up: {event.condition}" if event.condition else "")
