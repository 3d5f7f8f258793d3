"""Canary, ramp and breaker: when a redrive may go on to more, and when it has to stop by itself. Pure.

A redrive sends a few events (the canary) and waits for their outcomes. If enough succeeded it sends twice as many,
waits again, and so on, until a step is a second's worth at its full rate; from then on it sends at that rate. In every
stage the outcomes of the last events decide whether it goes on at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

DEFAULT_CANARY = 5
"""Events that are sent first, and whose outcomes are awaited before anything else goes."""

DEFAULT_MAX_FAILURES = 0.2
"""The share of the last outcomes, above 0 and at most 1, that may be other than success."""

MAX_CANARY = 10_000

WINDOW = 50
"""How many outcomes, the last ones, are looked at."""

ENOUGH = 5
"""Outcomes below which a share says nothing, unless no more are to come."""

SAME_CAUSE = 3
"""So many failures of the last outcomes by the very cause that they had before say that the cause is still there."""

LONGEST_THROTTLE_S = 300.0
"""How long the targets may take nothing at all before the redrive stops by itself."""


class Stage(StrEnum):
    """How far a running redrive dares to go."""

    CANARY = "canary"
    RAMP = "ramp"
    FULL = "full"


class Seen(StrEnum):
    """What was seen of one event, as one letter, so that a column holds the last ones in order."""

    SUCCEEDED = "s"
    FAILED = "f"
    """By another cause than before."""
    SAME = "F"
    """By the cause that it had failed by before."""
    UNKNOWN = "u"
    REFUSED = "r"
    """The target would never take it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a running redrive stands.

    `recent` are the letters of its last outcomes, oldest first. `step` is the size of the step that it is in (0 at full
    rate), `at_rest` whether that step is all sent and every outcome of it known. `rate` is the full rate, in events
    per second; `throttled_s` for how long the targets have taken nothing. `waiting` events are still to be sent.
    """

    stage: Stage
    step: int
    recent: str
    max_failures: float
    rate: float
    waiting: int
    at_rest: bool = False
    throttled_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Trip:
    """It must stop: why, as sentences."""

    reason: str


@dataclass(frozen=True, slots=True)
class Step:
    """It may go on, with a step of so many events (0: no more steps, the full rate)."""

    stage: Stage
    size: int


def remember(recent: str, seen: str) -> str:
    """Return the letters of the last outcomes once those of *seen* have come."""
    return (recent + seen)[-WINDOW:]


def first_step(canary: int, waiting: int) -> Step:
    """Return how a redrive of *waiting* events begins that is to send *canary* of them first (0: none)."""
    return Step(Stage.CANARY, min(canary, waiting)) if canary else Step(Stage.FULL, 0)


def decide(standing: Standing) -> Trip | Step | None:
    """Return what a running redrive has to do now: stop, go on to the next step, or nothing new.

    With nothing left to send there is nothing to stop. With `max_failures` of 1 the outcomes never stop it.
    """
    if not standing.waiting:
        return None
    if reason := _throttled(standing) or (standing.max_failures < 1 and _failing(standing)):
        return Trip(reason)
    if standing.stage is Stage.FULL or not standing.at_rest:
        return None
    return next_step(standing.stage, standing.step, standing.rate)


def next_step(stage: Stage, step: int, rate: float) -> Step:
    """Return the step after one of *step* events that went well: twice as many, until that is a second at *rate*."""
    size = max(1, step) * 2
    return Step(Stage.FULL, 0) if stage is Stage.RAMP and size >= rate else Step(Stage.RAMP, size)


def _throttled(standing: Standing) -> str | None:
    if standing.throttled_s < LONGEST_THROTTLE_S:
        return None
    return f"Its targets asked to slow down and took nothing for {standing.throttled_s / 60:.0f} minutes."


def _failing(standing: Standing) -> str | None:
    seen = standing.recent
    bad = len(seen) - seen.count(Seen.SUCCEEDED)
    enough = len(seen) >= ENOUGH or (standing.at_rest and seen)
    if enough and bad / len(seen) > standing.max_failures:
        share = f"{bad / len(seen):.0%}, and at most {standing.max_failures:.0%} may"
        return f"Of the last {_outcomes(len(seen))}, {bad} did not succeed ({share}): {describe(seen)}."
    same = seen.count(Seen.SAME)
    if same >= SAME_CAUSE:
        return f"The same cause came back: of the last {_outcomes(len(seen))}, {same} failed as they had before."
    return None


def describe(seen: str) -> str:
    """Return the letters in words, without the successes: ``4 failed with the same cause as before, 1 unknown``."""
    words = {
        Seen.SAME: "failed with the same cause as before",
        Seen.FAILED: "failed with another cause",
        Seen.UNKNOWN: "unknown",
        Seen.REFUSED: "refused by the target",
    }
    return ", ".join(f"{seen.count(letter)} {text}" for letter, text in words.items() if letter in seen)


def _outcomes(n: int) -> str:
    return "1 outcome" if n == 1 else f"{n} outcomes"
