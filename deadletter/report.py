"""An incident's facts -> one report value: what failed, when, why, what was done about it, and what is left. Pure.

Whatever came from outside (messages, stacks, payloads) has its secrets masked here, once, for every format alike. The
names of the fields below are the keys of the JSON report.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from deadletter.event import FailedEvent, ReceivedMessage
from deadletter.filters import EventFilter
from deadletter.jsontext import decode
from deadletter.outcome import Outcome
from deadletter.parse import parse_message
from deadletter.redact import redact_json, redact_text
from deadletter.secret_rules import NO_RULES, SecretRules

if TYPE_CHECKING:  # the facts come as rows, and this module only reads their fields: it needs no database
    from deadletter.store.rows import EventDetail, RecordRow, RedriveRow, ReportCause, ReportFacts

MAX_MESSAGE_CHARS = 1_000
MAX_PAYLOAD_CHARS = 4_000
MAX_FRAMES = 30
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Clean = Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """How many events failed in the hour that begins at `since`; hours without a failure are left out."""

    since: datetime
    events: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionImpact:
    """A function (or a queue, where the function is not known): its events, and those still open."""

    name: str
    events: int
    open: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One failure of a cause, secrets masked.

    `payload` is the event as text, indented when it is JSON; None where the record does not hold it. Long texts are cut
    and say by how much.
    """

    event_id: int
    label: str | None
    request_id: str | None
    occurred_at: datetime
    error_type: str | None
    error_message: str | None
    stack_trace: tuple[str, ...]
    payload: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CauseImpact:
    """A group: its events within the report's time and filter, how many are open or resolved, and one as a sample."""

    group_id: int
    fingerprint: str
    title: str
    masked_message: str | None
    function_name: str
    error_type: str | None
    sources: tuple[str, ...]
    first_seen: datetime
    last_seen: datetime
    events: int
    open: int
    resolved: int
    sample: Sample | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RedriveEntry:
    """Who redrove what, when, where to, and what became of it. `sent` counts every event handed to the target.

    The counts are of the whole redrive, which may have held more than this report's events.
    """

    id: int
    title: str
    status: str
    asked_by: str
    planned_at: datetime
    started_by: str | None
    started_at: datetime | None
    finished_at: datetime | None
    cancelled_by: str | None
    targets: tuple[str, ...]
    invocation: str
    rate: float
    planned: int
    sent: int
    succeeded: int
    failed_again: int
    skipped: int
    unknown: int
    waiting: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """Something that is not over: of how many events, and a sentence that says what it means."""

    kind: str
    events: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that an incident review reads. Times are UTC, `since <= failed < until`."""

    since: datetime
    until: datetime
    made_at: datetime
    made_by: str
    filter: Mapping[str, str]
    """What narrows the report besides its time: names and values, as in the page's address."""
    headline: str
    events: int
    unresolved: int
    redriving: int
    resolved: int
    archived: int
    hours: tuple[Hour, ...]
    functions: tuple[FunctionImpact, ...]
    causes: tuple[CauseImpact, ...]
    """The causes with most events, most first."""
    events_of_other_causes: int
    redrives: tuple[RedriveEntry, ...]
    outcomes: Mapping[str, int]
    """What became of the report's events in their redrives; an event redriven twice counts twice."""
    risks: tuple[Risk, ...]


def make_report(
    facts: ReportFacts,
    *,
    chosen: EventFilter,
    made_at: datetime,
    made_by: str,
    secrets: SecretRules = NO_RULES,
) -> Report:
    """Return the report of *facts*, which were read by *chosen*. Pure: the time and the name are handed in."""
    clean = partial(redact_text, rules=secrets)
    narrowed = chosen.with_(since=None, until=None)
    return Report(
        since=facts.since,
        until=facts.until,
        made_at=made_at,
        made_by=made_by,
        filter={name: clean(value) for name, value in narrowed.parts()},
        headline=_headline(facts),
        events=facts.events,
        unresolved=facts.counts.unresolved,
        redriving=facts.counts.redriving,
        resolved=facts.counts.resolved,
        archived=facts.counts.archived,
        hours=tuple(Hour(since=_EPOCH + timedelta(hours=hour), events=n) for hour, n in facts.hours),
        functions=tuple(FunctionImpact(name=name, events=n, open=left) for name, n, left in facts.functions),
        causes=tuple(_cause(cause, clean, secrets) for cause in facts.causes),
        events_of_other_causes=max(0, facts.events - sum(cause.events for cause in facts.causes)),
        redrives=tuple(_entry(row, clean) for row in facts.redrives),
        outcomes=dict(facts.outcomes),
        risks=tuple(_risks(facts)),
    )


