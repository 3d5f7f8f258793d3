"""The allow-list at the moment of sending: a source may have been removed, or a setting changed, since the plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import monotonic

from sqlalchemy import Engine

from deadletter.allowed import NAMED_BY_AWS
from deadletter.parse import parse_message
from deadletter.store import read
from deadletter.store.allowed import allow_list
from deadletter.store.redrives.claims import Claimed

KEPT_S = 2.0
"""How long an answer is used: a redrive of many sends hundreds of calls a second to one target."""

HoldBack = Callable[[Sequence[Claimed]], Mapping[int, str]]


class Gate:
    """Lets through what may be sent to its target, and then asks *then*. Thread-safe: an answer is only replaced.

    Args:
        engine: The database.
        patterns: The settings' patterns of targets.
        then: What looks at the claims that the gate lets through.
        ticks: Seconds that only go forward.
    """

    def __init__(
        self, engine: Engine, patterns: tuple[str, ...], then: HoldBack, ticks: Callable[[], float] = monotonic
    ) -> None:
        self._engine = engine
        self._patterns = patterns
        self._then = then
        self._ticks = ticks
        self._refused: dict[str, tuple[float, str | None]] = {}

    def __call__(self, claims: Sequence[Claimed]) -> Mapping[int, str]:
        """Return why some of *claims* are not to be sent after all, by event id."""
        barred = {each.event_id: why for each in claims if (why := self._why(each.target.arn)) and not _by_sqs(each)}
        return {**barred, **self._then([each for each in claims if each.event_id not in barred])}

    def _why(self, arn: str) -> str | None:
        until, why = self._refused.get(arn, (0.0, None))
        if self._ticks() >= until:
            with read(self._engine) as session:
                why = allow_list(session, [arn], self._patterns).why_not(arn)
            self._refused[arn] = (self._ticks() + KEPT_S, why)
        return why


def _by_sqs(claimed: Claimed) -> bool:
    """Return whether SQS itself names the target in the message's own attributes."""
    event = parse_message(claimed.message)
    return event.producer in NAMED_BY_AWS and event.target == claimed.target
