"""The states of an event, a redrive and one event in one redrive, and the only moves between them. Pure."""

from __future__ import annotations

from enum import StrEnum

from deadletter.errors import IllegalMove


class EventStatus(StrEnum):
    """Where an event stands. `redriving` means that one open redrive has claimed it."""

    UNRESOLVED = "unresolved"
    REDRIVING = "redriving"
    RESOLVED = "resolved"
    ARCHIVED = "archived"


class GroupState(StrEnum):
    """What else there is to a group besides where its events stand.

    `snoozed`: nobody wants to see it before a time, or before it has failed so often again. `awake`: it is not.
    `regressed`: it failed anew after it was resolved, and is not snoozed.
    """

    AWAKE = "awake"
    SNOOZED = "snoozed"
    REGRESSED = "regressed"


class RedriveStatus(StrEnum):
    """Where a redrive stands. `watching`: everything is sent, not every outcome is known.

    `awaiting_approval`: somebody confirmed the plan, and a second person has to approve it.

    `paused` by a person and `tripped` by the breaker both send nothing until a person resumes or cancels.
    """

    PLANNED = "planned"
    AWAITING_APPROVAL = "awaiting_approval"
    RUNNING = "running"
    PAUSED = "paused"
    TRIPPED = "tripped"
    WATCHING = "watching"
    FINISHED = "finished"
    CANCELLED = "cancelled"


class Outcome(StrEnum):
    """What became of one event in one redrive.

    `sending` is claimed by a worker that is talking to the target; it becomes `unknown` when that worker dies.
    """

    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    SUCCEEDED = "succeeded"
    FAILED_AGAIN = "failed_again"
    SKIPPED = "skipped"
    UNKNOWN = "unknown"

    @property
    def words(self) -> str:
        """The outcome as people read it."""
        return self.value.replace("_", " ")


EVENT_MOVES: dict[EventStatus, frozenset[EventStatus]] = {
    EventStatus.UNRESOLVED: frozenset({EventStatus.REDRIVING, EventStatus.ARCHIVED, EventStatus.RESOLVED}),
    EventStatus.REDRIVING: frozenset({EventStatus.RESOLVED, EventStatus.UNRESOLVED}),
    # A presumed success can turn out to be a failure when its record arrives late.
    EventStatus.RESOLVED: frozenset({EventStatus.UNRESOLVED, EventStatus.ARCHIVED}),
    EventStatus.ARCHIVED: frozenset({EventStatus.UNRESOLVED}),
}

REDRIVE_MOVES: dict[RedriveStatus, frozenset[RedriveStatus]] = {
    RedriveStatus.PLANNED: frozenset({RedriveStatus.AWAITING_APPROVAL, RedriveStatus.RUNNING, RedriveStatus.CANCELLED}),
    # Approved, it is a plan for a moment and then runs; refused, or changed in the meantime, it is a plan again.
    RedriveStatus.AWAITING_APPROVAL: frozenset({RedriveStatus.PLANNED, RedriveStatus.CANCELLED}),
    RedriveStatus.RUNNING: frozenset(
        {
            *(RedriveStatus.PAUSED, RedriveStatus.TRIPPED),
            *(RedriveStatus.WATCHING, RedriveStatus.FINISHED, RedriveStatus.CANCELLED),
        }
    ),
    # The last of it was on its way when it was held: nothing waits any more.
    RedriveStatus.PAUSED: frozenset(
        {RedriveStatus.RUNNING, RedriveStatus.WATCHING, RedriveStatus.FINISHED, RedriveStatus.CANCELLED}
    ),
    RedriveStatus.TRIPPED: frozenset(
        {RedriveStatus.RUNNING, RedriveStatus.WATCHING, RedriveStatus.FINISHED, RedriveStatus.CANCELLED}
    ),
    RedriveStatus.WATCHING: frozenset({RedriveStatus.FINISHED, RedriveStatus.CANCELLED}),
    RedriveStatus.FINISHED: frozenset(),
    RedriveStatus.CANCELLED: frozenset(),
}

OUTCOME_MOVES: dict[Outcome, frozenset[Outcome]] = {
    Outcome.WAITING: frozenset({Outcome.SENDING, Outcome.SKIPPED}),
    Outcome.SENDING: frozenset(
        # Back to waiting: the target was busy and did not take it.
        {Outcome.SENT, Outcome.SUCCEEDED, Outcome.FAILED_AGAIN, Outcome.SKIPPED, Outcome.UNKNOWN, Outcome.WAITING}
    ),
    Outcome.SENT: frozenset({Outcome.SUCCEEDED, Outcome.FAILED_AGAIN}),
    Outcome.SUCCEEDED: frozenset({Outcome.FAILED_AGAIN}),
    # A worker thought dead that still reports, or a failure that comes back with an id we had not yet written.
    Outcome.UNKNOWN: frozenset({Outcome.SENT, Outcome.SUCCEEDED, Outcome.FAILED_AGAIN}),
    Outcome.FAILED_AGAIN: frozenset(),
    Outcome.SKIPPED: frozenset(),
}

HELD = frozenset({RedriveStatus.PAUSED, RedriveStatus.TRIPPED})
"""Statuses in which a redrive that was started sends nothing until a person resumes it."""

SETTLED = frozenset({Outcome.SUCCEEDED, Outcome.FAILED_AGAIN, Outcome.SKIPPED, Outcome.UNKNOWN})
"""Outcomes that end an event's part in a redrive."""


def check_event_move(before: EventStatus, after: EventStatus) -> None:
    """Raise IllegalMove unless an event may go from *before* to *after*."""
    if after not in EVENT_MOVES[before]:
        message = f"An event that is {before} cannot become {after}."
        raise IllegalMove(message)


def check_redrive_move(before: RedriveStatus, after: RedriveStatus) -> None:
    """Raise IllegalMove unless a redrive may go from *before* to *after*."""
    if after not in REDRIVE_MOVES[before]:
        message = f"A redrive that is {before} cannot become {after}."
        raise IllegalMove(message)


def event_status_after(outcome: Outcome) -> EventStatus:
    """Return where an event stands once a redrive ended with *outcome* for it.

    An `unknown` one is unresolved: it may have run, nobody can tell, so a person decides. So is a skipped one:
    nothing was sent.
    """
    if outcome in {Outcome.SENT, Outcome.SENDING, Outcome.WAITING}:
        return EventStatus.REDRIVING
    return EventStatus.RESOLVED if outcome is Outcome.SUCCEEDED else EventStatus.UNRESOLVED
