"""One event's payload as a form: what it starts from, what was made of it, and a plan of that."""

from __future__ import annotations

import hashlib

from console.context import actor, engine, listeners, now, open_records, session, settings
from deadletter import redrive as use
from deadletter.editing import Diff, diff, editable, read_edited
from deadletter.editing.payload import payload_of
from deadletter.errors import BadInput, ChangedSincePlan, NotFound
from deadletter.parse import parse_message
from deadletter.redrive.editing import ByHand
from deadletter.store.redrives.edits import edits_of_event
from deadletter.store.redrives.sendable import iter_sendable

CHANGED = "Another record of this event came in meanwhile, so its payload is not the one that you edited. Look again."


def start_of(event_id: int, base: str) -> str:
    """Return the text that a form starts from: its masks stand for that text's secrets. *base*: the edit of a redrive.

    Raises:
        BadInput: The record does not hold the payload.
        NotFound: There is no such edit.
    """
    if not base:
        return _original(event_id)
    for edit in edits_of_event(session(), event_id):
        if str(edit.redrive_id) == base:
            return edit.payload
    raise NotFound(f"Event {event_id} has no edit in redrive {base[:20]!r}.")


def form_of(event_id: int, base: str) -> tuple[str, str]:
    """Return the text to edit, secrets behind numbered masks, and the digest of what it was made of."""
    start = start_of(event_id, base)
    return editable(start, settings().secrets), digest_of(start)


def read_edit(event_id: int, base: str, text: str, digest: str) -> tuple[str, Diff]:
    """Return what is to be sent, and what that changes of the original.

    Raises:
        BadInput: Nothing changed, or a mask stands where there was none.
        ChangedSincePlan: *digest* is not that of what the form starts from.
    """
    start, secrets = start_of(event_id, base), settings().secrets
    if digest != digest_of(start):
        raise ChangedSincePlan(CHANGED)
    edited = read_edited(text, start, secrets)
    changes = diff(_original(event_id), edited, secrets)
    if changes.is_empty:
        raise BadInput("Nothing changed, so there is nothing to review. Redrive the event as it is, or edit it.")
    return edited, changes


def plan_edit(event_id: int, edited: str) -> int:
    """Plan a redrive of one event with another payload; return its id. Sends nothing."""
    return use.create_plan(
        engine(),
        [event_id],
        edit=ByHand(edited),
        open_records=open_records(),
        listeners=listeners(),
        asked_by=actor(),
        settings=settings(),
        now=now(),
    )


def digest_of(text: str) -> str:
    """Return the SHA-256 (hex) of a payload."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _original(event_id: int) -> str:
    one = next(iter_sendable(session(), [event_id]))
    payload = payload_of(one.message, parse_message(one.message), one.supplement)
    if payload is None:
        raise BadInput("The record does not hold the event's payload, so there is nothing to edit.")
    return payload
