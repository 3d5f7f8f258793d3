"""From a selection to a frozen plan, and from a confirmed plan to a redrive that runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from deadletter.actor import Actor
from deadletter.allowed import AllowList
from deadletter.errors import BadInput, ChangedSincePlan, NeedsConfirming
from deadletter.event import BUS_ARN, TargetKind, TargetRef
from deadletter.filters import EventFilter
from deadletter.manner import Manner, check_rate
from deadletter.outcome import RedriveStatus
from deadletter.parse.record import any_target
from deadletter.plan import INVOCATIONS
from deadletter.ports import Listeners, OpenRecords
from deadletter.redrive.ahead import Choice
from deadletter.redrive.editing import Edit
from deadletter.redrive.making import Asked, make
from deadletter.redrive.reaching import note_reach
from deadletter.settings import Settings
from deadletter.store import read, write
from deadletter.store.allowed import allow_list
from deadletter.store.audit import note
from deadletter.store.redrives import approvals, edits, get_redrive, plans
from deadletter.store.rows import RedriveRow

DEFAULT_SETTLE_S = 3_600.0
"""How long silence has to last before it counts as success, where neither the settings nor the target say."""

CAREFUL = Manner()
"""What a redrive does unless it is told otherwise: a canary of five, then twice as many until the full rate."""


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
    listeners: Listeners | None = None,
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
        listeners: Says who listens to a bus or a topic that the plan sends to; None: nobody is asked.
        manner: Canary, breaker, how many at once, and when.
        asked_by: Who asks, and from where: for the record, and the audit trail.
        settings: Says the default rate and settling time.
        now: The time now, UTC.

    Raises:
        BadInput: Nothing matches, rate or invocation are not possible, or *target* may not be sent to; the message
            says what is.
    """
    rate = settings.rate if rate is None else rate
    _check(rate, invocation)
    choice = Choice(
        target,
        rate,
        invocation,
        edit,
        skip_done=skip_done,
        accounts=settings.allowed_accounts,
        hold_after=settings.hold_after,
        allowed=_allowed(engine, target, settings),
    )
    columns = {
        "selection": _as_data(selection),
        "invocation": invocation,
        "rate": rate,
        "asked_by": asked_by.name,
        "planned_at": now,
    } | (_columns(manner) | _pace(settings))
    redrive_id = make(engine, Asked(selection, choice, open_records, settings.approval, asked_by, now, columns))
    if listeners:
        note_reach(engine, redrive_id, listeners)
    return redrive_id


def _allowed(engine: Engine, chosen: TargetRef | None, settings: Settings) -> AllowList:
    """Return what may be sent to: of what records name, more is found out then. Raises BadInput: not to *chosen*."""
    if chosen is None:
        return AllowList(patterns=settings.allowed_targets)
    with read(engine) as session:
        allowed = allow_list(session, [chosen.arn], settings.allowed_targets)
    if why := allowed.why_not(chosen.arn):
        raise BadInput(why)
    return allowed


def start(  # noqa: PLR0913 - what a person confirms, each by its name
    engine: Engine,
    redrive_id: int,
    *,
    digest: str,
    at_once: bool = False,
    originals: bool = False,
    started_by: Actor,
    approval_hours: float = 24.0,
    now: datetime,
) -> RedriveRow:
    """Let a planned redrive run; *digest* is of the plan confirmed, *at_once* means no canary and no breaker.

    One that needs a second person's approval waits for it instead, *approval_hours* at most. *originals*: whoever
    confirms knows that events which were sent edited before go as they first were.

    Raises:
        NotFound: There is no such redrive.
        ChangedSincePlan: Another plan was confirmed, or something else happened to events of it since. Those are
            skipped in the plan from now on, which has a new digest for that; nothing was started.
        IllegalMove: It was started or cancelled before, or its plan has nothing to send.
        NeedsConfirming: Some of its events were sent edited before, and nobody said that *originals* are meant.
    """
    with write(engine) as session:
        plans.check_start(session, redrive_id, digest)
        if not originals and (question := which_form(session, get_redrive(session, redrive_id))):
            raise NeedsConfirming(question)
        changed = plans.skip_changed(session, redrive_id, now)
        if not changed:
            confirmed = Confirmed(digest, started_by, at_once=at_once, approval_hours=approval_hours)
            _start_or_ask(session, redrive_id, confirmed, now)
        session.flush()
        row = get_redrive(session, redrive_id)
    if changed:
        raise ChangedSincePlan(_what_changed(row, changed))
    return row


def which_form(session: Session, row: RedriveRow) -> str | None:
    """Return what to ask about a plan that sends originals of events which were sent edited before; None: nothing."""
    if row.edit or row.status != RedriveStatus.PLANNED:
        return None
    before = edits.count_edited_before(session, row.id)
    if not before.n:
        return None
    some = f"{before.n:,}{'' if before.exact else '+'} of its events {'was' if before.n == 1 else 'were'}"
    return (
        f"{some} sent edited before, and this plan sends originals. Nothing was sent. Say that originals are meant, or "
        "plan again with what was sent last."
    )


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
    """Return the target with that ARN: a function (its version or alias may follow), a queue, or another.

    Raises:
        BadInput: It is none of these.
    """
    arn = arn.strip()
    if target := TargetRef(TargetKind.EVENTBRIDGE, arn) if BUS_ARN.fullmatch(arn) else any_target(arn):
        return target
    raise BadInput(
        f"{arn[:200]!r} is not the ARN of a function or a queue. Write arn:aws:lambda:REGION:ACCOUNT:function:NAME "
        "or arn:aws:sqs:REGION:ACCOUNT:NAME. (A data stream or a state machine will do too, and so will a topic or an "
        "event bus, which send on to all who listen.)"
    )


def _check(rate: float, invocation: str) -> None:
    check_rate(rate)
    if invocation not in INVOCATIONS:
        raise BadInput(f"The invocation is {invocation!r}, and must be one of: {', '.join(INVOCATIONS)}.")


def _pace(settings: Settings) -> dict[str, Any]:
    """Return what a redrive keeps of the settings as they are when it is planned."""
    settle_s = DEFAULT_SETTLE_S if settings.settle_s is None else settings.settle_s
    return {"share": settings.share, "settle_s": settle_s}


def _columns(manner: Manner) -> dict[str, Any]:
    """Return a manner as the columns of a redrive."""
    values = {field.name: getattr(manner, field.name) for field in fields(manner)}
    return values | {"window": None if manner.window is None else str(manner.window)}


def _as_data(selection: EventFilter | Sequence[int]) -> dict[str, str | list[int]]:
    if isinstance(selection, EventFilter):
        return {"filter": selection.to_query()}
    return {"events": list(selection)}
