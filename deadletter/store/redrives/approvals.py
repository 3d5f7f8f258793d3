"""Approvals: asked for when somebody confirms a plan that needs one, and decided by somebody else, once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from deadletter.approval import Asked, check_approval
from deadletter.errors import IllegalMove
from deadletter.event import storable
from deadletter.outcome import RedriveStatus, check_redrive_move
from deadletter.store.models import Approval, Redrive
from deadletter.store.redrives.locks import lock


@dataclass(frozen=True, slots=True)
class ApprovalRow:
    """One question and its answer: `approved` is None while nobody has answered."""

    digest: str
    asked_by: str
    asked_at: datetime
    expires_at: datetime
    approved: bool | None
    decided_by: str | None
    decided_at: datetime | None
    reason: str | None


def ask(session: Session, redrive_id: int, *, by: str, hours: float, now: datetime) -> None:
    """Let a locked, planned redrive wait for somebody else's approval of its plan as it is now."""
    redrive = lock(session, redrive_id)
    _move(redrive, RedriveStatus.AWAITING_APPROVAL)
    expires_at = now + timedelta(hours=hours)
    session.add(
        Approval(redrive_id=redrive_id, digest=redrive.digest, asked_by=by, asked_at=now, expires_at=expires_at)
    )


def approve(session: Session, redrive_id: int, *, digest: str, by: str, now: datetime) -> str:
    """Approve what waits for it; it is `planned` again, and free to start. Return who asked.

    Raises:
        NotFound: There is no such redrive.
        IllegalMove: It waits for no approval, or the question has expired.
        ChangedSincePlan, Forbidden: See `check_approval`.
    """
    asked = _pending(session, redrive_id)
    check_approval(Asked(asked.digest, asked.asked_by, asked.expires_at), digest=digest, by=by, now=now)
    _decide(session, asked, by=by, now=now, approved=True, reason=None)
    return asked.asked_by


def refuse(session: Session, redrive_id: int, *, by: str, reason: str, now: datetime) -> None:
    """Refuse what waits for an approval: it is a plan again. Whoever asked may take it back by this too."""
    asked = _pending(session, redrive_id)
    _decide(session, asked, by=by, now=now, approved=False, reason=storable(reason)[:1000] or None)


def latest(session: Session, redrive_id: int) -> ApprovalRow | None:
    """Return the latest question about a redrive, with its answer; None where nobody asked."""
    found = session.scalar(_of(redrive_id))
    if found is None:
        return None
    names = ApprovalRow.__dataclass_fields__
    return ApprovalRow(**{name: getattr(found, name) for name in names})


def _pending(session: Session, redrive_id: int) -> Approval:
    redrive = lock(session, redrive_id)
    asked = session.scalar(_of(redrive_id))
    if redrive.status != RedriveStatus.AWAITING_APPROVAL or asked is None:
        raise IllegalMove(f"Redrive {redrive_id} is {redrive.status}: it waits for nobody's approval.")
    return asked


def _decide(  # noqa: PLR0913 - what is kept of it, each by its name
    session: Session, asked: Approval, *, by: str, now: datetime, approved: bool, reason: str | None
) -> None:
    asked.approved, asked.decided_by, asked.decided_at, asked.reason = approved, by, now, reason
    _move(lock(session, asked.redrive_id), RedriveStatus.PLANNED)


def _move(redrive: Redrive, after: RedriveStatus) -> None:
    check_redrive_move(RedriveStatus(redrive.status), after)
    redrive.status = after


def _of(redrive_id: int) -> Select[Approval]:
    return select(Approval).where(Approval.redrive_id == redrive_id).order_by(Approval.id.desc()).limit(1)
