"""How pages show edits and the idempotency pre-flight: diffs with secrets masked, states in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from console.format import utc
from deadletter.editing import Diff, diff
from deadletter.editing.payload import payload_of
from deadletter.parse import parse_message
from deadletter.preflight import Protection, is_protected
from deadletter.secret_rules import SecretRules
from deadletter.store.redrives.edits import EditRow

_TONES = {
    Protection.DONE: "good",
    Protection.RUNNING: "busy",
    Protection.NOT_SEEN: "none",
    Protection.CRASHED: "warn",
    Protection.EXPIRED: "bad",
    Protection.NO_KEY: "bad",
    Protection.REFUSED: "warn",
    Protection.UNCHECKED: "warn",
}


class ShownState(NamedTuple):
    """One state of the pre-flight on a plan's page."""

    state: Protection
    n: int
    tone: str
    protected: bool


def moment(seconds: int) -> str:
    """Return a time that a record says in seconds since 1970, or the number itself where no calendar has it."""
    try:
        return utc(datetime.fromtimestamp(seconds, tz=UTC))
    except (OverflowError, OSError, ValueError):
        return f"{seconds:,}"


def protection(state: Protection) -> str:
    """Return the style of a state."""
    return _TONES[state]


def protections(preflight: Mapping[str, Any]) -> Sequence[ShownState]:
    """Return the states that a plan's events are in, in the order in which the words explain each other."""
    counts: Mapping[str, int] = preflight["states"]
    return [ShownState(state, counts[state], _TONES[state], is_protected(state)) for state in _TONES if state in counts]


class ShownEdit(NamedTuple):
    """One event's edit, and what it changes."""

    edit: EditRow
    diff: Diff

    @property
    def sent(self) -> bool:
        """Whether it was handed to the target."""
        return self.edit.sent_at is not None


def shown_edit(edit: EditRow, secrets: SecretRules) -> ShownEdit:
    """Return *edit* with its diff from the original."""
    before = payload_of(edit.message, parse_message(edit.message), edit.supplement) or ""
    return ShownEdit(edit, diff(before, edit.payload, secrets))
