"""What a redrive would send, where, in which order, and what it would leave out and why. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from deadletter.allowed import AllowList
from deadletter.event import Producer, Redrivable, TargetKind, TargetRef, account_of
from deadletter.outcome import EventStatus, Outcome
from deadletter.planned import PlannedItem, PlannedTarget, RedrivePlan, lines_of
from deadletter.preflight import Protection

INVOCATIONS = ("RequestResponse", "Event")
"""How a function may be invoked: answering with the outcome, or by way of Lambda's own queue."""

_NAMED_BY = {
    Producer.LAMBDA_DESTINATION: "the function that the record names",
    Producer.SQS_REDRIVE: "the source queue named by each message (DeadLetterQueueSourceArn)",
    Producer.EVENTBRIDGE_RULE: "the rule's target that the record names (TARGET_ARN)",
    Producer.SCHEDULER: "the schedule's target that the record names (TARGET_ARN)",
    Producer.SNS_SUBSCRIPTION: "the one subscriber that failed, by its subscription",
    Producer.PIPES: "the pipe's target",
    Producer.KINESIS_ESM: "the function that the record names",
    Producer.DYNAMODB_ESM: "the function that the record names",
    Producer.KAFKA_ESM: "the function that the record names",
}

HOLD_AFTER = 3
"""How often an event may fail again before it goes only where a person names it."""

FANS_OUT = {
    TargetKind.SNS: "; Publish sends it on to every subscriber of the topic, also to those that had it already",
    TargetKind.EVENTBRIDGE: (
        "; PutEvents gives it a new id and sends it on to every rule of the bus that matches, also to targets that had "
        "it already"
    ),
}
"""What sending to such a target does beside reaching the consumer that failed: said in the plan."""

_BESIDES = {
    TargetKind.KINESIS: "; every reader of the stream gets it",
    TargetKind.STEP_FUNCTIONS: "; that an execution has begun is all of it that is seen here, not how it ends",
}
"""What else to know of sending to such a target."""

_WITH_ANSWERS = frozenset({
    Producer.KINESIS_ESM, Producer.DYNAMODB_ESM, Producer.KAFKA_ESM, Producer.SQS_REDRIVE, Producer.PIPES,
})  # fmt: skip


