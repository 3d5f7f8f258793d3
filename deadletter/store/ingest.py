"""Messages to rows: each stored once, counted at once, and matched with what is known already."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, select, update
from sqlalchemy.orm import Session

from deadletter.outcome import EventStatus
from deadletter.store import lookups, search
from deadletter.store.counters import Deltas
from deadletter.store.engine import limit_waiting
from deadletter.store.failures import FailedAgain
from deadletter.store.groups import ensure_groups
from deadletter.store.incoming import Incoming, Parsed, differs, incoming, richness
from deadletter.store.merges import Merged, merge
from deadletter.store.models import Event, Record, Source
from deadletter.store.returns import Return, Sent, evidence, find_sent, hold_items, may_fail_again, record_returns
from deadletter.store.rowset import find_each, insert_new, lock_events, next_ids, table_of
from deadletter.store.text import MAX_FRAMES, MAX_MESSAGE, kept

__all__ = ["Parsed", "Stored", "store_all", "store_messages"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What became of messages: `new` events, `known` messages, those `merged` into known events, and `failed_again`."""

    new: int
    known: int
    merged: int
    failed_again: int


@dataclass(slots=True)
class _Kinds:
    """What messages turned out to be: new events, further records of known ones, sent events that failed again."""

    new: list[Incoming] = field(default_factory=list)
    merged: list[Merged] = field(default_factory=list)
    returned: list[tuple[Incoming, Sent]] = field(default_factory=list)

    @property
    def messages(self) -> list[Incoming]:
        return [*self.new, *(message for message, _ in (*self.merged, *self.returned))]

    def add_merged(self, message: Incoming, event_id: int, group_id: int) -> None:
        message.record |= {"event_id": event_id, "group_id": group_id, "is_failure": False}
        self.merged.append((message, event_id))

    def add_returned(self, message: Incoming, sent: Sent) -> None:
        message.record |= {"event_id": sent.event_id, "group_id": sent.group_id}
        self.returned.append((message, sent))

    def forget(self, lost: set[int]) -> list[int]:
        """Take out the messages whose records *lost* names; return the ids of events that would have been new."""
        gone = [message.event["id"] for message in self.new if message.record["id"] in lost]
        self.new = [message for message in self.new if message.record["id"] not in lost]
        self.merged = [pair for pair in self.merged if pair[0].record["id"] not in lost]
        self.returned = [pair for pair in self.returned if pair[0].record["id"] not in lost]
        return gone


def store_messages(session: Session, source_id: int, parsed: Sequence[Parsed], *, now: datetime) -> Stored:
    """Store messages of one source; see `store_all`, which takes the messages of several in one transaction."""
    return store_all(session, {source_id: parsed}, now=now)


def store_all(session: Session, batches: Mapping[int, Sequence[Parsed]], *, now: datetime) -> Stored:
    """Store messages, given by the id of their source: any number of them, by the same handful of statements.

    A message that is known is left alone. One with the id that a redrive got is an event that failed again. One with a
    request id that is known is another record of that event, unless both hold payloads and these differ: anyone who may
    write to the queue could have imitated it, so it is an event of its own. Everything else is a new event.

    Two transactions may store the same messages at once: one is first, and for the other they are known. Call it once
    in a transaction: several calls would take locks in no common order.
    """
    arrived = _unknown(session, batches, now)
    kinds = _Kinds()
    if arrived:
        limit_waiting(session)
        deltas = Deltas()
        _store_events(session, _take_returned(session, arrived, kinds), kinds, now)
        _store_records(session, kinds)
        lookups.ask(session, ((message.event["id"], message.parsed.event) for message in kinds.new), now=now)
        _count_new(kinds.new, deltas)
        _store_known(session, kinds, deltas, now)
        search.add(session, {message.event["id"]: message.words for message in kinds.new})
        deltas.write(session)
        _count_collected(session, kinds.messages)
    return Stored(
        new=len(kinds.new),
        known=sum(len(parsed) for parsed in batches.values()) - len(kinds.messages),
        merged=len(kinds.merged),
        failed_again=len(kinds.returned),
    )


def _unknown(session: Session, batches: Mapping[int, Sequence[Parsed]], now: datetime) -> list[Incoming]:
    """Return the messages that are not stored yet, each once, the richest first; their records have ids."""
    arrived: list[Incoming] = []
    record = table_of(Record).c
    for source_id, parsed in batches.items():
        by_id = {kept(each.message.message_id, MAX_MESSAGE): each for each in parsed}
        known = select(record.message_id).where(record.source_id == source_id)
        for message_id in session.scalars(find_each(session, known, record.message_id, by_id)).all():
            del by_id[message_id]
        arrived += [incoming(each, source_id, now) for each in by_id.values()]
    arrived.sort(key=lambda message: -richness(message.event))
    for message, record_id in zip(arrived, next_ids(session, Record, len(arrived)), strict=True):
        message.number(record_id)
    return arrived


def _take_returned(session: Session, arrived: Sequence[Incoming], into: _Kinds) -> Sequence[Incoming]:
    """Sort out what redrives sent; return the rest."""
    ids = {each for message in arrived for each in (message.message_id, message.request_id) if each}
    sent = find_sent(session, sorted(ids))
    if not sent:
        return arrived
    rest, taken = [], set[Sent]()
    for message in arrived:
        match = _match(message, sent)
        if match is None:
            rest.append(message)
        elif match in taken or not may_fail_again(match.outcome):
            into.add_merged(message, match.event_id, match.group_id)
        else:
            taken.add(match)
            into.add_returned(message, match)
    return rest


