"""The idempotency pre-flight once more, at the moment of sending: minutes may lie between the plan and this event."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from sqlalchemy import Engine

from deadletter.errors import RedriveError
from deadletter.ports import Clock, OpenRecords
from deadletter.preflight import KeyRules, Protection, Rules, at_send
from deadletter.redrive.preflight import Asked, Keyed, key_event, look_up
from deadletter.store import read
from deadletter.store.redrives.claims import Claimed
from deadletter.store.redrives.sendable import Sendable
from deadletter.store.targets import rules_of

log = logging.getLogger(__name__)


class LastLook:
    """Looks up, just before a send call, the events whose plan had a pre-flight. Thread-safe: it keeps nothing.

    A table that cannot be read holds nothing back: the handler reads it too, and protects itself. An event that the
    plan said is done is the exception: nobody agreed to run it.
    """

    def __init__(self, engine: Engine, open_records: OpenRecords, clock: Clock) -> None:
        self._engine = engine
        self._open_records = open_records
        self._clock = clock

    def __call__(self, claims: Sequence[Claimed]) -> Mapping[int, str]:
        """Return why some of *claims* are not to be sent after all, by event id."""
        planned = {claimed.event_id: claimed for claimed in claims if claimed.protection is not None}
        if not planned:
            return {}
        with read(self._engine) as session:
            rules = rules_of(session, {claimed.target.arn for claimed in planned.values()})
        asked = [
            Asked(event_id, claimed.target, rules[claimed.target.arn])
            for event_id, claimed in planned.items()
            if claimed.target.arn in rules
        ]
        keyed = {one.event_id: _key(planned[one.event_id], one.rules) for one in asked}
        checked = look_up(asked, keyed, self._open_records, now=self._clock.now())
        return {
            event_id: reason
            for event_id, found in checked.items()
            if (reason := _reason(planned[event_id], found.state, found.reason))
        }


def _key(claimed: Claimed, rules: Rules) -> Keyed:
    try:
        one = Sendable(claimed.event_id, claimed.message, claimed.supplement)
        return key_event(one, claimed.target, KeyRules.of(rules), claimed.edited)
    except RedriveError as error:
        return Keyed(state=Protection.UNCHECKED, reason=str(error))


def _reason(claimed: Claimed, found: Protection, why: str | None) -> str | None:
    planned = claimed.protection or Protection.UNCHECKED
    if found is Protection.UNCHECKED and planned is Protection.DONE:
        return f"The plan said that it is done already, and just before sending that could not be checked: {why}"
    if found is Protection.UNCHECKED:
        log.warning("an event is sent unchecked", extra={"event": claimed.event_id, "why": why})
    return at_send(planned, found, skip_done=claimed.skip_done)
