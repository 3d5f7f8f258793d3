"""From a selection to a frozen plan, and from a confirmed plan to a redrive that runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from deadletter.actor import Actor
from deadletter.approval import why_approval
from deadletter.errors import BadInput, ChangedSincePlan
from deadletter.event import BUS_ARN, FUNCTION_ARN, QUEUE_ARN, TOPIC_ARN, Producer, TargetKind, TargetRef, account_of
from deadletter.filters import EventFilter
from deadletter.manner import Manner, check_rate
from deadletter.parse import parse_message
from deadletter.plan import INVOCATIONS, Candidate, RedrivePlan
from deadletter.ports import OpenRecords
from deadletter.rebuild import payload_is_json
from deadletter.redrive.ahead import Choice, edit_facts, look_ahead, preflight_facts
from deadletter.redrive.editing import Edit
from deadletter.settings import Settings
from deadletter.store import read, write
from deadletter.store.audit import note
from deadletter.store.redrives import approvals, edits, get_redrive, plans, selections
from deadletter.store.rows import RedriveRow
from deadletter.store.sources import list_source_arns

DEFAULT_SETTLE_S = 3_600.0
"""How long silence has to last before it counts as success, where neither the settings nor the target say."""

_ARNS = {
    TargetKind.LAMBDA: FUNCTION_ARN,
    TargetKind.SQS: QUEUE_ARN,
    TargetKind.SNS: TOPIC_ARN,
    TargetKind.EVENTBRIDGE: BUS_ARN,
}

CAREFUL = Manner()
"""What a redrive does unless it is told otherwise: a canary of five, then twice as many until the full rate."""

# A function was invoked with it before, or it will be wrapped or looked up: it is JSON by nature.
_ALWAYS_JSON = frozenset(Producer) - {Producer.LAMBDA_ASYNC_DLQ, Producer.UNRECOGNISED}


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What a person confirms, and for how long it may wait for a second one."""

    digest: str
    by: Actor
    at_once: bool
    approval_hours: float


def create_plan(  # noqa: PLR0913 - what a person may choose, each by its name
    engine: Engine,
    selection: EventFilter | Sequence[int],
    *,
    target: TargetRef | None = None,
    rate: float | None = None,
    invocation: str = "RequestResponse",
    edit: Edit | None = None,
    skip_done: bool = True,
    open_records: OpenRecords | None = None,
    manner: Manner = CAREFUL,
    asked_by: Actor,
    settings: Settings,
    now: datetime,
) -> int:
    """Resolve *selection* once into a frozen plan; return its redrive's id. Nothing is claimed, nothing is sent.

    Args:
        engine: The database.
        selection: A filter, or the ids of events.
        target: Where all of them are to go; None sends each to its own target.
        rate: Events per second; None takes the settings' rate.
        invocation: How functions are invoked: `RequestResponse` or `Event`.
        edit: A change to the payloads; the originals are kept.
        skip_done: Leave out what its handler has done already, by its own record.
        open_records: Opens the handlers' idempotency records; None for no pre-flight.
        manner: Canary, breaker, how many at once, and when.
        asked_by: Who asks, and from where: for the record, and the audit trail.
        settings: Says the default rate and settling time.
        now: The time now, UTC.

    Raises:
        BadInput: Nothing matches, or rate or invocation are not possible; the message says what is.
    """
    rate = settings.rate if rate is None else rate
    _check(rate, invocation)
    with read(engine) as session:
        candidates = selections.list_candidates(session, selection)
        if not candidates:
            raise BadInput(_nothing(selection))
        known = _at_home(session, _with_payload_facts(session, candidates, target), target)
        title = selections.title_of(session, selection)
        accounts, hold_after = settings.allowed_accounts, settings.hold_after
        choice = Choice(target, rate, invocation, edit, skip_done=skip_done, accounts=accounts, hold_after=hold_after)
        plan, edited = look_ahead(session, known, choice, open_records, now)
    with write(engine) as session:
        redrive_id = plans.create(
            session,
            plan,
            title=title,
            selection=_as_data(selection),
            invocation=invocation,
            rate=rate,
            share=settings.share,
            **_columns(manner),
            asked_by=asked_by.name,
            planned_at=now,
            needs_approval=_why_approval(settings, plan),
            settle_s=DEFAULT_SETTLE_S if settings.settle_s is None else settings.settle_s,
            preflight=preflight_facts(plan, skip_done=skip_done),
            edit=edit_facts(edit, edited, asked_by),
        )
        edits.add(session, redrive_id, edited.payloads, how=edit.how if edit else "", by=asked_by, now=now)
        details = {"title": title, "count": plan.count, "digest": plan.digest}
        details |= {"edit": edit.how, "edited": len(edited.payloads)} if edit else {}
        note(session, asked_by, "plan", "redrive", redrive_id, details=details, now=now)
        return redrive_id


def _why_approval(settings: Settings, plan: RedrivePlan) -> str | None:
    arns = [line.target.arn for line in plan.targets]
    return why_approval(settings.approval, count=plan.count, target_arns=arns)


def start(  # noqa: PLR0913 - what a person confirms, each by its name
    engine: Engine,
    redrive_id: int,
    *,
    digest: str,
    at_once: bool = False,
    started_by: Actor,
    approval_hours: float = 24.0,
    now: datetime,
) -> RedriveRow:
    """Let a planned redrive run; *digest* is of the plan confirmed, *at_once* means no canary and no breaker.

    One that needs a second person's approval waits for it instead, *approval_hours* at most.

    Raises:
        NotFound: There is no such redrive.
        ChangedSincePlan: Another plan was confirmed, or something else happened to events of it since. Those are
            skipped in the plan from now on, which has a new digest for that; nothing was started.
        IllegalMove: It was started or cancelled before, or its plan has nothing to send.
    """
    with write(engine) as session:
        plans.check_start(session, redrive_id, digest)
        changed = plans.skip_changed(session, redrive_id, now)
        if not changed:
            confirmed = Confirmed(digest, started_by, at_once=at_once, approval_hours=approval_hours)
            _start_or_ask(session, redrive_id, confirmed, now)
        session.flush()
        row = get_redrive(session, redrive_id)
    if changed:
        raise ChangedSincePlan(_what_changed(row, changed))
    return row


