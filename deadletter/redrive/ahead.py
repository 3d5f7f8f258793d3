"""Looking ahead, while a plan is made: what an edit changes, and what the handlers' own records say of each event."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from deadletter.actor import Actor
from deadletter.allowed import AllowList
from deadletter.event import TargetRef
from deadletter.plan import HOLD_AFTER, Candidate, plan_redrive
from deadletter.planned import RedrivePlan, Totals
from deadletter.ports import OpenRecords
from deadletter.redrive.editing import Edit, Edited, edit_all
from deadletter.redrive.preflight import Checked, check
from deadletter.store.allowed import allow_list


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person chose of a plan: see `create_plan`."""

    override: TargetRef | None
    rate: float
    invocation: str
    edit: Edit | None
    skip_done: bool
    accounts: frozenset[str] | None = None
    hold_after: int = HOLD_AFTER
    allowed: AllowList | None = None

    def plan(self, candidates: Sequence[Candidate]) -> RedrivePlan:
        """Plan *candidates* as chosen."""
        return plan_redrive(
            candidates,
            override=self.override,
            rate=self.rate,
            invocation=self.invocation,
            skip_done=self.skip_done,
            accounts=self.accounts,
            hold_after=self.hold_after,
            allowed=self.allowed,
        )


def knowing_allowed(session: Session, choice: Choice, candidates: Iterable[Candidate]) -> Choice:
    """Return *choice*, knowing which of the targets that *candidates* would go to by themselves may be sent to."""
    if choice.override or choice.allowed is None:
        return choice
    arns = {each.target.arn for each in candidates if each.target}
    return replace(choice, allowed=allow_list(session, arns, choice.allowed.patterns))


def look_ahead(
    session: Session, candidates: Sequence[Candidate], choice: Choice, open_records: OpenRecords | None, now: datetime
) -> tuple[RedrivePlan, Edited]:
    """Return the plan, knowing what the edit and the handlers' records say of every event that can be sent at all."""
    draft = choice.plan(candidates)
    going = {item.event_id: item.target for item in draft.items if item.target and not item.skip}
    edited = edit_all(session, list(going), choice.edit)
    fit = {event_id: target for event_id, target in going.items() if event_id not in edited.unfit}
    checked = check(session, fit, open_records, edited=edited.payloads, now=now) if open_records else {}
    if not (checked or choice.edit):
        return draft, edited
    return choice.plan([_knowing(candidate, edited, checked) for candidate in candidates]), edited


def preflight_facts(plan: Totals, *, skip_done: bool) -> Mapping[str, Any] | None:
    """Return what a redrive keeps of its pre-flight; None where no target has settings for one."""
    if not plan.states:
        return None
    states = {state.value: n for state, n in plan.states.items()}
    return {
        "skip_done": skip_done,
        "states": states,
        "protected": plan.protected,
        "unprotected": plan.count - plan.protected,
    }


def edit_facts(edit: Edit | None, counts: Mapping[str, int], by: Actor) -> Mapping[str, Any] | None:
    """Return what a redrive keeps of its edit, *counts* as of `Edited`; None where originals are sent."""
    return None if edit is None else {"how": edit.how, "text": edit.text, "by": by.name, **counts}


def _knowing(candidate: Candidate, edited: Edited, checked: Mapping[int, Checked]) -> Candidate:
    found = checked.get(candidate.event_id)
    return replace(
        candidate,
        protection=found.state if found else None,
        protection_reason=found.reason if found else None,
        edited=edited.digest(candidate.event_id),
        cannot_edit=edited.unfit.get(candidate.event_id),
    )
