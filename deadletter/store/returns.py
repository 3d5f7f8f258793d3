"""What a redrive sent comes back: a message with the id that the redrive got says that the event failed again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, and_, select, tuple_
from sqlalchemy.orm import Session

from deadletter.event import name_of
from deadletter.outcome import OUTCOME_MOVES, Outcome
from deadletter.parse import payload_digest
from deadletter.store.counters import Deltas
from deadletter.store.engine import is_postgres
from deadletter.store.failures import FailedAgain, record_failures
from deadletter.store.models import Edit, Event, Redrive, RedriveItem
from deadletter.store.redrives.care import saw
from deadletter.store.redrives.locks import advance, lock, shift
from deadletter.store.rowset import given, one_of_named, table_of, update_rows
from deadletter.store.totals import note_moves


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One event in one redrive, found by the id that the target gave it. `digest` is of the payload that was sent."""

    sent_id: str
    redrive_id: int
    position: int
    event_id: int
    group_id: int
    outcome: Outcome
    digest: str | None
    target_arn: str | None

    @property
    def key(self) -> tuple[int, int]:
        """The key of its item: redrive and position."""
        return self.redrive_id, self.position


@dataclass(frozen=True, slots=True)
class Return:
    """A sent event that failed again, and how we know."""

    sent: Sent
    failure: FailedAgain
    stack_trace: list[str] | None
    evidence: str


def find_sent(session: Session, sent_ids: Sequence[str]) -> Mapping[str, Sent]:
    """Return the sent events by those of *sent_ids* that a redrive got."""
    rows = session.execute(_SENT[is_postgres(session)], {"sent_ids": given(session, sent_ids)})
    return {row.sent_id: _sent(row) for row in rows}


def _query(*, postgres: bool) -> Select[Any]:
    item = RedriveItem
    columns: tuple[Any, ...] = (
        item.sent_id, item.redrive_id, item.position, item.event_id, item.outcome, Event.group_id, Event.payload_digest,
        item.target_arn, Edit.payload,
    )  # fmt: skip
    edited = and_(Edit.redrive_id == item.redrive_id, Edit.event_id == item.event_id)
    query: Select[Any] = select(*columns).join(Event, Event.id == item.event_id).outerjoin(Edit, edited)
    return query.where(one_of_named("sent_ids", table_of(RedriveItem).c.sent_id, postgres=postgres))


# Built once: building it costs as much as asking it, where nothing of a batch was sent.
_SENT = {postgres: _query(postgres=postgres) for postgres in (False, True)}


def _sent(row: Row[*tuple[Any, ...]]) -> Sent:
    return Sent(
        sent_id=row.sent_id,
        redrive_id=row.redrive_id,
        position=row.position,
        event_id=row.event_id,
        group_id=row.group_id,
        outcome=Outcome(row.outcome),
        digest=row.payload_digest if row.payload is None else _digest(row.payload),
        target_arn=row.target_arn,
    )


def _digest(payload: bytes) -> str:
    return payload_digest(payload.decode("utf-8", "surrogatepass"))


def hold_items(session: Session, sent: Sequence[Sent]) -> Mapping[tuple[int, int], Outcome]:
    """Lock redrives and items, in everybody's order; return the items' outcomes as they are now."""
    for redrive_id in sorted({each.redrive_id for each in sent}):
        lock(session, redrive_id)
    key = (RedriveItem.redrive_id, RedriveItem.position)
    wanted = [each.key for each in sent]
    query = select(*key, RedriveItem.outcome).where(tuple_(*key).in_(wanted)).order_by(*key).with_for_update()
    return {(redrive_id, position): Outcome(outcome) for redrive_id, position, outcome in session.execute(query)}


def record_returns(
    session: Session,
    returns: Sequence[Return],
    held: Mapping[tuple[int, int], Outcome],
    deltas: Deltas,
    now: datetime,
) -> None:
    """Write down that sent events failed again (which must be legal moves): events, items, the redrives' counters."""
    groups = record_failures(session, [each.failure for each in returns], deltas)
    rows = [_item(each, groups[each.sent.event_id], now) for each in returns]
    update_rows(session, RedriveItem, rows, _CHANGED, ["redrive_id", "position"])
    note_moves(session, [(each.sent.target_arn, held[each.sent.key], Outcome.FAILED_AGAIN) for each in returns])
    for each in returns:
        redrive = session.get_one(Redrive, each.sent.redrive_id)
        shift(redrive, held[each.sent.key], Outcome.FAILED_AGAIN)
        saw(redrive, Outcome.FAILED_AGAIN, same_cause=groups[each.sent.event_id] == each.sent.group_id)
        advance(redrive, now)


def may_fail_again(outcome: Outcome) -> bool:
    """Return whether an item with this outcome can turn out to have failed again: not if that is known already."""
    return Outcome.FAILED_AGAIN in OUTCOME_MOVES[outcome]


def evidence(source_arn: str, known_by: str) -> str:
    """Return how we know that it failed again, as a sentence; *known_by* is `message id` or `request id`."""
    return f"Came back in {name_of(source_arn)} with the {known_by} that the redrive got."


_CHANGED = (
    "outcome",
    "settled_at",
    "evidence",
    "error_type",
    "error_message",
    "stack_trace",
    "group_id",
    "record_id",
)


def _item(each: Return, group_id: int, now: datetime) -> dict[str, Any]:
    return {
        "redrive_id": each.sent.redrive_id,
        "position": each.sent.position,
        "outcome": Outcome.FAILED_AGAIN.value,
        "settled_at": now,
        "evidence": each.evidence,
        "error_type": each.failure.error_type,
        "error_message": each.failure.error_message,
        "stack_trace": each.stack_trace,
        "group_id": group_id,
        "record_id": each.failure.record_id,
    }
