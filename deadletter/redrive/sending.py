"""Sending what is claimed, and writing down what became of it."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import islice

from sqlalchemy import Engine

from deadletter.editing import with_payload, without_payload
from deadletter.errors import TargetRefused
from deadletter.event import FailedEvent, TargetRef
from deadletter.parse import parse_message
from deadletter.ports import Answer, Outgoing, Target
from deadletter.rebuild import rebuild
from deadletter.redrive.answers import lost, report_of, unsent
from deadletter.store import write
from deadletter.store.redrives.claims import Claimed
from deadletter.store.redrives.outcomes import Report, record

log = logging.getLogger(__name__)

Where = tuple[int, TargetRef, str]
"""What one send call has in common: redrive, target, invocation."""


def _nothing(_claims: Sequence[Claimed]) -> Mapping[int, str]:
    return {}


def sorted_by_target(claims: Iterable[Claimed]) -> Mapping[Where, Sequence[Claimed]]:
    """Return *claims* by what they can share a send call with, each in the order of sending."""
    parts: dict[Where, list[Claimed]] = {}
    for claimed in claims:
        parts.setdefault((claimed.redrive_id, claimed.target, claimed.invocation), []).append(claimed)
    return parts


def batches(claims: Sequence[Claimed], size: int) -> Iterable[Sequence[Claimed]]:
    """Return *claims* in send calls of at most *size*."""
    rest = iter(claims)
    return iter(lambda: list(islice(rest, size)), [])


def send(
    claims: Sequence[Claimed], target: Target, *, hold_back: Callable[[Sequence[Claimed]], Mapping[int, str]] = _nothing
) -> list[Report]:
    """Send *claims* in one call, once; return what became of each. Never raises: they may be out.

    *hold_back* looks at them a last time, and returns why some are not to be sent after all, by event id.
    """
    events = {claimed.event_id: parse_message(claimed.message) for claimed in claims}
    outgoing: list[Outgoing] = []
    try:
        held = hold_back(claims)
    except Exception:
        log.exception("the last look before sending went wrong")
        return [unsent(claimed, because="The last look before sending went wrong; see the log.") for claimed in claims]
    answers: dict[int, Answer | Exception] = {event_id: TargetRefused(reason) for event_id, reason in held.items()}
    for claimed in claims:
        if claimed.event_id in held:
            continue
        made = _outgoing(claimed, events[claimed.event_id])
        if isinstance(made, Outgoing):
            outgoing.append(made)
        else:
            answers[claimed.event_id] = made
    answers.update(_answers(target, outgoing))
    jitter = random.random()  # noqa: S311 - spreads back-offs; no secret
    return [report_of(one, events[one.event_id], answers[one.event_id], jitter=jitter) for one in claims]


def record_reports(engine: Engine, redrive_id: int, reports: Sequence[Report], *, worker: str, now: datetime) -> None:
    """Write down what one worker says of one redrive's items, in one transaction."""
    with write(engine) as session:
        record(session, redrive_id, reports, worker=worker, now=now)


def _outgoing(claimed: Claimed, event: FailedEvent) -> Outgoing | TargetRefused:
    try:
        return rebuild(
            *with_payload(claimed.message, event, claimed.edited),
            claimed.target,
            key=claimed.event_id,
            deduplication_id=claimed.deduplication_id,
            supplement=without_payload(claimed.supplement, claimed.edited),
        )
    except TargetRefused as refusal:
        return refusal


def _answers(target: Target, outgoing: Sequence[Outgoing]) -> Mapping[int, Answer | Exception]:
    if not outgoing:
        return {}
    try:
        answers = target.send(outgoing)
    except Exception as error:
        log.exception("sending failed in a way that the adapter does not know")
        return {one.key: lost(error) for one in outgoing}
    return {one.key: answer for one, answer in zip(outgoing, answers, strict=True)}
