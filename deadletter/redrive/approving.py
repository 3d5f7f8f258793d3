"""The second pair of eyes: approve what somebody else confirmed, which starts it, or refuse it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Engine

from deadletter.actor import Actor
from deadletter.errors import ChangedSincePlan
from deadletter.store import write
from deadletter.store.audit import note
from deadletter.store.redrives import approvals, get_redrive, plans
from deadletter.store.rows import RedriveRow


def approve(engine: Engine, redrive_id: int, *, digest: str, by: Actor, now: datetime) -> RedriveRow:
    """Approve a redrive and let it run; *digest* is that of the plan that was seen.

    Raises:
        NotFound: There is no such redrive.
        Forbidden: The one who asked approves it.
        IllegalMove: It waits for no approval, or the question has expired.
        ChangedSincePlan: Another plan was seen, or something else happened to events of it since: it is a plan again.
    """
    with write(engine) as session:
        asked_by = approvals.approve(session, redrive_id, digest=digest, by=by.name, now=now)
        changed = plans.skip_changed(session, redrive_id, now)
        verb = "void" if changed else "approve"
        note(session, by, verb, "redrive", redrive_id, details={"digest": digest, "asked_by": asked_by}, now=now)
        if not changed:
            plans.start(session, redrive_id, at_once=False, started_by=asked_by, now=now)
        session.flush()
        row = get_redrive(session, redrive_id)
    if changed:
        raise ChangedSincePlan(
            f"Since this plan was made, something else happened to {changed:,} of its events, so your approval is void "
            "and nothing was sent. It is a plan again, with a new digest: somebody has to confirm it anew."
        )
    return row


def refuse(engine: Engine, redrive_id: int, *, by: Actor, reason: str, now: datetime) -> RedriveRow:
    """Refuse a redrive, or take one's own question back: it is a plan again. Raises NotFound, IllegalMove."""
    with write(engine) as session:
        approvals.refuse(session, redrive_id, by=by.name, reason=reason, now=now)
        note(session, by, "refuse", "redrive", redrive_id, details={"reason": reason[:200]}, now=now)
        session.flush()
        return get_redrive(session, redrive_id)
