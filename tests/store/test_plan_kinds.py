"""A plan by kinds of events, written by one statement, is the plan that looking at each event gives."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as example
from hypothesis import strategies as st
from sqlalchemy import Engine, select, update

from deadletter.approval import ApprovalRules
from deadletter.errors import BadInput
from deadletter.event import Producer, Redrivable, TargetKind, TargetRef
from deadletter.filters import EventFilter
from deadletter.outcome import EventStatus, Outcome
from deadletter.plan import Candidate
from deadletter.planned import PlannedItem
from deadletter.redrive.ahead import Choice
from deadletter.redrive.making import Asked, by_kinds, event_by_event
from deadletter.store import models, read, write
from deadletter.store.redrives import kinds
from deadletter.store.redrives.plans import digest_of_items
from deadletter.store.redrives.selections import iter_candidates
from tests.factories import ACCOUNT, ADA, FUNCTION, NOW, QUEUE, make_source
from tests.statements import counted
from tests.store.redriving import plan, store

ELSEWHERE = "arn:aws:sqs:eu-west-1:210987654321:theirs"
COLUMNS = {"selection": {}, "invocation": "Event", "rate": 20.0, "asked_by": "ada", "planned_at": NOW, "settle_s": 60.0}
MANY = 8

facts = st.fixed_dictionaries(
    {
        "status": st.sampled_from(EventStatus),
        "producer": st.sampled_from(Producer),
        "redrivable": st.sampled_from(Redrivable),
        "reason": st.sampled_from([None, "It says no.", ""]),
        "target_kind": st.just("sqs"),
        "target_arn": st.sampled_from([None, QUEUE, ELSEWHERE]),
        "truncated": st.booleans(),
        "failures": st.integers(1, 6),
        "last_outcome": st.none() | st.sampled_from(Outcome),
        "payload_is_json": st.booleans(),
        "redrive_id": st.sampled_from([None, 1]),
        "source_id": st.sampled_from([1, 2]),
        "occurred_at": st.integers(0, 2).map(lambda hours: NOW - timedelta(hours=hours)),
    }
)
choices = st.builds(
    Choice,
    override=st.sampled_from([None, TargetRef(TargetKind.LAMBDA, FUNCTION), TargetRef(TargetKind.SQS, ELSEWHERE)]),
    rate=st.just(20.0),
    invocation=st.just("Event"),
    edit=st.none(),
    skip_done=st.booleans(),
    accounts=st.sampled_from([None, frozenset[str](), frozenset({"210987654321"})]),
)


def asked(choice: Choice, selection: EventFilter | list[int]) -> Asked:
    return Asked(selection, choice, None, ApprovalRules(above=3), ADA, NOW, COLUMNS)


def as_written(engine: Engine, redrive_id: int | None) -> tuple[Any, ...]:
    """Return all that a plan says, but for its number."""
    item = models.RedriveItem.__table__.c
    columns = [column for column in item if column.name != "redrive_id"]
    with read(engine) as session:
        row = session.get_one(models.Redrive, redrive_id)
        rows = session.execute(select(*columns).where(item.redrive_id == row.id).order_by(item.position)).all()
        assert digest_of_items(session, row.id, row.invocation) == row.digest
    counts = (row.n_planned, row.n_waiting, row.n_skipped)
    return rows, row.targets, row.digest, row.oldest_at, counts, row.title, row.needs_approval, row.last_event_id


@pytest.fixture
def ids(engine: Engine) -> list[int]:
    found = store(engine, MANY)
    with write(engine) as session:
        make_source(session, "other")
    plan(engine, found[:1])  # redrive 1, which some of them are in
    return found


@given(data=st.data(), choice=choices)
@example(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_planning_by_kinds_gives_the_plan_that_looking_at_each_event_gives(
    engine: Engine, ids: list[int], data: st.DataObject, choice: Choice
) -> None:
    with write(engine) as session:
        for event_id, values in zip(ids, data.draw(st.lists(facts, min_size=MANY, max_size=MANY)), strict=True):
            session.execute(update(models.Event).where(models.Event.id == event_id).values(values))
    some: list[int] = data.draw(st.lists(st.sampled_from(ids), min_size=1))
    wanted = asked(
        choice, data.draw(st.sampled_from([EventFilter(), EventFilter(status=EventStatus.UNRESOLVED), some]))
    )

    try:
        by_kind = by_kinds(engine, wanted)
    except BadInput:
        with pytest.raises(BadInput):
            event_by_event(engine, wanted)
    else:
        assert as_written(engine, by_kind) == as_written(engine, event_by_event(engine, wanted))


@pytest.mark.usefixtures("ids")
def test_planning_takes_the_same_few_statements_however_many_events_there_are(engine: Engine) -> None:
    def statements_for() -> int:
        with counted(engine) as statements:
            plan(engine)
        return len(statements)

    few = statements_for()
    store(engine, 1_100)
    assert statements_for() == few <= 20


def test_what_a_kind_does_not_decide_is_left_to_looking_at_each_event(engine: Engine, ids: list[int]) -> None:
    choice = Choice(None, 20.0, "Event", None, skip_done=True)

    def set_for_all(**values: Any) -> None:
        with write(engine) as session:
            session.execute(update(models.Event).values(values))

    set_for_all(target_kind="sqs", target_arn=ACCOUNT.format("sqs", "orders.fifo"))
    assert by_kinds(engine, asked(choice, ids)) is None
    set_for_all(target_kind="lambda", target_arn=FUNCTION, producer="lambda-async-dlq", payload_is_json=None)
    assert by_kinds(engine, asked(choice, ids)) is None
    set_for_all(payload_is_json=True)
    assert by_kinds(engine, asked(choice, ids)) is not None


def test_events_of_more_kinds_than_one_statement_takes_are_left_to_looking_at_each(
    engine: Engine, ids: list[int]
) -> None:
    with write(engine) as session:
        for n, event_id in enumerate(ids):
            session.execute(update(models.Event).where(models.Event.id == event_id).values(failures=n + 1))
    with read(engine) as session:
        assert kinds.list_kinds(session, ids, most=MANY - 1) is None
        assert len(kinds.list_kinds(session, ids, most=MANY) or ()) == MANY


def test_events_that_failed_at_the_same_time_are_looked_at_together(engine: Engine, ids: list[int]) -> None:
    with write(engine) as session:
        session.execute(update(models.Event).where(models.Event.id.in_(ids[1:4])).values(occurred_at=NOW))
    with read(engine) as session:
        parts = [[each.event_id for each in part] for part in iter_candidates(session, ids, in_part=2)]

    assert parts == [[ids[0], ids[4]], [ids[5], ids[6]], [ids[7], *ids[1:4]]]


def test_only_what_a_decision_follows_from_tells_kinds_apart() -> None:
    def kind(status: str, source: int) -> kinds.Kind:
        key = (QUEUE, status, source, 1, "sqs-redrive", 0, "yes", "", 0, "sqs", "", 1)
        return kinds.Kind(key, _CANDIDATE, 1)

    send = PlannedItem(0, TargetRef(TargetKind.SQS, QUEUE))
    skip = PlannedItem(0, None, "It is archived.")
    alike = [(kind(status, source), send) for status in ("unresolved", "resolved") for source in (1, 2)]
    assert kinds.telling_apart(alike) == ()
    by_status = [*alike, (kind("archived", 1), skip), (kind("archived", 2), skip)]
    assert kinds.telling_apart(by_status) == ("status",)
    by_both = [*alike, (kind("archived", 1), skip), (kind("archived", 2), send)]
    assert kinds.telling_apart(by_both) == ("status", "source_id")


_CANDIDATE = Candidate(event_id=0, status=EventStatus.UNRESOLVED, occurred_at=NOW)
