"""What an idempotency record says of a redrive: which of seven things the handler would do. Pure.

Source: Powertools for AWS Lambda (Python) 3.37: the condition of `DynamoDBPersistenceLayer._put_record`, and what
`IdempotencyHandler` does when it does not hold. DynamoDB's TTL deletes late, so an expired record is still read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Protection(StrEnum):
    """What the handler's own record makes of a redrive of one event; `unchecked` where nobody could look."""

    DONE = "done"
    RUNNING = "running"
    NOT_SEEN = "not_seen"
    CRASHED = "crashed"
    EXPIRED = "expired"
    NO_KEY = "no_key"
    REFUSED = "refused"
    UNCHECKED = "unchecked"

    @property
    def words(self) -> str:
        """The state as people read it."""
        return _WORDS[self]


_WORDS = {
    Protection.DONE: "done already: will be answered from the record",
    Protection.RUNNING: "running now",
    Protection.NOT_SEEN: "not seen: will run",
    Protection.CRASHED: "crashed part-way: will run, side effects unknown",
    Protection.EXPIRED: "record expired: will run again, unprotected",
    Protection.NO_KEY: "no key in this event: unprotected",
    Protection.REFUSED: "payload differs under the same key: will be refused",
    Protection.UNCHECKED: "could not be checked",
}
_PROTECTED = frozenset({Protection.DONE, Protection.RUNNING, Protection.NOT_SEEN, Protection.REFUSED})
_WORST_FIRST = (
    Protection.UNCHECKED, Protection.NO_KEY, Protection.EXPIRED, Protection.CRASHED, Protection.REFUSED,
    Protection.RUNNING, Protection.NOT_SEEN, Protection.DONE,
)  # fmt: skip
_RUNS = frozenset({Protection.NOT_SEEN, Protection.EXPIRED, Protection.CRASHED, Protection.NO_KEY})


@dataclass(frozen=True, slots=True)
class Record:
    """A handler's record of one key. `expiration` is in seconds since 1970, `in_progress_expiration` in milliseconds.

    `in_progress_expiration` stays on completed records; it is None where the handler's deadline was not known.
    """

    status: str
    expiration: int | None = None
    in_progress_expiration: int | None = None
    validation: str | None = None


def protection(record: Record | None, *, now: datetime, validation: str | None = None) -> Protection:
    """Return what the handler would do at *now*; *validation* is this payload's hash where payloads are validated."""
    if record is None:
        return Protection.NOT_SEEN
    in_progress = record.status == "INPROGRESS"
    if record.expiration is not None and record.expiration < int(now.timestamp()):
        return Protection.CRASHED if in_progress else Protection.EXPIRED
    deadline_ms = record.in_progress_expiration
    if in_progress and deadline_ms is not None and deadline_ms < int(now.timestamp() * 1000):
        return Protection.CRASHED
    if validation is not None and record.validation != validation:
        return Protection.REFUSED  # compared before the status is looked at
    return {"INPROGRESS": Protection.RUNNING, "COMPLETED": Protection.DONE}.get(record.status, Protection.REFUSED)


def worst(states: Iterable[Protection]) -> Protection:
    """Return the state of an event that holds several keys: that of the record that is protected least.

    An event without any key is unprotected.
    """
    return min(states, key=_WORST_FIRST.index, default=Protection.NO_KEY)


def is_protected(state: Protection) -> bool:
    """Return whether the handler's own record keeps this redrive from doing a second time what was done."""
    return state in _PROTECTED


def at_send(planned: Protection, found: Protection, *, skip_done: bool) -> str | None:
    """Return why an event must not be sent after all, looked at again just before; None when it may go.

    What was confirmed as "will be answered from the record" must not run because the record has gone since.
    """
    if found is Protection.DONE and skip_done:
        return "Done already: the handler's idempotency record answers it. It was looked up just before sending."
    if planned is Protection.DONE and found in _RUNS:
        return f"The plan said: {planned.words}. Just before sending its record says: {found.words}. Plan it again."
    return None
