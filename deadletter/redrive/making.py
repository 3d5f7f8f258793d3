"""A plan is made: by kinds of events and one statement of the database, or event by event where that is needed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from deadletter.actor import Actor
from deadletter.approval import ApprovalRules, why_approval
from deadletter.errors import BadInput
from deadletter.filters import EventFilter
from deadletter.planned import PlannedItem, Totals
from deadletter.ports import OpenRecords
from deadletter.redrive.ahead import Choice, edit_facts, knowing_allowed, look_ahead, preflight_facts
from deadletter.redrive.aside import Aside
from deadletter.redrive.facts import asks_for_more, at_home, list_accounts, with_payload_facts
from deadletter.store import models, read, write
from deadletter.store.audit import note
from deadletter.store.redrives import edits, plans, selections
from deadletter.store.redrives.kinds import Kind, list_kinds
from deadletter.store.targets import rules_of


@dataclass(frozen=True, slots=True)
class Asked:
    """A plan as it was asked for: of which events, how, by whom. `columns` are of the redrive that it becomes."""

    selection: EventFilter | Sequence[int]
    choice: Choice
    open_records: OpenRecords | None
    approval: ApprovalRules
    by: Actor
    now: datetime
    columns: Mapping[str, Any]


def make(engine: Engine, asked: Asked) -> int:
    """Make a plan; return its redrive's id. Raises BadInput where nothing matches."""
    return by_kinds(engine, asked) or event_by_event(engine, asked)


def by_kinds(engine: Engine, asked: Asked) -> int | None:
    """Plan by kinds of events, whatever their number; None where it takes a look at each event by itself."""
    if asked.choice.edit is not None:
        return None
    with write(engine) as session:
        decided = _decide_kinds(session, asked)
        if decided is None:
            return None
        if not decided:
            raise BadInput(_nothing(asked.selection))
        by_hand = asked.choice.override is not None
        given = {**asked.columns, "title": selections.title_of(session, asked.selection)}
        row = plans.create_of_kinds(session, asked.selection, decided, by_hand=by_hand, **given)
        _finish(session, row, asked, {})
        return row.id


def _decide_kinds(session: Session, asked: Asked) -> list[tuple[Kind, PlannedItem]] | None:
    """Return what is planned for each kind of the chosen events; None where the kind of an event does not decide it."""
    kinds, choice = list_kinds(session, asked.selection), asked.choice
    if kinds is None or any(asks_for_more(kind.candidate, choice.override) for kind in kinds):
        return None
    choice = knowing_allowed(session, choice, (kind.candidate for kind in kinds))
    ours = list_accounts(session)
    decided = [(kind, choice.plan([at_home(kind.candidate, choice.override, ours)]).items[0]) for kind in kinds]
    going = {item.target.arn for _, item in decided if item.target and not item.skip}
    return None if asked.open_records and rules_of(session, going) else decided


def event_by_event(engine: Engine, asked: Asked) -> int:
    """Plan event by event: an edit, a handler's own records and a FIFO queue's order say something of each."""
    totals, edited, edit = Totals(), Counter[str](changed=0, unchanged=0, unfit=0), asked.choice.edit
    with Aside() as aside:
        with read(engine) as session:
            _look_at_each(session, asked, aside, totals, edited)
            if not totals.planned:
                raise BadInput(_nothing(asked.selection))
            title = selections.title_of(session, asked.selection)
        facts = {
            "preflight": preflight_facts(totals, skip_done=asked.choice.skip_done),
            "edit": edit_facts(edit, edited, asked.by),
        }
        with write(engine) as session:
            row = plans.create(session, totals, aside.items(), title=title, **facts, **asked.columns)
            edits.add(session, row.id, aside.edits(), how=edit.how if edit else "", by=asked.by, now=asked.now)
            _finish(session, row, asked, {"edit": edit.how, "edited": edited["changed"]} if edit else {})
            return row.id


def _look_at_each(session: Session, asked: Asked, aside: Aside, totals: Totals, edited: Counter[str]) -> None:
    """Decide on the chosen events part by part, and put aside what was decided; the counts grow with it."""
    choice, ours = asked.choice, list_accounts(session)
    for part in selections.iter_candidates(session, asked.selection):
        known = with_payload_facts(session, part, choice.override)
        known = [at_home(each, choice.override, ours) for each in known]
        allowing = knowing_allowed(session, choice, known)
        plan, changes = look_ahead(session, known, allowing, asked.open_records, asked.now)
        aside.add(plan.items, changes.payloads)
        totals.add(plan)
        edited.update(changes.counts())


def _finish(session: Session, row: models.Redrive, asked: Asked, details: dict[str, Any]) -> None:
    """Say whether the plan needs a second person, and write into the audit trail that it was made."""
    arns = [line["arn"] for line in row.targets]
    row.needs_approval = why_approval(asked.approval, count=row.n_waiting, target_arns=arns)
    details = {"title": row.title, "count": row.n_waiting, "digest": row.digest} | details
    note(session, asked.by, "plan", "redrive", row.id, details=details, now=asked.now)


def _nothing(selection: EventFilter | Sequence[int]) -> str:
    if not isinstance(selection, EventFilter):
        return "None of the events that you selected exists. Select some, then plan again."
    return f"No event matches {selection.to_query() or 'the filter'}. Widen the filter, then plan again."
