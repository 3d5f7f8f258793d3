"""Planning what a form of the pages, or a body of the API, asks for: its fields, and its scope."""

from __future__ import annotations

from collections.abc import Sequence

from console import steering
from console.context import actor, engine, listeners, now, open_records, settings
from console.forms import Form, read_rate, read_transform
from console.sign_in.scope import check_selection
from deadletter import redrive as use
from deadletter.access import Permission
from deadletter.errors import BadInput
from deadletter.filters import EventFilter
from deadletter.redrive.editing import AsSentLast, Edit


def plan(form: Form, chosen: EventFilter | Sequence[int]) -> int:
    """Plan a redrive of *chosen* as the form says, in the name of who asks; return its id. Sends nothing.

    Raises:
        BadInput: Nothing matches, or a field is not what it must be.
        Forbidden: Some of it came by sources that the asking person may not redrive.
    """
    check_selection(Permission.REDRIVE, chosen)
    edit = _read_edit(form)
    if edit:
        check_selection(Permission.EDIT, chosen)
    target = form.get("target", "").strip()
    return use.create_plan(
        engine(),
        chosen,
        target=use.parse_target(target) if target else None,
        rate=read_rate(form),
        invocation=form.get("invocation", "RequestResponse"),
        edit=edit,
        skip_done=form.get("done") != "send",
        open_records=open_records(),
        listeners=listeners(),
        manner=steering.read_manner(form, now=now()),
        asked_by=actor(),
        settings=settings(),
        now=now(),
    )


def _read_edit(form: Form) -> Edit | None:
    """Return what changes the payloads: a transform, or what was sent last; None where nothing does."""
    transform = read_transform(form)
    if form.get("payloads") != "edited":
        return transform
    if transform:
        raise BadInput("A transform changes the payloads as they failed; what was sent last cannot be meant as well.")
    return AsSentLast()
