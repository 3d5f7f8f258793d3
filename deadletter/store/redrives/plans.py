"""The life of a redrive before and beside the sending: planned, started, cancelled."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    ScalarResult,
    Select,
    Text,
    and_,
    case,
    exists,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy import cast as cast_to
from sqlalchemy.orm import Session

from deadletter.errors import ChangedSincePlan, IllegalMove
from deadletter.filters import EventFilter
from deadletter.outcome import EventStatus, Outcome, RedriveStatus, check_redrive_move
from deadletter.plan import summarize
from deadletter.planned import Digest, PlannedItem, PlannedTarget, Totals, digest_of, rows_of
from deadletter.store import models
from deadletter.store.engine import is_postgres
from deadletter.store.moves import move_where
from deadletter.store.redrives.care import begin
from deadletter.store.redrives.kinds import Kind, insert_items
from deadletter.store.redrives.lanes import ensure
from deadletter.store.redrives.locks import lock, shift
from deadletter.store.rowset import table_of

_ROWS = 1_000
"""Items written by one statement."""


def create(session: Session, totals: Totals, items: Iterable[PlannedItem], **given: Any) -> models.Redrive:  # noqa: ANN401 - columns of the redrive
    """Write a plan down, its *items* in the order of sending; return its redrive, which is `planned`.

    *given* are the columns that the plan does not say: `title`, `selection`, `invocation`, `rate`, `asked_by`,
    `planned_at`, `settle_s`, `preflight`, `edit`.
    """
    redrive = _begin(session, **given)
    digest, position = Digest(redrive.invocation), 0
    left = iter(items)
    while chunk := list(islice(left, _ROWS)):
        digest.add(rows_of(chunk))
        rows = [_item_values(redrive.id, position + n, item) for n, item in enumerate(chunk)]
        session.execute(insert(models.RedriveItem), rows)
        position += len(chunk)
    redrive.targets, redrive.oldest_at, redrive.digest = _target_lines(totals.targets), totals.oldest_at, digest.text()
    redrive.n_planned, redrive.n_waiting = totals.planned, totals.count
    redrive.n_skipped = totals.planned - totals.count
    return redrive


def create_of_kinds(
    session: Session,
    chosen: EventFilter | Sequence[int],
    decided: Sequence[tuple[Kind, PlannedItem]],
    *,
    by_hand: bool,
    **given: Any,  # noqa: ANN401 - columns of the redrive
) -> models.Redrive:
    """Write down the plan of the *chosen* events, decided by their kinds; return its redrive, which is `planned`.

    *by_hand* says that a person chose the target; *given* are columns as for `create`.
    """
    redrive = _begin(session, **given)
    wrote = insert_items(session, redrive.id, chosen, decided)
    going = [each for each in wrote if each.item.skip is None]
    lines = [(each.kind.candidate, each.item.target, each.count) for each in going if each.item.target]
    redrive.targets = _target_lines(summarize(lines, chosen_by_hand=by_hand, invocation=redrive.invocation))
    redrive.oldest_at = min((each.oldest_at for each in going), default=None)
    redrive.n_planned, redrive.n_waiting = sum(each.count for each in wrote), sum(each.count for each in going)
    redrive.n_skipped = redrive.n_planned - redrive.n_waiting
    redrive.digest = digest_of_items(session, redrive.id, redrive.invocation)
    return redrive


def _begin(session: Session, **given: Any) -> models.Redrive:  # noqa: ANN401 - columns of the redrive
    """Write down a redrive whose plan follows."""
    last = session.scalar(select(func.max(models.Event.id))) or 0
    redrive = models.Redrive(status=RedriveStatus.PLANNED, targets=[], digest="", last_event_id=last, **given)
    session.add(redrive)
    session.flush()
    return redrive


def check_start(session: Session, redrive_id: int, digest: str) -> None:
    """Check that a redrive may be started, and that *digest* is its plan's.

    Raises:
        NotFound: There is no such redrive.
        ChangedSincePlan: *digest* is another plan's.
        IllegalMove: It was started or cancelled before, or its plan has nothing to send.
    """
    _check_start(lock(session, redrive_id), digest)


def skip_changed(session: Session, redrive_id: int, now: datetime) -> int:
    """Skip what waits in a plan and cannot be claimed any more; return how many that were. The digest follows."""
    redrive = lock(session, redrive_id)
    before = redrive.n_waiting
    _hold_events(session, redrive_id)
    _skip_lost(session, redrive, now)
    changed = before - redrive.n_waiting
    if changed:
        redrive.targets = _lines_now(session, redrive)
        redrive.digest = digest_of_items(session, redrive_id, redrive.invocation)
    return changed


def set_at_once(session: Session, redrive_id: int, *, at_once: bool) -> None:
    """Take the canary and the breaker out of a plan, where *at_once* is wanted."""
    if at_once:
        redrive = lock(session, redrive_id)
        redrive.canary, redrive.max_failures = 0, 1.0


def start(session: Session, redrive_id: int, *, at_once: bool, started_by: str, now: datetime) -> None:
    """Let a planned redrive run: claim its events, which are all free, and begin with its canary unless *at_once*."""
    set_at_once(session, redrive_id, at_once=at_once)
    redrive = lock(session, redrive_id)
    _claim_events(session, redrive_id)
    redrive.status, redrive.started_at, redrive.started_by = RedriveStatus.RUNNING, now, started_by
    ensure(session, [line["arn"] for line in redrive.targets])
    begin(redrive)


def cancel(session: Session, redrive_id: int, *, by: str, now: datetime) -> None:
    """End a redrive by hand: what waits will not be sent; what is being sent still gets its outcome.

    Raises:
        NotFound: There is no such redrive.
        IllegalMove: It has ended already.
    """
    redrive = lock(session, redrive_id)
    before = RedriveStatus(redrive.status)
    if before in {RedriveStatus.FINISHED, RedriveStatus.CANCELLED}:
        message = f"Redrive {redrive_id} is {before} already, so there is nothing to cancel."
        raise IllegalMove(message)
    check_redrive_move(before, RedriveStatus.CANCELLED)
    redrive.status, redrive.cancelled_by, redrive.finished_at = RedriveStatus.CANCELLED, by, now
    if before not in {RedriveStatus.PLANNED, RedriveStatus.AWAITING_APPROVAL}:
        _release_events(session, redrive_id)
    skip_waiting(session, redrive, cancel_reason(by), now)


def cancel_reason(by: str | None) -> str:
    """Return why an event of a cancelled redrive was skipped."""
    return f"Cancelled by {by} before it was sent."


def _target_lines(lines: Iterable[PlannedTarget]) -> list[dict[str, Any]]:
    return [
        {
            "kind": line.target.kind.value,
            "arn": line.target.arn,
            "count": line.count,
            "why": line.why,
            "invocation": line.invocation,
        }
        for line in lines
    ]


def _item_values(redrive_id: int, position: int, item: PlannedItem) -> Mapping[str, Any]:
    return {
        "redrive_id": redrive_id,
        "position": position,
        "event_id": item.event_id,
        "target_kind": item.target.kind.value if item.target else None,
        "target_arn": item.target.arn if item.target else None,
        "outcome": Outcome.SKIPPED if item.skip else Outcome.WAITING,
        "reason": item.skip,
        "protection": item.protection,
        "protection_reason": item.protection_reason,
        "edited": item.edited is not None,
        "message_group": item.message_group,
        "message_order": item.message_order,
    }


def _check_start(redrive: models.Redrive, digest: str) -> None:
    if redrive.digest != digest:
        message = f"What you confirmed is not the plan of redrive {redrive.id}. Look at its page again, then start it."
        raise ChangedSincePlan(message)
    if redrive.status != RedriveStatus.PLANNED:
        message = f"Redrive {redrive.id} is {redrive.status}: it can be started only once, from planned."
        raise IllegalMove(message)
    if not redrive.n_waiting:
        message = (
            f"Nothing in this plan can be sent: each of its {redrive.n_planned:,} events is skipped, with its reason."
        )
        raise IllegalMove(message)


def _waiting(redrive_id: int) -> Select[int]:
    item = models.RedriveItem
    return select(item.event_id).where(item.redrive_id == redrive_id, item.outcome == Outcome.WAITING)


def _claim_events(session: Session, redrive_id: int) -> None:
    """Claim the events that nothing else has claimed. Archived ones are here because a person named them."""
    free = and_(models.Event.id.in_(_waiting(redrive_id)), models.Event.redrive_id.is_(None))
    move_where(session, [free], EventStatus.UNRESOLVED, values={}, before={EventStatus.ARCHIVED})
    claim = {"redrive_id": redrive_id}
    move_where(session, [free], EventStatus.REDRIVING, values=claim, before={EventStatus.UNRESOLVED})


def _release_events(session: Session, redrive_id: int) -> None:
    """Release the claims on what waits."""
    ours = and_(models.Event.id.in_(_waiting(redrive_id)), models.Event.redrive_id == redrive_id)
    values = {"redrive_id": None, "last_outcome": Outcome.SKIPPED.value}
    move_where(session, [ours], EventStatus.UNRESOLVED, values=values)


def _hold_events(session: Session, redrive_id: int) -> None:
    """Lock the events of what waits, in everybody's order, so that nobody claims them before we do."""
    event = models.Event
    if is_postgres(session):  # SQLite's transaction holds the one write lock already
        ours = select(event.id).where(event.id.in_(_waiting(redrive_id))).order_by(event.id).with_for_update()
        session.execute(select(func.count()).select_from(ours.cte("ours")))


