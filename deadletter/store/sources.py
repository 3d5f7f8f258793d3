"""Sources: where failures land, and how reading them goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy import func, literal, select, update
from sqlalchemy.orm import Session

from deadletter.actor import Actor
from deadletter.errors import BadInput, NotFound
from deadletter.event import FUNCTION_ARN, QUEUE_ARN, TargetKind, TargetRef, name_of, storable
from deadletter.ports import SourceState
from deadletter.store.audit import note
from deadletter.store.engine import insert_for
from deadletter.store.instant import hour_of
from deadletter.store.models import Event, Source, SourceHour
from deadletter.store.rows import SourceRow
from deadletter.store.rowset import table_of
from deadletter.store.senders import list_senders

_EXAMPLE = "arn:aws:sqs:eu-west-1:123456789012:orders-dlq"


def add_source(session: Session, arn: str, *, target: TargetRef | None, by: Actor, now: datetime) -> SourceRow:
    """Register a queue as a source; one that is registered already gets *target*, if given.

    Args:
        session: A session that writes.
        arn: An SQS queue's.
        target: Where its events are to be sent when their records do not say; None: not known.
        by: Who adds it, for the audit trail.
        now: When it was added.

    Raises:
        BadInput: *arn* is not a queue's, or the target's is neither a function's nor a queue's.
    """
    arn = arn.strip()
    if not QUEUE_ARN.fullmatch(arn):
        raise BadInput(f"{arn[:120]!r} is not the ARN of an SQS queue. It looks like {_EXAMPLE}.")
    row = {"arn": arn, "kind": "sqs", "added_at": now, "collected_total": 0}
    session.execute(insert_for(session)(table_of(Source)).values(row).on_conflict_do_nothing())
    source_id = session.scalars(select(Source.id).where(Source.arn == arn)).one()
    note(session, by, "add", "source", source_id, details={"arn": arn}, now=now)
    if target is not None:
        set_target(session, source_id, target, by=by, now=now)
    return get_source(session, source_id, now=now)


def set_target(session: Session, source_id: int, target: TargetRef | None, *, by: Actor, now: datetime) -> None:
    """Say where a source's events go when their records do not say; events that have no target get it too.

    Raises:
        BadInput: The target's ARN is neither a function's nor a queue's.
        NotFound: There is no such source.
    """
    if target is not None:
        _check_target(target)
    kind, arn = (target.kind.value, target.arn) if target else (None, None)
    _note(session, source_id, target_kind=kind, target_arn=arn)
    note(session, by, "target", "source", source_id, details={"target": arn}, now=now)
    if target is not None:
        without = update(Event).where(Event.source_id == source_id, Event.target_arn.is_(None))
        session.execute(without.values(target_kind=kind, target_arn=arn).execution_options(synchronize_session=False))


def list_sources(session: Session, *, now: datetime) -> Sequence[SourceRow]:
    """Return all sources, in the order in which they were added."""
    hours = _recent_hours(session, now)
    return [_source_row(source, hours, now) for source in session.scalars(select(Source).order_by(Source.id))]


def list_sources_with_senders(session: Session, *, now: datetime) -> Sequence[SourceRow]:
    """Return all sources with their `senders`: for whoever stores what comes from them."""
    senders = list_senders(session)
    return [replace(row, senders=senders.get(row.id, {})) for row in list_sources(session, now=now)]


def get_source(session: Session, source_id: int, *, now: datetime | None = None) -> SourceRow:
    """Return one source; its growth is counted only where *now* is given. Raises NotFound."""
    source = session.get(Source, source_id, populate_existing=True)
    if source is None:
        raise NotFound(f"There is no source {source_id}.")
    return _source_row(source, _recent_hours(session, now) if now else {}, now)


def note_collected(session: Session, source_id: int, *, now: datetime, oldest_sent_at: datetime | None = None) -> None:
    """Note that a receive answered: whatever was wrong with the source is over.

    *oldest_sent_at* is when the oldest message of the receive was sent; None for an empty one.
    """
    oldest = {} if oldest_sent_at is None else {"oldest_sent_at": oldest_sent_at}
    _note(session, source_id, last_collected_at=now, error=None, error_since=None, next_try_at=None, **oldest)


def note_state(session: Session, source_id: int, state: SourceState, now: datetime) -> None:
    """Note how full the source is."""
    _note(
        session,
        source_id,
        depth=state.depth,
        in_flight=state.in_flight,
        retention_s=state.retention_s,
        state_at=now,
    )


def note_error(session: Session, source_id: int, message: str, now: datetime, next_try_at: datetime) -> None:
    """Note why the source cannot be read, since when, and when it is tried again."""
    since = func.coalesce(Source.error_since, literal(now, Source.error_since.type))
    _note(session, source_id, error=storable(message), error_since=since, next_try_at=next_try_at)


def _note(session: Session, source_id: int, **values: Any) -> None:  # noqa: ANN401 - columns, each of its type
    changed = update(Source).where(Source.id == source_id).values(**values).returning(Source.id)
    if session.scalar(changed.execution_options(synchronize_session=False)) is None:
        raise NotFound(f"There is no source {source_id}.")


def _check_target(target: TargetRef) -> None:
    pattern = FUNCTION_ARN if target.kind is TargetKind.LAMBDA else QUEUE_ARN
    if not pattern.fullmatch(target.arn):
        thing = "a Lambda function" if target.kind is TargetKind.LAMBDA else "an SQS queue"
        raise BadInput(f"{target.arn[:120]!r} is not the ARN of {thing}, and nothing else can be a target.")


def _recent_hours(session: Session, now: datetime) -> Mapping[tuple[int, int], int]:
    """Return the failures of this hour and the one before, by source and hour."""
    recent = select(SourceHour.source_id, SourceHour.hour, SourceHour.n).where(SourceHour.hour >= hour_of(now) - 1)
    return {(source_id, hour): n for source_id, hour, n in session.execute(recent)}


def _source_row(source: Source, hours: Mapping[tuple[int, int], int], now: datetime | None) -> SourceRow:
    hour = hour_of(now) if now else 0
    return SourceRow(
        **{name: getattr(source, name) for name in _COPIED},
        name=name_of(source.arn),
        growth_last_hour=hours.get((source.id, hour), 0),
        growth_hour_before=hours.get((source.id, hour - 1), 0),
    )


_COPIED = [each.name for each in fields(SourceRow) if each.name in Source.__table__.c]
