"""Two pairs of eyes: what waits, who may approve it, and what makes an approval void."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select

from deadletter import redrive
from deadletter.access import Forbidden
from deadletter.approval import ApprovalRules, why_approval
from deadletter.errors import ChangedSincePlan, IllegalMove
from deadletter.outcome import RedriveStatus
from deadletter.store import models, read
from deadletter.store.redrives.approvals import latest
from deadletter.store.rows import RedriveRow
from tests.factories import ADA, FUNCTION, GRACE, NOW
from tests.store import redriving as given

GUARDED = replace(given.SETTINGS, approval=ApprovalRules(targets=("*:orders-*",)))


def asked(engine: Engine, count: int = 3, **more: Any) -> RedriveRow:
    given.store(engine, count)
    row = given.plan(engine, settings=GUARDED, **more)
    return redrive.start(engine, row.id, digest=row.digest, started_by=ADA, approval_hours=2.0, now=NOW)


def test_a_plan_within_the_rules_starts_at_once(engine: Engine) -> None:
    given.store(engine, 1)
    rules = ApprovalRules(above=1, targets=("*:payments-*",))
    row = given.run(engine, settings=replace(given.SETTINGS, approval=rules))
    assert (row.status, row.needs_approval) == (RedriveStatus.RUNNING, None)


def test_a_guarded_plan_waits_and_sends_nothing(engine: Engine) -> None:
    row = asked(engine)
    assert row.status is RedriveStatus.AWAITING_APPROVAL
    assert row.needs_approval == f"Whatever is sent to {FUNCTION} needs a second person."
    assert given.take(engine, row.id) == []


def test_another_person_approves_it_and_it_runs(engine: Engine) -> None:
    row = asked(engine)
    after = redrive.approve(engine, row.id, digest=row.digest, by=GRACE, now=NOW + timedelta(hours=1))
    assert (after.status, after.started_by) == (RedriveStatus.RUNNING, "ada")
    assert given.take(engine, row.id)
    with read(engine) as session:
        question = latest(session, row.id)
        verbs = list(session.scalars(select(models.AuditEntry.verb).order_by(models.AuditEntry.id)))
    assert question is not None
    assert (question.asked_by, question.decided_by, question.approved) == ("ada", "grace", True)
    assert verbs[-3:] == ["plan", "ask", "approve"]


def test_nobody_approves_what_they_asked_for(engine: Engine) -> None:
    row = asked(engine)
    with pytest.raises(Forbidden, match="somebody else has to approve"):
        redrive.approve(engine, row.id, digest=row.digest, by=ADA, now=NOW)
    assert given.show(engine, row.id).status is RedriveStatus.AWAITING_APPROVAL


def test_an_approval_is_of_the_plan_that_was_seen(engine: Engine) -> None:
    row = asked(engine)
    with pytest.raises(ChangedSincePlan, match="not the plan that the approval is asked for"):
        redrive.approve(engine, row.id, digest="0" * 64, by=GRACE, now=NOW)


def test_a_question_expires(engine: Engine) -> None:
    row = asked(engine)
    with pytest.raises(IllegalMove, match="has expired"):
        redrive.approve(engine, row.id, digest=row.digest, by=GRACE, now=NOW + timedelta(hours=2))


def test_a_plan_that_changed_meanwhile_voids_the_approval(engine: Engine) -> None:
    row = asked(engine)
    given.run(engine, [given.items(engine, row.id)[0].event_id])  # another redrive takes the first of them
    with pytest.raises(ChangedSincePlan, match=r"your approval is void"):
        redrive.approve(engine, row.id, digest=row.digest, by=GRACE, now=NOW)
    after = given.show(engine, row.id)
    assert after.status is RedriveStatus.PLANNED
    assert after.digest != row.digest
    assert given.take(engine, row.id) == []


def test_a_refused_one_is_a_plan_again_and_can_be_asked_anew(engine: Engine) -> None:
    row = asked(engine)
    refused = redrive.refuse(engine, row.id, by=GRACE, reason="The fix is not out yet.", now=NOW)
    assert refused.status is RedriveStatus.PLANNED
    with pytest.raises(IllegalMove, match="waits for nobody's approval"):
        redrive.approve(engine, row.id, digest=row.digest, by=GRACE, now=NOW)
    again = redrive.start(engine, row.id, digest=row.digest, started_by=ADA, now=NOW)
    assert again.status is RedriveStatus.AWAITING_APPROVAL


def test_what_waits_for_an_approval_can_be_discarded(engine: Engine) -> None:
    row = asked(engine)
    assert redrive.cancel(engine, row.id, by=ADA, now=NOW).status is RedriveStatus.CANCELLED
    assert {given.event(engine, item.event_id).status for item in given.items(engine, row.id)} == {"unresolved"}


@pytest.mark.parametrize(
    ("rules", "count", "why"),
    [
        (ApprovalRules(), 10**6, None),
        (ApprovalRules(above=100), 100, None),
        (ApprovalRules(above=100), 101, "It sends 101 events, and more than 100 need a second person."),
        (ApprovalRules(targets=("*:payments-*",)), 1, None),
        (ApprovalRules(targets=(FUNCTION,)), 1, f"Whatever is sent to {FUNCTION} needs a second person."),
    ],
)
def test_size_and_target_decide(rules: ApprovalRules, count: int, why: str | None) -> None:
    assert why_approval(rules, count=count, target_arns=[FUNCTION, FUNCTION]) == why
