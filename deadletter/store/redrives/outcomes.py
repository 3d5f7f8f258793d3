"""What became of events: recorded by the worker that sent them, settled by silence, or unknown when the worker died."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache

from sqlalchemy import Select, and_, bindparam, select, update
from sqlalchemy.orm import Session

from deadletter.fingerprint import Fingerprint
from deadletter.outcome import OUTCOME_MOVES, SETTLED, EventStatus, Outcome, RedriveStatus, event_status_after
from deadletter.store import models
from deadletter.store.engine import is_postgres
from deadletter.store.failures import FailedAgain, fail_again
from deadletter.store.moves import move_where
from deadletter.store.redrives.care import saw
from deadletter.store.redrives.handed import write_sent
from deadletter.store.redrives.locks import advance, lock, shift
from deadletter.store.redrives.pauses import Busy, note_answers
from deadletter.store.redrives.plans import cancel_reason
from deadletter.store.rowset import given, one_of, one_of_named, table_of, update_rows
from deadletter.store.strays import absorb_strays
from deadletter.store.text import MAX_MESSAGE, MAX_NAME, kept, kept_id
from deadletter.store.totals import note_moves


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a worker says of one item that it claimed.

    `fingerprint` is the new failure's, where it failed again; `busy` says why an item is `waiting` again, where the
    target did not want it now.
    """

    position: int
    event_id: int
    outcome: Outcome
    sent_id: str | None = None
    reason: str | None = None
    evidence: str | None = None
    error_type: str | None = None
    error_message: str | None = None
    stack_trace: tuple[str, ...] | None = None
    fingerprint: Fingerprint | None = None
    busy: Busy | None = None
    target_arn: str = ""
    refused: bool = False
    """Whether it is skipped because the target would never take it, which the breaker counts."""


def record(session: Session, redrive_id: int, reports: Sequence[Report], *, worker: str, now: datetime) -> None:
    """Write down what became of the items that *worker* claimed in one redrive, with every counter that follows.

    An item that was taken for lost (`unknown`) since may still turn into the truth; anything else that is not this
    worker's claim any more is left as it is.
    """
    redrive = lock(session, redrive_id)
    before = _claims(session, redrive_id, [report.position for report in reports], worker)
    legal = [_as_cancelled(report, redrive) for report in reports if _may(before.get(report.position), report)]
    _take_back(session, redrive_id, [r.event_id for r in legal if before[r.position] is Outcome.UNKNOWN])
    groups_before = _groups_of(session, legal)
    groups = _fail_again(session, redrive_id, legal, now)
    _write_items(session, redrive_id, legal, groups, now)
    for (was, outcome), n in Counter((before[report.position], report.outcome) for report in legal).items():
        shift(redrive, was, outcome, n)
    for report in legal:
        same = report.event_id in groups and groups[report.event_id] == groups_before.get(report.event_id)
        saw(redrive, report.outcome, same_cause=same, refused=report.refused)
    for outcome in {report.outcome for report in legal}:
        _follow(session, redrive_id, outcome, [report.event_id for report in legal if report.outcome is outcome])
    absorb_strays(session, [r.sent_id for r in legal if r.outcome is Outcome.SENT and r.sent_id], now=now)
    note_moves(session, [(r.target_arn, before[r.position], r.outcome) for r in legal])
    _note_answers(session, redrive, legal, now)
    advance(redrive, now)


def _claims(session: Session, redrive_id: int, positions: Sequence[int], worker: str) -> Mapping[int, Outcome]:
    """Return the outcome so far of the items that *worker* claimed, by position; locked."""
    asked = {"redrive": redrive_id, "positions": given(session, positions), "worker": worker}
    rows = session.connection().execute(_claimed_by(postgres=is_postgres(session)), asked)
    return {position: Outcome(outcome) for position, outcome in rows}


@cache
def _claimed_by(*, postgres: bool) -> Select[int, str]:
    item = table_of(models.RedriveItem).c
    chosen = one_of_named("positions", item.position, postgres=postgres)
    query = select(item.position, item.outcome).where(item.redrive_id == bindparam("redrive"), chosen)
    query = query.where(item.claimed_by == bindparam("worker"), item.outcome.in_([Outcome.SENDING, Outcome.UNKNOWN]))
    return query.order_by(item.position).with_for_update()


def _groups_of(session: Session, reports: Sequence[Report]) -> Mapping[int, int]:
    """Return the group that each event which failed again was in before, by event id."""
    failed = [report.event_id for report in reports if report.outcome is Outcome.FAILED_AGAIN]
    if not failed:
        return {}
    query = select(models.Event.id, models.Event.group_id).where(models.Event.id.in_(failed))
    return {row.id: row.group_id for row in session.execute(query)}


