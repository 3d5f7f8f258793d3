"""Two pairs of eyes: which redrives need a second person's approval, and whether an approval still holds. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

from deadletter.access import Forbidden
from deadletter.errors import ChangedSincePlan, IllegalMove


@dataclass(frozen=True, slots=True)
class ApprovalRules:
    """Which redrives need an approval.

    Those of more than `above` events (0: none for its size), and those with a target whose ARN matches one of
    `targets` (`*` and `?` as in a shell). An approval that was asked for is void after `hours`.
    """

    above: int = 0
    targets: tuple[str, ...] = ()
    hours: float = 24.0


@dataclass(frozen=True, slots=True)
class Asked:
    """A redrive that waits for an approval: of which plan, asked by whom, until when."""

    digest: str
    asked_by: str
    expires_at: datetime


def why_approval(rules: ApprovalRules, *, count: int, target_arns: Sequence[str]) -> str | None:
    """Return why a plan of *count* events to *target_arns* needs a second person; None where it needs none."""
    reasons = [*_size(rules, count), *(_target(arn) for arn in sorted(set(target_arns)) if _guarded(rules, arn))]
    return " ".join(reasons) or None


def check_approval(asked: Asked, *, digest: str, by: str, now: datetime) -> None:
    """Raise unless *by* may approve now what was *asked*, having seen the plan of *digest*.

    Raises:
        Forbidden: It is the one who asked.
        IllegalMove: The question is too old.
        ChangedSincePlan: Another plan was seen.
    """
    if by == asked.asked_by:
        raise Forbidden(f"{by} asked for this redrive, so somebody else has to approve it.")
    if now >= asked.expires_at:
        raise IllegalMove("It was asked too long ago: the question has expired. Confirm the plan again to ask anew.")
    if digest != asked.digest:
        raise ChangedSincePlan("What you saw is not the plan that the approval is asked for. Look at its page again.")


def _size(rules: ApprovalRules, count: int) -> Iterable[str]:
    if rules.above and count > rules.above:
        yield f"It sends {count:,} events, and more than {rules.above:,} need a second person."


def _guarded(rules: ApprovalRules, arn: str) -> bool:
    return any(fnmatchcase(arn, pattern) for pattern in rules.targets)


def _target(arn: str) -> str:
    return f"Whatever is sent to {arn} needs a second person."
