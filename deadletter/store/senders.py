"""Which function a message is from whose record does not say: by the role that begins its SenderId."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from deadletter.event import Producer, TargetKind, TargetRef
from deadletter.store.engine import insert_for
from deadletter.store.models import Event, Record, Sender
from deadletter.store.rowset import lock_events, parts, table_of

_SILENT = Producer.LAMBDA_ASYNC_DLQ
_PAGE = 1_000


def function_of(senders: Mapping[str, str], attributes: Mapping[str, object]) -> TargetRef | None:
    """Return the function whose role sent a message with these system *attributes*; None where it cannot be told.

    A SenderId is ``AROA...:session``. That Lambda writes with the function's own role is inferred from the
    permissions that AWS asks for: its guide does not say what stands in SenderId.
    """
    arn = senders.get(str(attributes.get("SenderId", "")).partition(":")[0])
    return TargetRef(TargetKind.LAMBDA, arn) if arn else None


def list_senders(session: Session) -> Mapping[int, Mapping[str, str]]:
    """Return function ARNs by role id, by source."""
    found: dict[int, dict[str, str]] = defaultdict(dict)
    for source_id, role_id, arn in session.execute(select(Sender.source_id, Sender.role_id, Sender.function_arn)):
        found[source_id][role_id] = arn
    return found


def set_senders(session: Session, source_id: int, senders: Mapping[str, str]) -> int:
    """Know a source's functions by role id from now on; return how many events already collected got theirs by it."""
    session.execute(delete(table_of(Sender)).where(table_of(Sender).c.source_id == source_id))
    if not senders:
        return 0
    rows = [{"source_id": source_id, "role_id": role, "function_arn": arn} for role, arn in sorted(senders.items())]
    session.execute(insert_for(session)(table_of(Sender)).values(rows))
    told = sum(_tell(session, some, senders) for some in _unknown(session, source_id))
    session.expire_all()
    return told


def _unknown(session: Session, source_id: int) -> Iterator[Sequence[tuple[int, Mapping[str, object]]]]:
    """Yield pages of the events of a source that have no target, each with its message's system attributes."""
    last = 0
    while True:
        query = (
            select(Event.id, Record.attributes)
            .join(Record, Record.id == Event.record_id)
            .where(Event.source_id == source_id, Event.producer == _SILENT, Event.target_arn.is_(None), Event.id > last)
        )
        page = [(row.id, row.attributes) for row in session.execute(query.order_by(Event.id).limit(_PAGE))]
        if not page:
            return
        yield page
        last = page[-1][0]


def _tell(session: Session, page: Sequence[tuple[int, Mapping[str, object]]], senders: Mapping[str, str]) -> int:
    by_function: dict[str, list[int]] = defaultdict(list)
    for event_id, attributes in page:
        if target := function_of(senders, attributes):
            by_function[target.arn].append(event_id)
    ids = sorted(event_id for some in by_function.values() for event_id in some)
    lock_events(session, ids)
    events = table_of(Event)
    for arn, event_ids in sorted(by_function.items()):
        for some in parts(event_ids):
            values = {"target_kind": TargetKind.LAMBDA.value, "target_arn": arn}
            session.execute(update(events).where(events.c.id.in_(some)).values(values))
    return len(ids)
