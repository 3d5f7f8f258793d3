"""Groups as pages list them, and the notes on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from deadletter.outcome import EventStatus, GroupState
from deadletter.store.rows.common import StatusCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRow:
    """A group, as lists and its own page show it.

    `spark` holds the failures in each 4 hours of the last 7 days, oldest first: 42 numbers.
    """

    id: int
    fingerprint: str
    fingerprint_version: int
    function_arn: str | None
    function_name: str
    error_type: str | None
    title: str
    masked_message: str | None
    frames: Sequence[str]
    status: EventStatus
    first_seen: datetime
    last_seen: datetime
    counts: StatusCounts
    sources: Sequence[str] = ()
    """Names of the sources that its events came by."""
    spark: Sequence[int] = ()
    assignee: str | None = None
    regressed_at: datetime | None = None
    snoozed_until: datetime | None = None
    snooze_left: int | None = None
    snoozed: bool = False
    """Whether it is asleep now."""
    notes: int = 0
    """How many notes there are on it."""

    @property
    def standing(self) -> str:
        """Where it stands in one word: its status, or `snoozed` or `regressed` where that says more."""
        if self.status is not EventStatus.UNRESOLVED:
            return self.status
        return GroupState.SNOOZED if self.snoozed else GroupState.REGRESSED if self.regressed_at else self.status


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteRow:
    """What somebody wrote about a group."""

    id: int
    at: datetime
    who: str
    text: str
