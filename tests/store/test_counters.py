"""Whatever happens, in whatever order: the counters are what plain SQL counts."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from deadletter.checking import repair_all
from deadletter.errors import RedriveError
from deadletter.event import FailedEvent
from deadletter.outcome import EventStatus, Outcome
from deadletter.store import read, retention, write
from deadletter.store.audit import AuditFilter, list_audit
from deadletter.store.check import recount
from deadletter.store.ingest import Parsed, store_all
from deadletter.store.models import Base, Event
from deadletter.store.queries import archive_events, unarchive_events
from deadletter.store.redrives.claims import Claimed
from deadletter.store.redrives.outcomes import Report
from deadletter.store.redrives.tending import list_open
from deadletter.store.search import event_ids
from tests.factories import (
    ADA,
    NOW,
    make_dlq_event,
    make_event,
    make_id,
    make_message,
    make_parsed,
    make_source,
    store_some,
)
from tests.store.redriving import DECLINED, OTHER, look, report, run, take, tell

FAILURES: list[FailedEvent] = [
    make_event(
        error_type=error_type,
        error_message=message,
        occurred_at=NOW - timedelta(hours=number),
        payload_text=f'{{"order_id": "ord-{number}"}}',
    )
    for number, (error_type, message) in enumerate(
        [("PaymentError", "card was declined"), ("PaymentError", "no answer"), ("KeyError", "'total'"), (None, None)]
        * 2
    )
]
"""The invocations that fail; each may be told of several times, by a DLQ, a destination and an imitation."""

numbers = st.integers(0, len(FAILURES) - 1)
kinds = st.sampled_from(["destination", "dlq", "imitation", "without payload", "without id"])
told = st.tuples(st.integers(0, 1), numbers, kinds, st.integers(0, 2))
some = st.lists(st.integers(0, 20), max_size=6)
outcomes = st.sampled_from([Outcome.SENT, Outcome.SENT, Outcome.SUCCEEDED, Outcome.FAILED_AGAIN, Outcome.UNKNOWN])


def as_told(number: int, kind: str) -> FailedEvent:
    failure = FAILURES[number]
    match kind:
        case "dlq":
            return make_dlq_event(failure)
        case "imitation":
            return replace(failure, payload_text='{"amount": 1}')
        case "without payload":
            return replace(failure, payload_text=None)
        case "without id":
            return replace(failure, request_id=None)
    return failure


class Bookkeeping(RuleBasedStateMachine):
    """Everything that changes counters, in any order."""

    engine: Engine

    @initialize()
    def empty(self) -> None:
        self.sent: list[tuple[str, str]] = []
        with write(self.engine) as session:
            session.execute(text("UPDATE events SET redrive_id = NULL"))
            tables = reversed(Base.metadata.sorted_tables)
            for name in ("search", "redrive_items", *(table.name for table in tables if table.name != "audit")):
                session.execute(text(f"DELETE FROM {name}"))  # noqa: S608 - our own tables
            self.sources = [make_source(session, name).id for name in ("orders-dlq", "billing-dlq")]

    @rule(messages=st.lists(told, max_size=8))
    def messages_arrive(self, messages: list[tuple[int, int, str, int]]) -> None:
        self.arrive(
            (source, make_parsed(as_told(number, kind), message=make_message(message_id=f"{number}-{kind}-{copy}")))
            for source, number, kind, copy in messages
        )

    @rule(which=st.lists(st.tuples(st.integers(0, 9), kinds, numbers), max_size=3))
    def what_was_sent_comes_back(self, which: list[tuple[int, str, int]]) -> None:
        known = [(self.sent[index % len(self.sent)], kind, number) for index, kind, number in which if self.sent]
        self.arrive(
            (number % 2, make_parsed(replace(as_told(number, kind), request_id=sent_id, payload_text=payload)))
            for (sent_id, payload), kind, number in known
        )

    def arrive(self, messages: Iterable[tuple[int, Parsed]]) -> None:
        batches: dict[int, list[Parsed]] = {source_id: [] for source_id in self.sources}
        for source, parsed in messages:
            batches[self.sources[source]].append(parsed)
        with write(self.engine) as session:
            stored = store_all(session, batches, now=NOW)
        assert stored.new + stored.known + stored.merged + stored.failed_again == sum(map(len, batches.values()))

    @rule(which=some)
    def a_person_archives(self, which: list[int]) -> None:
        with write(self.engine) as session:
            archive_events(session, self.events(session, which), by=ADA, now=NOW)

    @rule(which=some)
    def a_person_unarchives(self, which: list[int]) -> None:
        with write(self.engine) as session:
            unarchive_events(session, self.events(session, which), by=ADA, now=NOW)

    @rule(which=some, outcomes=st.lists(outcomes, min_size=3, max_size=3), written=st.booleans())
    def a_redrive_sends(self, which: list[int], outcomes: list[Outcome], *, written: bool) -> None:
        with read(self.engine) as session:
            ids = self.events(session, which)
        try:
            running = run(self.engine, ids)
        except RedriveError:  # nothing of it can be sent: that is an answer, too
            return
        claimed = take(self.engine, running.id)
        told_of = [self.outcome(each, outcomes[n % 3]) for n, each in enumerate(claimed)]
        if written:
            tell(self.engine, running.id, *told_of)
        else:
            look(self.engine, running.id, later_s=1_000)

    def outcome(self, claimed: Claimed, outcome: Outcome) -> Report:
        sent_id = make_id()
        self.sent.append((sent_id, claimed.message.body))
        new_cause = DECLINED if claimed.event_id % 2 else OTHER
        return report(
            claimed, outcome, sent_id=sent_id, fingerprint=new_cause if outcome is Outcome.FAILED_AGAIN else None
        )

    @rule()
    def time_goes_by(self) -> None:
        with read(self.engine) as session:
            open_ids = list_open(session)
        for redrive_id in open_ids:
            look(self.engine, redrive_id, later_s=10_000)

    @rule(status=st.sampled_from(retention.STATUSES))
    def what_is_old_expires(self, status: EventStatus) -> None:
        late = NOW + timedelta(days=2)
        with write(self.engine) as session:
            retention.set_rule(session, retention.Rule(status=status, days=1), by=ADA, now=NOW)
            for one in list(retention.due(session, now=late)):
                retention.expire(session, one, after=None, now=late)

    def events(self, session: Session, which: list[int]) -> list[int]:
        known = session.scalars(select(Event.id).order_by(Event.id)).all()
        return [known[index % len(known)] for index in which if known]

    @invariant()
    def the_counters_are_what_is_counted(self) -> None:
        with read(self.engine) as session:
            assert recount(session) == []


def test_counters_hold_whatever_happens(engine: Engine) -> None:
    machine = type("Machine", (Bookkeeping,), {"engine": engine})
    examples = 40 if engine.dialect.name == "sqlite" else 15
    run_state_machine_as_test(machine, settings=settings(max_examples=examples, stateful_step_count=12, deadline=None))


def test_a_difference_is_found_and_told(session: Session) -> None:
    store_some(session, make_parsed())
    session.execute(text("UPDATE groups SET n_unresolved = 3, status = 'archived'"))
    session.execute(text("UPDATE group_hours SET n = 0"))

    assert sorted(map(str, recount(session))) == [
        "events of a group by status (1, 'unresolved'): kept 3, counted 1",
        "failures of a group by hour (1, 498722): kept 0, counted 1",
        "group shows another status than its counts (1, 'archived'): kept 1, counted 0",
    ]


def test_a_repair_sets_every_counter_right_and_leaves_what_only_a_person_can_know(engine: Engine) -> None:
    with write(engine) as session:
        store_some(session, make_parsed(payload_text='{"order_id": "ord-7741"}'))
    run(engine)
    spoil(
        engine,
        "UPDATE groups SET n_unresolved = 3, n_archived = 2, status = 'archived', regressed_at = 1, last_seen = 5",
        "UPDATE group_hours SET n = 7",
        "DELETE FROM source_hours",
        "UPDATE group_sources SET n = 0",
        "UPDATE redrives SET n_waiting = 9, n_unknown = 4",
        "UPDATE sources SET collected_total = 0",
        "UPDATE events SET failures = 6",
        "DELETE FROM search",
        "UPDATE events SET redrive_id = NULL",
    )
    repaired = repair_all(engine, by=ADA, now=NOW)

    assert [each.what for each in repaired.left] == ["event redriving without a claim, or claimed without redriving"]
    with read(engine) as session:
        assert recount(session) == list(repaired.left)
        assert session.scalars(event_ids(session, "ord-7741")).all() == session.scalars(select(Event.id)).all()
        assert {row.verb for row in list_audit(session, AuditFilter(kind="database")).rows} == {"repair"}


def test_a_target_that_got_less_than_its_items_say_is_set_right(engine: Engine) -> None:
    with write(engine) as session:
        store_some(session, make_parsed())
    running = run(engine)
    tell(engine, running.id, report(take(engine, running.id)[0], Outcome.SUCCEEDED))
    spoil(engine, "DELETE FROM target_totals")
    assert repair_all(engine, by=ADA, now=NOW).left == []
    with read(engine) as session:
        assert session.execute(text("SELECT redriven, succeeded FROM target_totals")).all() == [(1, 1)]


def spoil(engine: Engine, *statements: str) -> None:
    with write(engine) as session:
        for statement in statements:
            session.execute(text(statement))
