"""What was ever redriven to each target, and what became of it: counters that only grow, for monitoring."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import event, select
from sqlalchemy.orm import Session

from deadletter.outcome import Outcome
from deadletter.store.engine import insert_for
from deadletter.store.models import TargetTotal
from deadletter.store.rowset import table_of

_NOTED = "target totals"
_HANDED_OVER = frozenset({Outcome.SENT, Outcome.SUCCEEDED, Outcome.FAILED_AGAIN})
_COUNTED = {Outcome.SUCCEEDED: "succeeded", Outcome.FAILED_AGAIN: "failed_again", Outcome.UNKNOWN: "unknown"}

Move = tuple[str | None, Outcome, Outcome]
"""One item's change of outcome: its target's ARN, before, after."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetTotals:
    """What one target ever got. What was presumed to have succeeded and came back counts as both."""

    target_arn: str
    redriven: int
    succeeded: int
    failed_again: int
    unknown: int


def note_moves(session: Session, moves: Iterable[Move]) -> None:
    """Count *moves* when the transaction commits: its very last statement, so that this hot row is locked briefly."""
    noted: Counter[tuple[str, str]] = session.info.setdefault(_NOTED, Counter())
    for arn, before, after in moves:
        if arn is None or before is after:
            continue
        if after in _HANDED_OVER and before not in _HANDED_OVER:
            noted[arn, "redriven"] += 1
        if after in _COUNTED:
            noted[arn, _COUNTED[after]] += 1


def list_totals(session: Session) -> Sequence[TargetTotals]:
    """Return the totals of every target that anything was ever sent to, by ARN."""
    rows = session.scalars(select(TargetTotal).order_by(TargetTotal.target_arn))
    return [
        TargetTotals(
            target_arn=row.target_arn,
            redriven=row.redriven,
            succeeded=row.succeeded,
            failed_again=row.failed_again,
            unknown=row.unknown,
        )
        for row in rows
    ]


def _write(session: Session) -> None:
    noted: Counter[tuple[str, str]] = session.info.pop(_NOTED, Counter())
    names = ("redriven", "succeeded", "failed_again", "unknown")
    rows = [{"target_arn": arn} | {name: noted[arn, name] for name in names} for arn in sorted({a for a, _ in noted})]
    if not rows:
        return
    statement = insert_for(session)(table_of(TargetTotal))
    more = {name: statement.table.c[name] + statement.excluded[name] for name in names}
    session.connection().execute(statement.on_conflict_do_update(index_elements=["target_arn"], set_=more), rows)


def _forget(session: Session, _previous: object) -> None:
    session.info.pop(_NOTED, None)


event.listen(Session, "before_commit", _write)
event.listen(Session, "after_soft_rollback", _forget)
