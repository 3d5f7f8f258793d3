"""Trying a target's idempotency settings on one event: its keys, and what was found under them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from deadletter.errors import NetworkError, NotFound
from deadletter.event import TargetRef
from deadletter.ports import OpenRecords
from deadletter.preflight import KeyRules, Protection, Record, Rules
from deadletter.redrive.preflight import Keyed, judge, key_event
from deadletter.store.redrives.sendable import iter_sendable


@dataclass(frozen=True, slots=True)
class Tried:
    """The outcome of a try: each key with the record found under it, and what that means for a redrive."""

    event_id: int
    keys: Sequence[tuple[str, Record | None]]
    state: Protection
    reason: str | None = None


def try_event(  # noqa: PLR0913 - what is tried on what, each by its name
    session: Session, event_id: int, target: TargetRef, rules: Rules, open_records: OpenRecords, *, now: datetime
) -> Tried:
    """Compute the keys of one event as the consumer behind *target* would, and look them up.

    Raises:
        NotFound: There is no such event.
        BadInput: The rules hold an expression that is none.
    """
    one = next(iter_sendable(session, [event_id]), None)
    if one is None:
        raise NotFound(f"There is no event {event_id}.")
    keyed = key_event(one, target, KeyRules.of(rules))
    if keyed.state is not None:
        return Tried(event_id, [], keyed.state, keyed.reason)
    return _looked_up(event_id, keyed, target, rules, open_records, now)


def _looked_up(  # noqa: PLR0913, PLR0917 - as above
    event_id: int, keyed: Keyed, target: TargetRef, rules: Rules, open_records: OpenRecords, now: datetime
) -> Tried:
    keys = [key for key, _ in keyed.keys]
    try:
        records = open_records(rules, target.arn).look_up(keys)
    except NetworkError as error:
        return Tried(event_id, [(key, None) for key in keys], Protection.UNCHECKED, str(error))
    return Tried(event_id, [(key, records.get(key)) for key in keys], judge(keyed, records, now).state)
