"""Where a redrive may send at all: what is configured or was discovered, and nothing that only a record says. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from deadletter.errors import BadInput
from deadletter.event import FUNCTION_ARN, Producer

ANY = "*"
"""The pattern that allows everything."""

_PATTERN = re.compile(r"arn(?::[\w*-]+){2}:[\w*-]+:[\d*]+:[\w*./:$-]+", re.ASCII)
_FIXED = 5
"""An ARN's parts before the resource: arn, partition, service, Region, account."""

NAMED_BY_AWS = frozenset({Producer.SQS_REDRIVE})
"""SQS itself, and no sender, says which queue a message was moved from: its redrive policy is configuration."""


@dataclass(frozen=True, slots=True)
class AllowList:
    """The ARNs and the ARN patterns that may be sent to; a function with its versions and aliases, or one of those."""

    arns: frozenset[str] = field(default_factory=frozenset)
    patterns: tuple[str, ...] = ()

    def allows(self, arn: str) -> bool:
        """Return whether *arn* may be sent to."""
        names = {arn, plain_arn(arn)}
        return bool(names & self.arns) or any(matches(pattern, name) for pattern in self.patterns for name in names)

    def why_not(self, arn: str, producer: Producer | None = None) -> str | None:
        """Return why *arn* may not be sent to, as a sentence; None where it may.

        *producer* is that of the record that names the target, None where a person chose it.
        """
        if producer in NAMED_BY_AWS or self.allows(arn):
            return None
        whose = "Records can name anybody's function" if producer else "A redrive sends where it was allowed to before"
        return (
            f"{arn[:200]} is not a target that is allowed here. {whose}: if it is yours, discover the account that it "
            "is in, or make it the target of a source, or add it to REDRIVE_ALLOWED_TARGETS, and plan again."
        )


def plain_arn(arn: str) -> str:
    """Return a target's ARN without a function's version or alias."""
    named = FUNCTION_ARN.fullmatch(arn)
    return named[1] if named else arn


def matches(pattern: str, arn: str) -> bool:
    """Return whether *arn* fits *pattern*, part by part: a star never reaches into another account or Region."""
    if pattern == ANY:
        return True
    wanted, given = pattern.split(":", _FIXED), arn.split(":", _FIXED)
    return len(wanted) == len(given) and all(map(fnmatchcase, given, wanted))


def read_patterns(texts: Iterable[str], name: str) -> tuple[str, ...]:
    """Return *texts* as patterns. Raises BadInput for what is none, naming the setting *name*."""
    patterns = tuple(sorted(set(texts)))
    for pattern in patterns:
        if pattern != ANY and not _PATTERN.fullmatch(pattern):
            raise BadInput(
                f"{name} has {pattern[:120]!r}, which is no ARN. It takes ARNs between spaces or commas, with * for "
                "any text within a part: arn:aws:lambda:eu-west-1:111122223333:function:orders-*."
            )
    return patterns
