"""Collecting: parse and group what a source handed over, and store it durably. Only then may it be deleted there."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

from deadletter.event import FailedEvent, Producer, ReceivedMessage, TargetKind, TargetRef
from deadletter.expiry import batch_expires_at, message_expires_at, sent_at
from deadletter.fingerprint import cause_of, fingerprint
from deadletter.parse import parse_message
from deadletter.store import write
from deadletter.store.ailing import is_away
from deadletter.store.ingest import Parsed, store_all
from deadletter.store.rows import SourceRow
from deadletter.store.senders import function_of
from deadletter.store.sources import note_collected

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Taken:
    """What one receive took from a source; empty when there was nothing."""

    source: SourceRow
    messages: Sequence[ReceivedMessage]


def parse_batch(messages: Sequence[ReceivedMessage], source: SourceRow) -> list[Parsed]:
    """Return each message with what it says, its cause, and where it would be sent. Pure; no message is an error.

    What a record does not say, its source says: the function that its events failed in, and where they are to go.
    """
    target = _target_of(source)
    return [_parse(message, source, function_of(source.senders, message.attributes) or target) for message in messages]


def store(engine: Engine, taken: Sequence[Taken], *, now: datetime) -> None:
    """Parse and store everything that was taken, by however many receivers, in one transaction.

    All of it is the work of one thread: receivers that parsed for themselves would only take turns at it.

    Raises:
        DBAPIError: Nothing of it is stored, so nothing of it may be deleted.
    """
    batches: dict[int, list[Parsed]] = {source_id: [] for source_id in sorted({one.source.id for one in taken})}
    for one in taken:
        batches[one.source.id].extend(parse_batch(one.messages, one.source))
    with write(engine) as session:
        store_all(session, {source_id: parsed for source_id, parsed in batches.items() if parsed}, now=now)
        for source_id, parsed in batches.items():
            note_collected(session, source_id, now=now, oldest_sent_at=_oldest(parsed))


@dataclass(frozen=True, slots=True)
class Kept:
    """Which messages of one receive are durable, and may be deleted; `error` says why others, if any, are not."""

    messages: Sequence[ReceivedMessage]
    error: Exception | None = None


def store_each(engine: Engine, taken: Sequence[Taken], *, now: datetime) -> list[Kept]:
    """Store everything that was taken; return, for each, what of it is durable. Never raises.

    One message that the database will not have must not keep the others out: after an error that is not the
    connection's, halves are stored by themselves.
    """
    try:
        store(engine, taken, now=now)
    except Exception as error:
        if is_away(error):
            return [Kept([], error)] * len(taken)
        log.exception("storing failed", extra={"messages": sum(len(one.messages) for one in taken)})
        return _store_halves(engine, taken, error, now)
    return [Kept(one.messages) for one in taken]


def _store_halves(engine: Engine, taken: Sequence[Taken], error: Exception, now: datetime) -> list[Kept]:
    if len(taken) > 1:
        half = len(taken) // 2
        return [*store_each(engine, taken[:half], now=now), *store_each(engine, taken[half:], now=now)]
    source, messages = taken[0].source, taken[0].messages
    if len(messages) <= 1:
        return [Kept([], error)]
    half = len(messages) // 2
    halves = [store_each(engine, [Taken(source, some)], now=now)[0] for some in (messages[:half], messages[half:])]
    return [Kept([message for kept in halves for message in kept.messages], error)]


def _target_of(source: SourceRow) -> TargetRef | None:
    if source.target_kind is None or source.target_arn is None:
        return None
    return TargetRef(TargetKind(source.target_kind), source.target_arn)


def _parse(message: ReceivedMessage, source: SourceRow, target: TargetRef | None) -> Parsed:
    event = parse_message(message)
    cause = cause_of(event, stands_for=_stands_for(event, source, target))
    left = source.kind != "push" and source.observed  # what is pushed lies nowhere that we would read again
    expires_at = _expires_at(message, event, source.retention_s if left else None)
    return Parsed(message, event, fingerprint(cause), event.target or target, left=left, expires_at=expires_at)


def _stands_for(event: FailedEvent, source: SourceRow, target: TargetRef | None) -> str | None:
    """Return the ARN that an event which does not name its function is grouped under."""
    if event.producer is Producer.SQS_REDRIVE:
        return None  # it names its source queue, which says more than the queue that it was found in
    return target.arn if target and target.kind is TargetKind.LAMBDA else source.arn


def _expires_at(message: ReceivedMessage, event: FailedEvent, retention_s: int | None) -> datetime | None:
    """Return when the first of what only AWS holds is dropped: the message, where it is left, or a stream's batch."""
    moments = (message_expires_at(message, retention_s), batch_expires_at(event))
    return min(filter(None, moments), default=None)


def _oldest(parsed: Sequence[Parsed]) -> datetime | None:
    """Return when the oldest of the messages was sent; None where none says so."""
    return min(filter(None, (sent_at(each.message) for each in parsed)), default=None)