def _skip_lost(session: Session, redrive: models.Redrive, now: datetime) -> None:
    """Skip the items whose events cannot be claimed any more: a statement for each reason, of which there are few."""
    item, event = models.RedriveItem, models.Event
    free = and_(event.redrive_id.is_(None), event.status.in_([EventStatus.UNRESOLVED, EventStatus.ARCHIVED]))
    stands = (event.status, event.redrive_id)
    lost = select(*stands).join(item, event.id == item.event_id).distinct()
    lost = lost.where(item.redrive_id == redrive.id, item.outcome == Outcome.WAITING, ~free)
    for status, other in session.execute(lost.order_by(*stands)).all():
        reason = f"In redrive {other} by now." if other else f"It is {status} by now."
        same = (event.status == status, event.redrive_id.is_not_distinct_from(other))
        skip_waiting(session, redrive, reason, now, exists().where(event.id == item.event_id, *same))


def _lines_now(session: Session, redrive: models.Redrive) -> list[dict[str, Any]]:
    """Return the plan's lines with the counts that wait now; several lines of one target share what is left of it."""
    item = models.RedriveItem
    query = select(item.target_arn, func.count()).where(item.redrive_id == redrive.id, item.outcome == Outcome.WAITING)
    left = {arn or "": n for arn, n in session.execute(query.group_by(item.target_arn))}
    lines = []
    for line in redrive.targets:
        count = min(line["count"], left.get(line["arn"], 0))
        left[line["arn"]] = left.get(line["arn"], 0) - count
        lines.append({**line, "count": count})
    return [line for line in lines if line["count"]]


