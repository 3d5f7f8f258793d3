"""What was decided of each event of a plan, and what all of it comes to. Pure."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from deadletter.event import TargetRef
from deadletter.preflight import Protection, is_protected


@dataclass(frozen=True, slots=True)
class PlannedItem:
    """One event of the plan: where it goes, or the sentence that says why it does not."""

    event_id: int
    target: TargetRef | None
    skip: str | None = None
    protection: Protection | None = None
    protection_reason: str | None = None
    edited: str | None = None
    message_group: str | None = None
    message_order: str | None = None
    """A FIFO queue with the event's message group there, and a text by which the group's events sort."""


@dataclass(frozen=True, slots=True)
class PlannedTarget:
    """How many of the plan's events go to one target, and why there. `invocation` is None for queues."""

    target: TargetRef
    count: int
    why: str
    invocation: str | None


@dataclass(frozen=True, slots=True)
class RedrivePlan:
    """A redrive, or a part of one, before anyone confirmed it. It changes nothing.

    `items` are in the order of sending, oldest failure first. `oldest_at` is the time of failure of the oldest event
    that would be sent. `seconds` is how long sending takes.
    """

    items: tuple[PlannedItem, ...]
    targets: tuple[PlannedTarget, ...]
    oldest_at: datetime | None
    seconds: float
    invocation: str

    @property
    def digest(self) -> str:
        """SHA-256 (hex) that stands for what would be sent and how; the rate is not in it."""
        return digest_of(rows_of(self.items), self.invocation)

    @property
    def count(self) -> int:
        """How many events would be sent."""
        return sum(line.count for line in self.targets)

    @property
    def protected(self) -> int:
        """How many of those that would be sent their handler's own record keeps from being done twice."""
        going = (item.protection for item in self.items if item.skip is None)
        return sum(state is not None and is_protected(state) for state in going)

    @property
    def states(self) -> Mapping[Protection, int]:
        """How many events are in each state of the idempotency pre-flight, skipped ones among them."""
        return Counter(item.protection for item in self.items if item.protection is not None)


@dataclass(slots=True)
class Totals:
    """What the parts of a plan come to together, given one after the other in the order of sending.

    `planned` and `count` are of events: in the plan, and of those that would be sent. The rest is as of a plan.
    """

    planned: int = 0
    count: int = 0
    protected: int = 0
    oldest_at: datetime | None = None
    states: Counter[Protection] = field(default_factory=Counter)
    _lines: Counter[tuple[TargetRef, str, str | None]] = field(default_factory=Counter)

    def add(self, part: RedrivePlan) -> None:
        """Add the next part."""
        self.planned += len(part.items)
        self.count += part.count
        self.protected += part.protected
        self.states.update(part.states)
        self.oldest_at = self.oldest_at or part.oldest_at
        for line in part.targets:
            self._lines[line.target, line.why, line.invocation] += line.count

    @property
    def targets(self) -> tuple[PlannedTarget, ...]:
        """The plan's lines, most events first."""
        return lines_of(self._lines)


def lines_of(counts: Mapping[tuple[TargetRef, str, str | None], int]) -> tuple[PlannedTarget, ...]:
    """Return a plan's lines, most events first, of how many go where: (target, why, invocation) to a count."""
    ordered = sorted(counts.items(), key=lambda line: (-line[1], line[0][0].arn, line[0][1], line[0][2] or ""))
    return tuple(PlannedTarget(target, count, why, how) for (target, why, how), count in ordered)


DigestRow = tuple[int, str | None, str | None, str | None, str | None]
"""Event id, the target's kind, its ARN, why it is skipped, digest of the edited payload."""


def _said(row: DigestRow) -> str:
    event_id, kind, arn, skip, edited = row
    where = f"skip {skip}" if skip else f"{kind} {arn}"
    return f"\n{event_id} {where} edited {edited}" if edited else f"\n{event_id} {where}"


_TOGETHER = 1_000
"""Rows that are hashed by one call."""


class Digest:
    """SHA-256 of what a plan says: every event, and where it goes or why it does not. No row is kept."""

    def __init__(self, invocation: str) -> None:
        """Begin, with how functions are invoked."""
        self._hash = hashlib.sha256(invocation.encode())

    def add(self, rows: Iterable[DigestRow]) -> None:
        """Go on, with the next rows in the order of sending."""
        left = iter(rows)
        while some := "".join(map(_said, islice(left, _TOGETHER))):
            self._hash.update(some.encode("utf-8", "surrogatepass"))

    def add_texts(self, texts: Iterable[str]) -> None:
        """Go on, with what somebody else put together of the next rows as `_said` does."""
        self._hash.update("".join(texts).encode("utf-8", "surrogatepass"))

    def text(self) -> str:
        """Return it, in hex."""
        return self._hash.hexdigest()


def digest_of(rows: Iterable[DigestRow], invocation: str) -> str:
    """Return the digest of a whole plan, its *rows* in the order of sending."""
    digest = Digest(invocation)
    digest.add(rows)
    return digest.text()


def rows_of(items: Iterable[PlannedItem]) -> Iterable[DigestRow]:
    """Return *items* as a digest takes them."""
    for item in items:
        kind, arn = (item.target.kind.value, item.target.arn) if item.target else (None, None)
        yield item.event_id, kind, arn, item.skip, item.edited