def _headline(facts: ReportFacts) -> str:
    counts = facts.counts
    if not facts.events:
        return "Nothing failed in this time that matches."
    parts = [
        (counts.resolved, "resolved"),
        (counts.redriving, "being redriven"),
        (counts.archived, "archived"),
        (counts.unresolved, "still open"),
    ]
    said = ", ".join(f"{n:,} {words}" for n, words in parts if n)
    return f"{_events(facts.events)} failed: {said}."


def _events(n: int) -> str:
    return f"{n:,} event" + ("" if n == 1 else "s")


def _cause(cause: ReportCause, clean: Clean, secrets: SecretRules) -> CauseImpact:
    group = cause.group
    return CauseImpact(
        group_id=group.id,
        fingerprint=group.fingerprint,
        title=clean(group.title),
        masked_message=None if group.masked_message is None else _cut(clean(group.masked_message), MAX_MESSAGE_CHARS),
        function_name=group.function_name,
        error_type=group.error_type and clean(group.error_type),
        sources=tuple(group.sources),
        first_seen=group.first_seen,
        last_seen=group.last_seen,
        events=cause.events,
        open=cause.open,
        resolved=cause.resolved,
        sample=None if cause.sample is None else _sample(cause.sample, clean, secrets),
    )


def _sample(detail: EventDetail, clean: Clean, secrets: SecretRules) -> Sample:
    event = detail.event
    message = event.error_message
    return Sample(
        event_id=event.id,
        label=event.label and clean(event.label),
        request_id=event.request_id,
        occurred_at=event.occurred_at,
        error_type=event.error_type and clean(event.error_type),
        error_message=None if message is None else _cut(clean(message), MAX_MESSAGE_CHARS),
        stack_trace=_frames(_latest_stack(detail), clean),
        payload=_payload(_parse(detail.main).payload_text, clean, secrets),
    )


def _latest_stack(detail: EventDetail) -> Sequence[str]:
    """Return the stack of the failure whose error the event shows: after a redrive, of the one that came back."""
    again = next((item for item in reversed(detail.items) if item.outcome is Outcome.FAILED_AGAIN), None)
    if again is None:
        return _parse(detail.main).stack_trace or ()
    record = next((record for record in detail.records if record.id == again.record_id), None)
    return again.stack_trace or (record and _parse(record).stack_trace) or ()


def _parse(record: RecordRow) -> FailedEvent:
    return parse_message(
        ReceivedMessage(record.message_id, record.body, record.attributes, record.message_attributes),
    )


def _frames(stack: Sequence[str], clean: Clean) -> tuple[str, ...]:
    # The last frames are where it failed.
    kept = tuple(_cut(clean(frame.rstrip("\n")), MAX_MESSAGE_CHARS) for frame in stack[-MAX_FRAMES:])
    left_out = len(stack) - len(kept)
    return (f"({left_out:,} outer frames left out)", *kept) if left_out else kept


def _payload(text: str | None, clean: Clean, secrets: SecretRules) -> str | None:
    if text is None:
        return None
    is_json, value = decode(text)
    safe = json.dumps(redact_json(value, secrets), indent=2, ensure_ascii=False) if is_json else clean(text)
    return _cut(safe, MAX_PAYLOAD_CHARS)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text) - limit:,} more characters)"


def _entry(row: RedriveRow, clean: Clean) -> RedriveEntry:
    own = {field.name: getattr(row, field.name) for field in fields(RedriveEntry) if field.name not in _ENTRY_DERIVED}
    targets = tuple(f"{line['count']:,} to {line['arn']}" for line in row.targets)
    # Sending is between two counts; for a reader it is not sent before its answer is known.
    return RedriveEntry(
        **own | {"title": clean(row.title)}, targets=targets, sent=row.ever_sent, waiting=row.waiting + row.sending
    )


_ENTRY_DERIVED = frozenset({"targets", "sent", "waiting"})


def _risks(facts: ReportFacts) -> list[Risk]:
    shown = sum(cause.events for cause in facts.causes)
    found = {
        "unresolved": (facts.counts.unresolved, "still open: not redriven yet, or failed again."),
        "redriving": (
            facts.counts.redriving,
            "in a redrive that has not ended: what becomes of them is not known yet.",
        ),
        "unknown": (
            facts.outcomes.get(Outcome.UNKNOWN, 0),
            "sent with an unknown outcome: they may have run or not. Look at the target before sending them again.",
        ),
        "presumed": (
            facts.presumed,
            "presumed to have succeeded: no failure came back within the settling time, and nothing else proves it.",
        ),
        "archived": (facts.counts.archived, "archived: set aside by hand without having succeeded."),
        "not_shown": (facts.events - shown, "of further causes, each with fewer events than those listed here."),
    }
    return [Risk(kind=kind, events=n, text=f"{_events(n)} {text}") for kind, (n, text) in found.items() if n > 0]
