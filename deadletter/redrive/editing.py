"""Edits on their way into a plan: one by hand, or one transform for all of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sqlalchemy.orm import Session

from deadletter.editing.payload import payload_of
from deadletter.expressions import CannotApply
from deadletter.parse import parse_message
from deadletter.store.redrives.edits import last_sent
from deadletter.store.redrives.sendable import iter_sendable


class Edit(Protocol):
    """A change to payloads.

    `how` is `by hand`, `json-patch`, `jmespath` or `as sent last`; `text` what the operator wrote of it.
    """

    @property
    def how(self) -> str:
        """Return how the change was made."""
        ...

    @property
    def text(self) -> str:
        """Return the transform as it was written; empty for an edit by hand."""
        ...

    def apply(self, payload: str) -> str | None:
        """Return *payload* changed, None where nothing changes. Raises CannotApply."""
        ...


@dataclass(frozen=True, slots=True)
class ByHand:
    """One event's payload as a person wrote it."""

    payload: str
    how: str = "by hand"
    text: str = ""

    def apply(self, payload: str) -> str | None:
        """Return what the person wrote, None where that is what stood there."""
        return None if payload == self.payload else self.payload


@dataclass(frozen=True, slots=True)
class AsSentLast:
    """The payload that each event was last sent with, where that was not its own."""

    how: str = "as sent last"
    text: str = ""

    def apply(self, payload: str) -> str | None:
        """Return None: what an event was sent with says its number, not its payload."""
        del payload
        return None


@dataclass(slots=True)
class Edited:
    """What an edit makes of events: new payloads and refusals by event id, and how many it leaves as they are."""

    payloads: dict[int, str] = field(default_factory=dict)
    unfit: dict[int, str] = field(default_factory=dict)
    unchanged: int = 0

    def digest(self, event_id: int) -> str | None:
        """Return the SHA-256 (hex) of an event's new payload; None where it has none."""
        payload = self.payloads.get(event_id)
        return None if payload is None else hashlib.sha256(payload.encode("utf-8", "surrogatepass")).hexdigest()

    def counts(self) -> dict[str, int]:
        """Return how many events it changes, leaves as they are, and does not fit."""
        return {"changed": len(self.payloads), "unchanged": self.unchanged, "unfit": len(self.unfit)}


def edit_all(session: Session, event_ids: Sequence[int], edit: Edit | None) -> Edited:
    """Return what *edit* makes of the events."""
    edited = Edited()
    if isinstance(edit, AsSentLast):
        edited.payloads = last_sent(session, event_ids)
        edited.unchanged = len(event_ids) - len(edited.payloads)
        return edited
    for one in iter_sendable(session, event_ids) if edit else ():
        event_id, payload = one.event_id, payload_of(one.message, parse_message(one.message), one.supplement)
        try:
            changed = _apply(edit, payload)
        except CannotApply as error:
            edited.unfit[event_id] = f"The edit does not fit it: {error}"
        else:
            if changed is None:
                edited.unchanged += 1
            else:
                edited.payloads[event_id] = changed
    return edited


def _apply(edit: Edit | None, payload: str | None) -> str | None:
    if payload is None:
        raise CannotApply("Its record does not hold the payload.")
    return edit.apply(payload) if edit else None
