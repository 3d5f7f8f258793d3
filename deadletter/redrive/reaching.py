"""Whom a plan reaches that sends to a bus or a topic: read before anybody confirms it, and kept in the plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from deadletter.editing import with_payload, without_payload
from deadletter.errors import LookupBusy, LookupRefused, TargetRefused
from deadletter.event import Json, TargetKind, TargetRef
from deadletter.parse import parse_message
from deadletter.pattern import as_put, matches
from deadletter.plan import FANS_OUT
from deadletter.ports import Listeners, Rule
from deadletter.rebuild import rebuild
from deadletter.store import read, write
from deadletter.store.redrives import reach

MOST_EVENTS = 100
"""Events of a plan whose match with a bus's rules is looked at."""
MOST_RULES = 50
"""Rules whose targets are read: one call each. Where more match, the plan says that and names none."""


@dataclass(frozen=True, slots=True)
class Reached:
    """One who gets events: a rule, or a subscriber of a topic.

    Of the events that were looked at, `matched` match, and of `unsure` nobody here can say. `targets` are the ARNs that
    it hands them to.
    """

    name: str
    targets: Sequence[str]
    matched: int = 0
    unsure: int = 0


@dataclass(frozen=True, slots=True)
class Reach:
    """Whom a target hands events on to. `looked` is how many events were looked at; `error` why nothing is known."""

    reached: Sequence[Reached] = ()
    others: int = 0
    """Rules that none of these events match, or that are switched off."""
    looked: int = 0
    error: str | None = None


def note_reach(engine: Engine, redrive_id: int, listeners: Listeners) -> None:
    """Read whom each bus and topic of a plan hands events on to, and keep it with the plan. Raises nothing of AWS's."""
    with read(engine) as session:
        lines = [line for line in reach.list_lines(session, redrive_id) if TargetKind(line["kind"]) in FANS_OUT]
        wanted = {line["arn"]: TargetRef(TargetKind(line["kind"]), line["arn"]) for line in lines}
        payloads = {arn: _payloads(session, redrive_id, target) for arn, target in wanted.items()}
    found = {arn: asdict(_reach(target, payloads[arn], listeners)) for arn, target in wanted.items()}
    if found:
        with write(engine) as session:
            reach.note_reach(session, redrive_id, found)


def _payloads(session: Session, redrive_id: int, target: TargetRef) -> list[str]:
    """Return what the first events of a plan would be as they go to a bus; what could not go is left out."""
    if target.kind is not TargetKind.EVENTBRIDGE:
        return []
    made = []
    for each, edited in reach.list_going(session, redrive_id, target.arn, MOST_EVENTS):
        message, event = with_payload(each.message, parse_message(each.message), edited)
        supplement = without_payload(each.supplement, edited)
        with suppress(TargetRefused):
            made.append(rebuild(message, event, target, key=0, deduplication_id="", supplement=supplement).payload)
    return made


def _reach(target: TargetRef, payloads: Sequence[str], listeners: Listeners) -> Reach:
    try:
        if target.kind is TargetKind.SNS:
            return Reach([Reached("", [endpoint]) for endpoint in listeners.subscribers(target.arn)])
        events = [event for payload in payloads if (event := as_put(payload)) is not None]
        return _rules_reached(target.arn, events, listeners)
    except (LookupBusy, LookupRefused) as error:
        return Reach(error=str(error))


def _rules_reached(arn: str, events: Sequence[Mapping[str, Json]], listeners: Listeners) -> Reach:
    rules = [rule for rule in listeners.rules(arn) if rule.pattern is not None]
    told = [(rule, [matches(rule.pattern or "", event) for event in events]) for rule in rules]
    hit = [(rule, found) for rule, found in told if not rule.off and any(each is not False for each in found)]
    if len(hit) > MOST_RULES:
        raise LookupRefused(
            f"{len(hit):,} of its rules match some of these events, or may, and the targets of {MOST_RULES} at most "
            "are read. Look at them in the EventBridge console."
        )
    reached = [_reached(arn, rule, found, listeners) for rule, found in hit]
    return Reach(reached, len(rules) - len(reached), len(events))


def _reached(arn: str, rule: Rule, found: Sequence[bool | None], listeners: Listeners) -> Reached:
    return Reached(rule.name, listeners.targets(arn, rule.name), found.count(True), found.count(None))
