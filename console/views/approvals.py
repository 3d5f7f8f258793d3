"""The second pair of eyes: approve a redrive that somebody else confirmed, or refuse it."""

from __future__ import annotations

from flask import Blueprint, redirect, request, url_for
from werkzeug.wrappers import Response

from console.context import actor, engine, now
from deadletter.redrive import approving

bp = Blueprint("approvals", __name__, url_prefix="/redrives/<int:redrive_id>")


@bp.post("/approve")
def approve(redrive_id: int) -> Response:
    """Approve the plan that was seen, which starts it; 409 where it is another one by now."""
    approving.approve(engine(), redrive_id, digest=request.form.get("digest", ""), by=actor(), now=now())
    return redirect(url_for("redrives.show", redrive_id=redrive_id), 303)


@bp.post("/refuse")
def refuse(redrive_id: int) -> Response:
    """Refuse it, or take one's own question back: it is a plan again."""
    approving.refuse(engine(), redrive_id, by=actor(), reason=request.form.get("reason", ""), now=now())
    return redirect(url_for("redrives.show", redrive_id=redrive_id), 303)