def _may(before: Outcome | None, report: Report) -> bool:
    return before is not None and report.outcome in OUTCOME_MOVES[before]


def _as_cancelled(report: Report, redrive: models.Redrive) -> Report:
    """Return *report*; what would wait for its next turn is skipped when the redrive was cancelled meanwhile."""
    if report.outcome is Outcome.WAITING and redrive.status == RedriveStatus.CANCELLED:
        return replace(report, outcome=Outcome.SKIPPED, reason=cancel_reason(redrive.cancelled_by))
    return report


def _take_back(session: Session, redrive_id: int, event_ids: Sequence[int]) -> None:
    """Claim again the events of items that were `unknown`, unless something else has claimed them since."""
    free = and_(models.Event.id.in_(event_ids), models.Event.redrive_id.is_(None))
    if event_ids:
        claim = {"redrive_id": redrive_id}
        move_where(session, [free], EventStatus.REDRIVING, values=claim, before={EventStatus.UNRESOLVED})


def _fail_again(session: Session, redrive_id: int, reports: Iterable[Report], now: datetime) -> Mapping[int, int]:
    """Count the new failures; return the group of each by event id."""
    failures = [
        FailedAgain(
            event_id=report.event_id,
            fingerprint=report.fingerprint,
            error_type=report.error_type,
            error_message=report.error_message,
            occurred_at=now,
            redrive_id=redrive_id,
        )
        for report in reports
        if report.outcome is Outcome.FAILED_AGAIN and report.fingerprint is not None
    ]
    return fail_again(session, failures) if failures else {}


_WRITTEN = (
    "outcome", "reason", "sent_id", "settled_at", "evidence", "error_type", "error_message",
    "stack_trace", "group_id",
)  # fmt: skip


def _write_items(
    session: Session, redrive_id: int, reports: Sequence[Report], groups: Mapping[int, int], now: datetime
) -> None:
    taken = [report for report in reports if report.outcome is Outcome.SENT and report.evidence is None]
    write_sent(session, redrive_id, [(report.position, kept_id(report.sent_id)) for report in taken])
    if len(taken) == len(reports):
        return
    known = {report.position for report in taken}
    rows = [
        {
            "redrive_id": redrive_id,
            "position": report.position,
            "outcome": report.outcome,
            "reason": kept(report.reason, MAX_MESSAGE),
            "sent_id": kept_id(report.sent_id),
            "settled_at": now if report.outcome in SETTLED else None,
            "evidence": report.evidence,
            "error_type": kept(report.error_type, MAX_NAME),
            "error_message": kept(report.error_message, MAX_MESSAGE),
            "stack_trace": report.stack_trace,
            "group_id": groups.get(report.event_id),
        }
        for report in reports
        if report.position not in known
    ]
    update_rows(session, models.RedriveItem, rows, _WRITTEN, ["redrive_id", "position"])
    if unsent := [report.position for report in reports if report.outcome in {Outcome.WAITING, Outcome.SKIPPED}]:
        item = models.RedriveItem
        never = update(item).where(item.redrive_id == redrive_id, item.position.in_(unsent))
        session.execute(never.values(sent_at=None, claimed_by=None).execution_options(synchronize_session=False))


def _follow(session: Session, redrive_id: int, outcome: Outcome, event_ids: Sequence[int]) -> None:
    """Let the events follow the outcome of their items. (Those that failed again did so with their new failure.)"""
    ours = and_(one_of(session, table_of(models.Event).c.id, event_ids), models.Event.redrive_id == redrive_id)
    after = event_status_after(outcome)
    if outcome is Outcome.SENT:
        session.execute(update(table_of(models.Event)).where(ours).values(last_outcome=outcome.value))
    elif after is not EventStatus.REDRIVING and outcome is not Outcome.FAILED_AGAIN:
        move_where(session, [ours], after, values={"redrive_id": None, "last_outcome": outcome.value})


def _note_answers(session: Session, redrive: models.Redrive, reports: Sequence[Report], now: datetime) -> None:
    """Note which targets turned something away, and which answered."""
    turned_away: dict[str, list[Busy]] = {}
    for report in reports:
        if report.busy:
            turned_away.setdefault(report.target_arn, []).append(report.busy)
    answered = {report.target_arn for report in reports if report.sent_id}
    note_answers(session, redrive, turned_away, sorted(answered), now)