def _match(message: Incoming, sent: Mapping[str, Sent]) -> Sent | None:
    """Return what *message* is the failure of. Only SQS gives message ids; a request id anyone may write."""
    if message.message_id in sent:
        return sent[message.message_id]
    match = sent.get(message.request_id or "")
    if match and differs(message.event["payload_digest"], match.digest):
        message.disown_request_id()
        return None
    return match


def _store_events(session: Session, arrived: Sequence[Incoming], into: _Kinds, now: datetime) -> None:
    """Insert an event for each request id that nobody knows, and for each message without one.

    Who finds that another message was first, of this batch or of another transaction, looks again and is merged.
    """
    while arrived:
        new, later = _tell_apart(arrived, _told(session, arrived), into)
        lost = _insert_events(session, new, now)
        into.new += [message for message in new if message.event["id"] not in lost]
        arrived = [*later, *(message for message in new if message.event["id"] in lost)]


def _told(session: Session, messages: Sequence[Incoming]) -> Mapping[str | None, Row[*tuple[Any, ...]]]:
    """Return the events that have the messages' request ids already."""
    event = table_of(Event).c
    found: dict[str | None, Row[*tuple[Any, ...]]] = {}
    if ids := {message.request_id for message in messages if message.request_id}:
        query = select(event.id, event.group_id, event.request_id, event.payload_digest)
        told = session.execute(find_each(session, query, event.request_id, ids))
        found.update((row.request_id, row) for row in told)
    return found


def _tell_apart(
    arrived: Sequence[Incoming], told: Mapping[str | None, Row[*tuple[Any, ...]]], into: _Kinds
) -> tuple[list[Incoming], list[Incoming]]:
    """Return the messages that are new events, and those that will be known once these are stored."""
    new: dict[object, Incoming] = {}
    later = []
    for message in arrived:
        known = told.get(message.request_id)
        if known and not differs(message.event["payload_digest"], known.payload_digest):
            into.add_merged(message, known.id, known.group_id)
            continue
        if known:
            message.disown_request_id()
        if message.request_id in new:
            later.append(message)
        else:
            new[message.request_id or message] = message
    return list(new.values()), later


def _insert_events(session: Session, messages: Sequence[Incoming], now: datetime) -> set[int]:
    """Insert the events of *messages*; return the ids of those whose request id another transaction was first with."""
    causes = [(each.parsed.fingerprint, each.event["occurred_at"]) for each in messages]
    groups = ensure_groups(session, causes, now=now)
    for message, event_id in zip(messages, next_ids(session, Event, len(messages)), strict=True):
        message.event |= {"id": event_id, "group_id": groups[message.parsed.fingerprint.value]}
        message.record |= {"event_id": event_id, "group_id": message.event["group_id"]}
    rows = [message.event for message in messages]
    return insert_new(session, Event, sorted(rows, key=lambda row: row["request_id"] or ""))


def _store_records(session: Session, kinds: _Kinds) -> None:
    """Insert the records; what another transaction stored meanwhile is forgotten here."""
    rows = [message.record for message in kinds.messages]
    lost = insert_new(session, Record, sorted(rows, key=lambda row: (row["source_id"], row["message_id"])))
    if lost and (gone := kinds.forget(lost)):
        session.execute(delete(table_of(Event)).where(table_of(Event).c.id.in_(gone)))


def _count_collected(session: Session, messages: Sequence[Incoming]) -> None:
    for source_id, n in sorted(Counter(message.event["source_id"] for message in messages).items()):
        collected = update(Source).where(Source.id == source_id)
        session.execute(collected.values(collected_total=Source.collected_total + n))


def _count_new(messages: Sequence[Incoming], deltas: Deltas) -> None:
    for message in messages:
        event = message.event
        deltas.count(event["group_id"], EventStatus.UNRESOLVED, 1)
        deltas.belongs(event["group_id"], event["source_id"], event["producer"], 1)
        deltas.failed(event["group_id"], event["source_id"], event["occurred_at"])


def _store_known(session: Session, kinds: _Kinds, deltas: Deltas, now: datetime) -> None:
    """Let known events follow what arrived for them, holding everything in the order that all transactions share."""
    if kinds.returned:
        held = hold_items(session, [sent for _, sent in kinds.returned])
        late = [pair for pair in kinds.returned if not may_fail_again(held[pair[1].key])]
        kinds.returned = [pair for pair in kinds.returned if pair not in late]
        for message, sent in late:
            kinds.add_merged(message, sent.event_id, sent.group_id)
        lock_events(session, [message.record["event_id"] for message, _ in (*kinds.merged, *kinds.returned)])
        record_returns(session, _returns(session, kinds.returned), held, deltas, now)
    merge(session, kinds.merged, deltas, now)


def _returns(session: Session, returned: Sequence[tuple[Incoming, Sent]]) -> list[Return]:
    arns = {source.id: source.arn for source in session.execute(select(Source.id, Source.arn))}
    return [_return(message, sent, arns[message.event["source_id"]]) for message, sent in returned]


def _return(message: Incoming, sent: Sent, source_arn: str) -> Return:
    event = message.parsed.event
    known_by = "message id" if message.message_id == sent.sent_id else "request id"
    return Return(
        sent=sent,
        failure=FailedAgain(
            event_id=sent.event_id,
            fingerprint=message.parsed.fingerprint,
            error_type=message.event["error_type"],
            error_message=message.event["error_message"],
            occurred_at=message.event["occurred_at"],
            record_id=message.record["id"],
            source_id=message.event["source_id"],
            redrive_id=sent.redrive_id,
            left_record_id=message.event["left_record_id"],
            expires_at=message.event["expires_at"],
        ),
        stack_trace=None if event.stack_trace is None else list(event.stack_trace[:MAX_FRAMES]),
        evidence=evidence(source_arn, known_by),
    )