def digest_of_items(session: Session, redrive_id: int, invocation: str) -> str:
    """Return the digest of a plan that is in the database, holding few of its items at a time."""
    item, edit = table_of(models.RedriveItem).c, table_of(models.Edit).c
    columns = (item.event_id, item.target_kind, item.target_arn, item.reason)
    mine = select(*columns).where(item.redrive_id == redrive_id).order_by(item.position)
    stream: Mapping[str, Any] = {"yield_per": _ROWS}
    if session.scalar(select(edit.event_id).where(edit.redrive_id == redrive_id).limit(1)) is None:
        said = mine.with_only_columns(_said_of_items())
        return _digest_of_texts(session.connection().execute(said, execution_options=stream).scalars(), invocation)
    query = mine.add_columns(edit.payload)
    query = query.outerjoin_from(
        item.event_id.table, edit.event_id.table, and_(edit.redrive_id == redrive_id, edit.event_id == item.event_id)
    )
    rows = session.connection().execute(query, execution_options=stream)
    return digest_of(((*row[:4], _sha256(row[4])) for row in rows), invocation)


def _said_of_items() -> ColumnElement[str]:
    """Return what `planned.Digest` says of an item without an edit, put together by the database."""
    item = table_of(models.RedriveItem).c
    sent = func.coalesce(item.target_kind, "None") + " " + func.coalesce(item.target_arn, "None")
    where = case((item.reason != "", literal("skip ") + item.reason), else_=sent)
    return literal("\n") + cast_to(item.event_id, Text) + " " + where


def _digest_of_texts(texts: ScalarResult[str], invocation: str) -> str:
    digest = Digest(invocation)
    for part in texts.partitions():
        digest.add_texts(part)
    return digest.text()


def _sha256(payload: bytes | None) -> str | None:
    return None if payload is None else hashlib.sha256(payload).hexdigest()


def skip_waiting(
    session: Session, redrive: models.Redrive, reason: str, now: datetime, *only: ColumnElement[bool]
) -> None:
    """Skip what waits in a locked redrive (*only* that, if given)."""
    item = models.RedriveItem
    query = update(item).where(item.redrive_id == redrive.id, item.outcome == Outcome.WAITING, *only)
    query = query.values(outcome=Outcome.SKIPPED, reason=reason, settled_at=now)
    skipped = session.execute(query.execution_options(synchronize_session=False))
    shift(redrive, Outcome.WAITING, Outcome.SKIPPED, cast("CursorResult[()]", skipped).rowcount)
