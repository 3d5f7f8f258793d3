"""What time does to a redrive: silence becomes success, dead workers leave `unknown`, its end is noted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Row, Select, and_, or_, select, update
from sqlalchemy.orm import Session

from deadletter.outcome import HELD, Outcome, RedriveStatus, event_status_after
from deadletter.store import models
from deadletter.store.moves import move_where
from deadletter.store.redrives.care import saw
from deadletter.store.redrives.locks import advance, lock, shift
from deadletter.store.redrives.pace import MOST_SKEW_S
from deadletter.store.redrives.silence import was_listened_for
from deadletter.store.strays import absorb_strays
from deadletter.store.totals import note_moves

_MOST = 1_000

Settled = Row[int, int, str | None]
"""One item: its position, its event's id, its target's ARN."""

WORKER_STOPPED = "The worker stopped between sending it and writing the answer down: it may or may not have arrived."


def list_open(session: Session) -> Sequence[int]:
    """Return the ids of the redrives that time may still change, oldest first."""
    redrive = models.Redrive
    moving = redrive.status.in_([RedriveStatus.RUNNING, RedriveStatus.WATCHING, *HELD])
    return session.scalars(
        select(redrive.id).where(or_(moving, redrive.n_sending > 0, redrive.n_sent > 0)).order_by(redrive.id)
    ).all()


def tend(session: Session, redrive_id: int, *, lease_s: float | None, now: datetime) -> int:
    """Do for one redrive what time demands; return how many items changed (at most 1,000 of a kind in one go).

    Items of workers that were silent for *lease_s* seconds (None: nobody can tell) become `unknown`; items that were
    sent longer than the redrive's settling time ago, and not seen since although their source was read, are presumed to
    have succeeded.
    """
    redrive = lock(session, redrive_id)
    lost = () if lease_s is None else session.execute(_claimed_by_the_dead(redrive_id, now, lease_s)).all()
    _settle(session, redrive, lost, Outcome.UNKNOWN, reason=WORKER_STOPPED, settled_at=now)
    quiet = _quiet(session, redrive, now)
    evidence = f"Presumed: not seen again within {redrive.settle_s:,.0f} s."
    _settle(session, redrive, quiet, Outcome.SUCCEEDED, evidence=evidence, settled_at=now)
    advance(redrive, now)
    return len(lost) + len(quiet)


def note_settling_time(session: Session, redrive_id: int, settle_s: float) -> None:
    """Write down how long silence has to last, in seconds, now that the target was asked."""
    lock(session, redrive_id).settle_s = settle_s


def _claimed_by_the_dead(redrive_id: int, now: datetime, lease_s: float) -> Select[int, int, str | None]:
    item, seen_at = models.RedriveItem, models.Worker.seen_at
    soon = now + timedelta(seconds=lease_s + MOST_SKEW_S)  # later: before a clock was set back, and never since
    alive = select(models.Worker.id).where(seen_at > now - timedelta(seconds=lease_s), seen_at < soon)
    return _locked(redrive_id, Outcome.SENDING).where(item.claimed_by.not_in(alive))


def _quiet(session: Session, redrive: models.Redrive, now: datetime) -> Sequence[Settled]:
    """Return what was sent longer than the settling time ago and has not come back, not even too early to be known."""
    item = models.RedriveItem
    due = _locked(redrive.id, Outcome.SENT).where(item.sent_at <= now - timedelta(seconds=redrive.settle_s))
    due = due.where(was_listened_for(redrive.settle_s))
    sent_ids = session.scalars(due.with_only_columns(item.sent_id)).all()
    absorb_strays(session, [sent_id for sent_id in sent_ids if sent_id], now=now)
    return session.execute(due).all()


def _locked(redrive_id: int, outcome: Outcome) -> Select[int, int, str | None]:
    item = models.RedriveItem
    query = select(item.position, item.event_id, item.target_arn)
    query = query.where(item.redrive_id == redrive_id, item.outcome == outcome)
    return query.order_by(item.position).limit(_MOST).with_for_update()


_BEFORE = {Outcome.UNKNOWN: Outcome.SENDING, Outcome.SUCCEEDED: Outcome.SENT}


def _settle(
    session: Session,
    redrive: models.Redrive,
    rows: Sequence[Settled],
    after: Outcome,
    **values: object,
) -> None:
    """Give *rows* of a locked redrive their last outcome, and let their events follow."""
    if not rows:
        return
    item, event = models.RedriveItem, models.Event
    query = update(item).where(item.redrive_id == redrive.id, item.position.in_([position for position, *_ in rows]))
    session.execute(query.values(outcome=after, **values).execution_options(synchronize_session=False))
    shift(redrive, _BEFORE[after], after, len(rows))
    saw(redrive, after, len(rows))
    note_moves(session, [(target, _BEFORE[after], after) for *_, target in rows])
    ours = and_(event.id.in_([event_id for _, event_id, _ in rows]), event.redrive_id == redrive.id)
    freed = {"redrive_id": None, "last_outcome": after.value}
    move_where(session, [ours], event_status_after(after), values=freed)