def _start_or_ask(session: Session, redrive_id: int, confirmed: Confirmed, now: datetime) -> None:
    by, why = confirmed.by, get_redrive(session, redrive_id).needs_approval
    if why:
        plans.set_at_once(session, redrive_id, at_once=confirmed.at_once)  # what the second person sees is what runs
        approvals.ask(session, redrive_id, by=by.name, hours=confirmed.approval_hours, now=now)
    else:
        plans.start(session, redrive_id, at_once=confirmed.at_once, started_by=by.name, now=now)
    details = {"digest": confirmed.digest, "at_once": confirmed.at_once} | ({"why": why} if why else {})
    note(session, by, "ask" if why else "start", "redrive", redrive_id, details=details, now=now)


def _what_changed(row: RedriveRow, changed: int) -> str:
    if not row.waiting:
        return (
            f"None of the {row.planned:,} events of this plan can be sent any more: "
            "other redrives took them, or they are resolved. Make a new plan."
        )
    return (
        f"Since this plan was made, something else happened to {changed:,} of its events. Nothing was sent. "
        f"This is the plan as it is now: {row.waiting:,} to send, with a new digest. Look at it, then confirm that."
    )


def cancel(engine: Engine, redrive_id: int, *, by: Actor, now: datetime) -> RedriveRow:
    """End a redrive by hand: what was sent stays sent, what waits will not be sent.

    Raises:
        NotFound: There is no such redrive.
        IllegalMove: It has ended already.
    """
    with write(engine) as session:
        plans.cancel(session, redrive_id, by=by.name, now=now)
        session.flush()
        row = get_redrive(session, redrive_id)
        details = {"sent": row.ever_sent, "skipped": row.skipped}
        note(session, by, "cancel", "redrive", redrive_id, details=details, now=now)
        return row


def parse_target(arn: str) -> TargetRef:
    """Return the target with that ARN: a function (its version or alias may follow), a queue, a topic or a bus.

    Raises:
        BadInput: It is none of these.
    """
    arn = arn.strip()
    if kind := next((kind for kind, pattern in _ARNS.items() if pattern.fullmatch(arn)), None):
        return TargetRef(kind, arn)
    raise BadInput(
        f"{arn[:200]!r} is not the ARN of a function or a queue. Write arn:aws:lambda:REGION:ACCOUNT:function:NAME "
        "or arn:aws:sqs:REGION:ACCOUNT:NAME. (A topic or an event bus will do too: it sends on to all who listen.)"
    )


def _at_home(session: Session, candidates: Iterable[Candidate], override: TargetRef | None) -> list[Candidate]:
    """Return *candidates*, those of sources whose ARN names no account (buckets) with the account that they stand in.

    That is their target's, where a source of that account is registered: whoever registered it said that it is theirs.
    """
    ours = {account for arn in list_source_arns(session).values() if (account := account_of(arn))}

    def home(candidate: Candidate) -> str:
        target = override or candidate.target
        account = account_of(target.arn) if target else ""
        return account if account in ours else ""

    return [each if each.account else replace(each, account=home(each)) for each in candidates]


def _check(rate: float, invocation: str) -> None:
    check_rate(rate)
    if invocation not in INVOCATIONS:
        raise BadInput(f"The invocation is {invocation!r}, and must be one of: {', '.join(INVOCATIONS)}.")


def _columns(manner: Manner) -> dict[str, Any]:
    """Return a manner as the columns of a redrive."""
    values = {field.name: getattr(manner, field.name) for field in fields(manner)}
    return values | {"window": None if manner.window is None else str(manner.window)}


def _with_payload_facts(
    session: Session, candidates: Sequence[Candidate], override: TargetRef | None
) -> Iterable[Candidate]:
    """Return *candidates*, knowing what their targets ask: whether a payload is JSON, and its place in a FIFO queue."""
    unsure = [candidate.event_id for candidate in candidates if _may_not_be_json(candidate, override)]
    bad = {
        event_id
        for event_id, message in selections.iter_messages(session, unsure)
        if not payload_is_json(parse_message(message))
    }
    ordered = [each.event_id for each in candidates if (to := override or each.target) and to.arn.endswith(".fifo")]
    places = selections.list_places(session, ordered)
    return (
        replace(each, payload_is_json=each.event_id not in bad, place=places.get(each.event_id))
        if each.event_id in bad or each.event_id in places
        else each
        for each in candidates
    )


def _may_not_be_json(candidate: Candidate, override: TargetRef | None) -> bool:
    target = override or candidate.target
    return target is not None and target.kind is TargetKind.LAMBDA and candidate.producer not in _ALWAYS_JSON


def _nothing(selection: EventFilter | Sequence[int]) -> str:
    if not isinstance(selection, EventFilter):
        return "None of the events that you selected exists. Select some, then plan again."
    return f"No event matches {selection.to_query() or 'the filter'}. Widen the filter, then plan again."


def _as_data(selection: EventFilter | Sequence[int]) -> dict[str, str | list[int]]:
    if isinstance(selection, EventFilter):
        return {"filter": selection.to_query()}
    return {"events": list(selection)}