def invocation_of(producer: Producer, chosen: str) -> str:
    """Return how a function is invoked with an event of *producer* where *chosen* was asked for.

    An event source mapping's or a pipe's event is always sent by RequestResponse: its handler answers with
    `batchItemFailures`, which an asynchronous invocation throws away, so that a failure would count as a success.
    """
    return "RequestResponse" if producer in _WITH_ANSWERS else chosen


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """An event's message group, and its sequence number there: what a FIFO queue keeps in order.

    `number` is SQS's SequenceNumber, decimal text that compares as an integer only; empty where there is none.
    """

    group: str
    number: str = ""

    def key(self, occurred_at: datetime, event_id: int) -> str:
        """Return a text by which the events of one group sort as they were sent first."""
        return f"{occurred_at.isoformat(timespec='microseconds')} {self.number:0>40} {event_id:0>19}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One event that was chosen, as far as the plan needs to know it.

    `target` is where it would go by itself: as its record says, else as its source says. `by_id` says that a person
    named this very event; `payload_is_json` whether a function could be invoked with it, None where nobody looked and
    it is taken for one. `protection` is what its handler's idempotency record says, None where the target has no
    settings for that, and its reason a sentence where it needs one. `edited` is the SHA-256 (hex) of the payload that
    goes in the original's place; `cannot_edit` why the edit that was asked for does not fit it. `account` is its
    source's; empty where that names none. `failures` is how often it failed for good, the first time among them.
    `truncated` says that the record does not hold all of the event.
    """

    event_id: int
    status: EventStatus
    occurred_at: datetime
    producer: Producer = Producer.UNRECOGNISED
    redrive_id: int | None = None
    redrivable: Redrivable = Redrivable.YES
    reason: str | None = None
    target: TargetRef | None = None
    by_id: bool = False
    payload_is_json: bool | None = True
    protection: Protection | None = None
    protection_reason: str | None = None
    edited: str | None = None
    cannot_edit: str | None = None
    account: str = ""
    place: Place | None = None
    truncated: bool = False
    failures: int = 1
    last_outcome: Outcome | None = None


def plan_redrive(  # noqa: PLR0913 - what a person may choose, each by its name
    candidates: Iterable[Candidate],
    *,
    override: TargetRef | None,
    rate: float,
    invocation: str,
    skip_done: bool = True,
    accounts: Collection[str] | None = None,
    hold_after: int = HOLD_AFTER,
    allowed: AllowList | None = None,
) -> RedrivePlan:
    """Plan to send *candidates*, oldest failure first.

    Pure: reads no clock, opens no connection, sends nothing; the same set in any order gives the same plan.

    Args:
        candidates: The events that were chosen, in any order.
        override: Where all of them are to go; None sends each to its own target.
        rate: Events per second, above 0.
        invocation: `RequestResponse` or `Event`; how functions are invoked.
        skip_done: Leave out what its handler has done already, by its own record.
        accounts: Accounts that may be sent to beside the one that an event's own source is in: records are written by
            whoever may write to a queue, and can name anybody's function. None: all.
        hold_after: Events that failed again so often are left out, unless a person named them.
        allowed: The targets that may be sent to; None: all.
    """
    chosen = sorted(candidates, key=_order)
    items = tuple(
        _plan_item(
            each,
            override,
            _barred(each, override, accounts, allowed) or held_back(each, hold_after),
            skip_done=skip_done,
        )
        for each in chosen
    )
    going = [
        (candidate, item.target)
        for candidate, item in zip(chosen, items, strict=True)
        if item.target is not None and item.skip is None
    ]
    return RedrivePlan(
        items=items,
        targets=summarize(((*each, 1) for each in going), chosen_by_hand=override is not None, invocation=invocation),
        oldest_at=going[0][0].occurred_at if going else None,
        seconds=len(going) / rate,
        invocation=invocation,
    )


def _order(candidate: Candidate) -> tuple[datetime, str, int]:
    """Return what events are sent by: the oldest failure first, within a group as its queue numbered them."""
    number = candidate.place.number if candidate.place else ""
    return candidate.occurred_at, f"{number:0>40}", candidate.event_id


def held_back(candidate: Candidate, after: int) -> str | None:
    """Return why *candidate* goes only where a person names it, as a sentence; None when it goes with others too."""
    if candidate.by_id:
        return None
    if candidate.last_outcome is Outcome.UNKNOWN:
        return "Held back: its last outcome is unknown, so it may have run. Check it, or send it again by itself."
    again = candidate.failures - 1
    if again >= after:
        times = "once" if again == 1 else f"{again} times"
        return f"Held back: it failed again {times}. Find out why, then choose it by itself."
    return None


def _plan_item(
    candidate: Candidate,
    override: TargetRef | None,
    barred: str | None,
    *,
    skip_done: bool,
) -> PlannedItem:
    target = override or candidate.target
    skip = _skip_reason(candidate, target, named=override is not None) or barred
    if skip is None and skip_done and candidate.protection is Protection.DONE:
        skip = "Done already: the handler's idempotency record answers it."
    return PlannedItem(
        candidate.event_id,
        target,
        skip,
        candidate.protection,
        candidate.protection_reason,
        candidate.edited,
        *_message_place(candidate, target),
    )


def _message_place(candidate: Candidate, target: TargetRef | None) -> tuple[str | None, str | None]:
    """Return the message group that the event will be in, and its place there; two times None where order is free."""
    if candidate.place is None or target is None or not target.arn.endswith(".fifo"):
        return None, None
    order = candidate.place.key(candidate.occurred_at, candidate.event_id)
    return f"{target.arn} {candidate.place.group}", order


def _barred(
    candidate: Candidate, override: TargetRef | None, accounts: Collection[str] | None, allowed: AllowList | None
) -> str | None:
    """Return why nothing of *candidate* may go where it would, as a sentence; None when it may."""
    target = override or candidate.target
    if target is None or (elsewhere := _account_reason(candidate, target, accounts)) is None:
        named_by = None if override else candidate.producer
        return allowed.why_not(target.arn, named_by) if allowed and target else None
    return elsewhere


def _account_reason(candidate: Candidate, target: TargetRef | None, accounts: Collection[str] | None) -> str | None:
    """Return why *target* is refused for the account that it is in; None when it is not."""
    account = account_of(target.arn) if target else ""
    if accounts is None or not account or account == candidate.account or account in accounts:
        return None
    return (
        f"Its target is in account {account}, and its source is not. Records can name anybody's function, so that is "
        "refused: add the account to REDRIVE_ALLOWED_ACCOUNTS if it is yours."
    )


_HOLD_IT_ALL = frozenset({Producer.SNS_SUBSCRIPTION, Producer.EVENTBRIDGE_RULE})
"""Their records hold the event: what is looked up is only where it goes, which a person may say instead."""

_SAY_WHY = frozenset({Producer.EVENTBRIDGE_RULE, Producer.SCHEDULER, Producer.PIPES})
"""Where these have no target that a redrive sends to, their reason says which it is, and what to do."""

NEEDS_JSON = frozenset({TargetKind.LAMBDA, TargetKind.STEP_FUNCTIONS})
"""Kinds of targets that take JSON and nothing else."""


def _holds_it_all(candidate: Candidate) -> bool:
    whole = candidate.producer is Producer.SCHEDULER and not candidate.truncated
    return whole or candidate.producer in _HOLD_IT_ALL


def _skip_reason(candidate: Candidate, target: TargetRef | None, *, named: bool) -> str | None:
    """Return why *candidate* cannot be sent to *target*, as a sentence; None when it can."""
    if standing := _status_reason(candidate):
        return standing
    if candidate.redrivable is Redrivable.REFETCH and not (named and _holds_it_all(candidate)):
        return candidate.reason or "Its record only points at the data, which has to be fetched from its stream first."
    if candidate.redrivable is Redrivable.NO:
        return candidate.reason or "Its record does not hold the event, so there is nothing to send."
    if target is None:
        said = candidate.reason if candidate.producer in _SAY_WHY else None
        return said or "No target is known for it. Say where: give its source a target, or choose one for this redrive."
    if target.kind in NEEDS_JSON and candidate.payload_is_json is False:
        thing = "function" if target.kind is TargetKind.LAMBDA else "state machine"
        return f"Its payload is not JSON, and a {thing} takes nothing else. Choose a queue as the target."
    return candidate.cannot_edit


def _status_reason(candidate: Candidate) -> str | None:
    if candidate.status is EventStatus.REDRIVING or candidate.redrive_id is not None:
        return f"Already in redrive {candidate.redrive_id}."
    if candidate.status is EventStatus.RESOLVED:
        return "Already resolved."
    if candidate.status is EventStatus.ARCHIVED and not candidate.by_id:
        return "Archived. Choose it by itself, or take it out of the archive."
    return None


def summarize(
    going: Iterable[tuple[Candidate, TargetRef, int]], *, chosen_by_hand: bool, invocation: str
) -> tuple[PlannedTarget, ...]:
    """Return a plan's lines: of each kind of event that goes, where, and how many."""
    lines: Counter[tuple[TargetRef, str, str | None]] = Counter()
    for each, target, count in going:
        why = _why(each, target, chosen_by_hand=chosen_by_hand)
        lines[target, why, _invocation(each, target, invocation)] += count
    return lines_of(lines)


def _invocation(candidate: Candidate, target: TargetRef, chosen: str) -> str | None:
    return invocation_of(candidate.producer, chosen) if target.kind is TargetKind.LAMBDA else None


def _why(candidate: Candidate, target: TargetRef, *, chosen_by_hand: bool) -> str:
    named = _NAMED_BY.get(candidate.producer, "the target given for the source")
    return ("chosen by the operator" if chosen_by_hand else named) + (FANS_OUT | _BESIDES).get(target.kind, "")
