"""A person's hand on a redrive under way: pause, resume, another pace. Each answers with the redrive's page."""

from __future__ import annotations

from flask import Blueprint, redirect, request, url_for
from werkzeug.wrappers import Response

from console.context import actor, engine, now
from console.steering import read_pace
from console.views.redrives import page
from deadletter import redrive as use
from deadletter.errors import BadInput, IllegalMove

bp = Blueprint("steering", __name__, url_prefix="/redrives")


@bp.post("/<int:redrive_id>/pause")
def pause(redrive_id: int) -> Response | tuple[str, int]:
    """Send nothing more until somebody resumes it."""
    try:
        use.pause(engine(), redrive_id, by=actor(), now=now())
    except IllegalMove as error:
        return page(redrive_id, notice=str(error)), 409
    return _back(redrive_id)


@bp.post("/<int:redrive_id>/resume")
def resume(redrive_id: int) -> Response | tuple[str, int]:
    """Go on where it was paused, or with a new canary after it tripped."""
    try:
        use.resume(engine(), redrive_id, by=actor(), now=now())
    except IllegalMove as error:
        return page(redrive_id, notice=str(error)), 409
    return _back(redrive_id)


@bp.post("/<int:redrive_id>/rate")
def rate(redrive_id: int) -> Response | tuple[str, int]:
    """Send faster or slower from now on."""
    try:
        use.change_pace(engine(), redrive_id, read_pace(request.form), by=actor(), now=now())
    except BadInput as error:
        return page(redrive_id, notice=str(error)), 422
    except IllegalMove as error:
        return page(redrive_id, notice=str(error)), 409
    return _back(redrive_id)


def _back(redrive_id: int) -> Response:
    return redirect(url_for("redrives.show", redrive_id=redrive_id), 303)
