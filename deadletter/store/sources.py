"""Sources: where failures land, and how reading them goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, func, literal, select, update
from sqlalchemy.orm import Session

from deadletter.actor import Actor
from deadletter.errors import BadInput, NotFound
from deadletter.event import (
    BUCKET_ARN,
    BUS_ARN,
    FUNCTION_ARN,
    QUEUE_ARN,
    TOPIC_ARN,
    TargetKind,
    TargetRef,
    name_of,
    storable,
)
from deadletter.ports import SourceState
from deadletter.store.audit import note
from deadletter.store.engine import insert_for
from deadletter.store.instant import hour_of
from deadletter.store.models import Event, SkippedObject, Source, SourceHour
from deadletter.store.rows import SourceRow
from deadletter.store.rowset import table_of
from deadletter.store.senders import list_senders

_EXAMPLES = (
    "A queue's looks like arn:aws:sqs:eu-west-1:123456789012:orders-dlq, a prefix's like arn:aws:s3:::bucket/prefix. "
    "A topic's, a bus's or a function's is for what that pushes to our own function."
)
COLLECT, OBSERVE = "collect", "observe"
MODES = (COLLECT, OBSERVE)


def add_source(  # noqa: PLR0913 - what is said of a source, each by its name
    session: Session,
    arn: str,
    *,
    target: TargetRef | None,
    by: Actor,
    now: datetime,
    mode: str | None = None,
    kind: str | None = None,
) -> SourceRow:
    """Register a source; one that is registered, or was, gets *target* and *mode*, where these are given.

    Args:
        session: A session that writes.
        arn: A queue's, a bucket's with or without a prefix, or that of what pushes to our function.
        target: Where its events are to be sent when their records do not say; None: not known.
        by: Who adds it, for the audit trail.
        now: When it was added.
        mode: `collect` or `observe`; None: objects are left where they lie, everything else is collected.
        kind: `push` for a queue that is our function's event source, so that nobody polls it; None: as the ARN says.

    Raises:
        BadInput: *arn* is none of those, the mode does not suit it, or the target is neither a function nor a queue.
    """
    arn = arn.strip()
    kind = kind or kind_of(arn)
    if kind == "push" and mode == OBSERVE:
        raise BadInput(f"{name_of(arn)} pushes its failures to our function: there is nothing to observe there.")
    default = OBSERVE if kind == "s3" else COLLECT
    row = {"arn": arn, "kind": kind, "mode": mode or default, "added_at": now, "collected_total": 0}
    session.execute(insert_for(session)(table_of(Source)).values(row).on_conflict_do_nothing())
    source_id = session.scalars(select(Source.id).where(Source.arn == arn)).one()
    changes = {"removed_at": None} | ({"mode": mode} if mode else {})
    _note(session, source_id, **changes)
    note(session, by, "add", "source", source_id, details={"arn": arn} | ({"mode": mode} if mode else {}), now=now)
    if mode == COLLECT:
        _own(session, source_id)
    if target is not None:
        set_target(session, source_id, target, by=by, now=now)
    return get_source(session, source_id, now=now)


def _own(session: Session, source_id: int) -> None:
    """Let the events of a source be ours alone: what still lies there is deleted when it is received again."""
    left = update(Event).where(Event.source_id == source_id, Event.left_record_id.is_not(None))
    owned = left.values(left_record_id=None, expires_at=None)
    session.execute(owned.execution_options(synchronize_session=False))


def kind_of(arn: str) -> str:
    """Return which kind of source an ARN is: `sqs`, `s3` or `push`. Raises BadInput for what can be none."""
    if QUEUE_ARN.fullmatch(arn):
        return "sqs"
    if BUCKET_ARN.fullmatch(arn):
        return "s3"
    if any(pattern.fullmatch(arn) for pattern in (TOPIC_ARN, BUS_ARN, FUNCTION_ARN)):
        return "push"
    raise BadInput(f"{arn[:120]!r} is not the ARN of a source. {_EXAMPLES}")


def find_source(session: Session, arn: str) -> SourceRow | None:
    """Return the source with that ARN, also one that was removed; None where there never was one."""
    source_id = session.scalar(select(Source.id).where(Source.arn == arn.strip()))
    return None if source_id is None else get_source(session, source_id)


def pause(session: Session, source_id: int, *, by: Actor, now: datetime) -> None:
    """Leave a source alone until it is resumed; its messages wait, and expire, where they lie. Raises NotFound."""
    _note(session, source_id, paused_at=func.coalesce(Source.paused_at, literal(now, Source.paused_at.type)))
    note(session, by, "pause", "source", source_id, now=now)


def resume(session: Session, source_id: int, *, by: Actor, now: datetime) -> None:
    """Go on with a paused source. Raises NotFound."""
    _note(session, source_id, paused_at=None)
    note(session, by, "resume", "source", source_id, now=now)


def remove(session: Session, source_id: int, *, by: Actor, now: datetime) -> None:
    """Take a source out of every list and read it no more; its events stay. Raises NotFound."""
    _note(session, source_id, removed_at=now, paused_at=None, error=None, error_since=None, next_try_at=None)
    note(session, by, "remove", "source", source_id, now=now)


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
    """Return all sources but those that were removed, in the order in which they were added."""
    hours, skipped = _recent_hours(session, now), _skipped(session)
    found = session.scalars(select(Source).where(Source.removed_at.is_(None)).order_by(Source.id))
    rows = [_source_row(source, hours, now) for source in found]
    return [replace(row, skipped=skipped.get(row.id, 0)) for row in rows]


class SourceReading(NamedTuple):
    """How reading a source goes: when it last answered, and what is wrong with it."""

    id: int
    last_collected_at: datetime | None
    error: str | None


def list_readings(session: Session) -> Sequence[SourceReading]:
    """Return how reading each source goes, but those that were removed: what every list says, by one statement."""
    query = select(Source.id, Source.last_collected_at, Source.error).where(Source.removed_at.is_(None))
    return [SourceReading._make(row) for row in session.execute(query.order_by(Source.id))]


def list_sources_with_senders(session: Session, *, now: datetime) -> Sequence[SourceRow]:
    """Return all sources with their `senders`: for whoever stores what comes from them."""
    senders = list_senders(session)
    return [replace(row, senders=senders.get(row.id, {})) for row in list_sources(session, now=now)]


def list_source_arns(session: Session) -> Mapping[int, str]:
    """Return the ARN of every source, by its id."""
    return dict(session.execute(select(Source.id, Source.arn)).all())


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
    """Note how full the source is; where its retention was changed, what it holds expires earlier or later."""
    before = session.scalar(select(Source.retention_s).where(Source.id == source_id))
    if before and state.retention_s and before != state.retention_s:
        _shift_expiry(session, source_id, state.retention_s - before)
    _note(
        session,
        source_id,
        depth=state.depth,
        in_flight=state.in_flight,
        retention_s=state.retention_s,
        redrives_to=state.redrives_to,
        state_at=now,
    )


def note_error(session: Session, source_id: int, message: str, now: datetime, next_try_at: datetime) -> None:
    """Note why the source cannot be read, since when, and when it is tried again."""
    since = func.coalesce(Source.error_since, literal(now, Source.error_since.type))
    _note(session, source_id, error=storable(message), error_since=since, next_try_at=next_try_at)


def _shift_expiry(session: Session, source_id: int, more_s: int) -> None:
    left = update(Event).where(Event.source_id == source_id, Event.left_record_id.is_not(None))
    later = Event.expires_at + literal(more_s * 1_000_000, BigInteger)
    changed = left.where(Event.expires_at.is_not(None)).values(expires_at=later)
    session.execute(changed.execution_options(synchronize_session=False))


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


def _skipped(session: Session) -> Mapping[int, int]:
    counts = select(SkippedObject.source_id, func.count()).group_by(SkippedObject.source_id)
    return {row[0]: row[1] for row in session.execute(counts)}


def _source_row(source: Source, hours: Mapping[tuple[int, int], int], now: datetime | None) -> SourceRow:
    hour = hour_of(now) if now else 0
    return SourceRow(
        **{name: getattr(source, name) for name in _COPIED},
        name=name_of(source.arn),
        growth_last_hour=hours.get((source.id, hour), 0),
        growth_hour_before=hours.get((source.id, hour - 1), 0),
    )


_COPIED = [each.name for each in fields(SourceRow) if each.name in Source.__table__.c]
