"""A whole redrive under whatever may happen, in any order: Hypothesis looks for the order that breaks a promise."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import Engine

from deadletter import redrive
from deadletter.actor import Actor
from deadletter.errors import IllegalMove
from deadletter.manner import Manner, Pace
from deadletter.outcome import HELD, SETTLED, Outcome, RedriveStatus
from deadletter.settings import Settings
from deadletter.store import make_engine, read, write
from deadletter.store.ingest import store_messages
from deadletter.store.redrives.claims import Claimed, claim
from deadletter.store.redrives.doubts import list_doubts
from deadletter.store.redrives.outcomes import record
from deadletter.store.redrives.pauses import Busy
from deadletter.store.redrives.workers import heartbeat
from deadletter.store.rows import RedriveRow
from tests.factories import NOW, make_event, make_message, make_parsed
from tests.store.redriving import DECLINED, check_counters, items, look, plan, report, show, store

ADA = Actor("ada", "127.0.0.1")
EVENTS = 14
LEASE_S = 30.0
FAILURE = {"fingerprint": DECLINED, "error_type": "PaymentError", "error_message": "card was declined"}

_ANSWERS = [Outcome.SUCCEEDED, Outcome.FAILED_AGAIN, Outcome.SENT, Outcome.UNKNOWN, Outcome.SKIPPED]


class RedriveMachine(RuleBasedStateMachine):
    """A redrive, and others of what it left unknown; three workers, a clock that may jump, operators of two minds.

    The handler is idempotent: it knows an event again by what is sent of it.
    """

    template: ClassVar[Path]

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        shutil.copy(self.template, self.folder / "redrive.db")
        self.engine: Engine = make_engine(Settings(data_dir=self.folder))
        self.event_ids = store(self.engine, EVENTS)
        planned = plan(self.engine, manner=Manner(canary=3, max_failures=0.5))
        started = redrive.start(self.engine, planned.id, digest=planned.digest, started_by=ADA, now=NOW)
        self.id, self.later_s = started.id, 0.0
        self.hands: dict[str, list[Claimed]] = {"w1": [], "w2": [], "w3": []}
        self.ids = [self.id]  # the redrive's, and those of what was sent again by hand
        self.reached: Counter[int] = Counter()  # how often each event reached the target
        self.by_hand: Counter[int] = Counter()  # how often a person sent it again, knowing nothing of it
        self.done: set[tuple[str, str | None]] = set()  # the handler's own records
        self.effects: Counter[int] = Counter()  # how often it did what it does, by event

    def teardown(self) -> None:
        self.finish()
        self.engine.dispose()
        shutil.rmtree(self.folder)

    @property
    def row(self) -> RedriveRow:
        return show(self.engine, self.id)

    @rule(worker=st.sampled_from(["w1", "w2", "w3"]), most=st.integers(1, 6), which=st.integers(0, 3))
    def claim(self, worker: str, most: int, which: int) -> None:
        redrive_id = self.ids[which % len(self.ids)]
        before, now = show(self.engine, redrive_id), NOW + timedelta(seconds=self.later_s)
        with write(self.engine) as session:
            heartbeat(session, worker, started_at=NOW, now=now, doing="")
            claims = claim(session, redrive_id, worker=worker, most=most, now=now)
        self.hands[worker] += claims
        assert not claims or before.status is RedriveStatus.RUNNING
        assert len(claims) <= max(0, before.waiting - before.kept_back)

    @rule(
        worker=st.sampled_from(["w1", "w2", "w3"]),
        outcome=st.sampled_from(_ANSWERS),
    )
    def answer(self, worker: str, outcome: Outcome) -> None:
        """The target took the first of a worker's claims, or refused it, and that is written down."""
        if not self.hands[worker]:
            return
        claimed = self.hands[worker].pop(0)
        if outcome is not Outcome.SKIPPED:
            self._arrives(claimed, fails=outcome is Outcome.FAILED_AGAIN)
        given = FAILURE if outcome is Outcome.FAILED_AGAIN else {"reason": "Why."} if outcome is Outcome.SKIPPED else {}
        self._tell(worker, claimed, outcome, sent_id=f"r-{claimed.redrive_id}-{claimed.position}", **given)

    @rule(worker=st.sampled_from(["w1", "w2", "w3"]), limit=st.sampled_from([None, "rate", "concurrency"]))
    def turn_away(self, worker: str, limit: str | None) -> None:
        """The target is busy: it did not take it."""
        if self.hands[worker]:
            claimed = self.hands[worker].pop(0)
            self._tell(worker, claimed, Outcome.WAITING, busy=Busy("Slow down.", None, 0.5, limit))

    @rule(worker=st.sampled_from(["w1", "w2", "w3"]), reached=st.booleans())
    def die(self, worker: str, reached: bool) -> None:  # noqa: FBT001 - Hypothesis' own call
        """A worker is killed with claims in its hand; each had reached the target, or had not."""
        for claimed in self.hands[worker] if reached else ():
            self._arrives(claimed)
        self.hands[worker] = []

    @rule(seconds=st.sampled_from([0.05, 1.0, 20.0, 45.0, 120.0, 3_600.0, -3_600.0]))
    def time_passes(self, seconds: float) -> None:
        """Time goes on, or somebody sets the clock; living workers are heard of."""
        self.later_s = max(0.0, self.later_s + seconds)
        now = NOW + timedelta(seconds=self.later_s)
        with write(self.engine) as session:
            for worker, hand in self.hands.items():
                if hand:
                    heartbeat(session, worker, started_at=NOW, now=now, doing="")
        self._look()

    @rule()
    def send_unknown_again(self) -> None:
        """A person sends again what nobody knows anything of, as the page of unknown outcomes does."""
        with read(self.engine) as session:
            unknown = [doubt.event_id for doubt in list_doubts(session).rows]
        if unknown:
            planned = plan(self.engine, unknown, manner=Manner(canary=2, max_failures=0.5))
            now = NOW + timedelta(seconds=self.later_s)
            redrive.start(self.engine, planned.id, digest=planned.digest, started_by=ADA, now=now)
            self.by_hand.update(item.event_id for item in items(self.engine, planned.id))
            self.ids.append(planned.id)

    @rule()
    def comes_back(self) -> None:
        """A sent event lands in the DLQ again."""
        of_all = (item for redrive_id in self.ids for item in items(self.engine, redrive_id))
        sent = [item for item in of_all if item.outcome is Outcome.SENT and item.sent_id]
        if sent:
            event = make_event(request_id=sent[0].sent_id, payload_text=None)
            with write(self.engine) as session:
                back = make_parsed(event, message=make_message(message_id=f"back-{sent[0].sent_id}"))
                store_messages(session, 1, [back], now=NOW + timedelta(seconds=self.later_s))

    @rule()
    def pause(self) -> None:
        self._steer(redrive.pause, allowed=self.row.status is RedriveStatus.RUNNING)

    @rule()
    def resume(self) -> None:
        self._steer(redrive.resume, allowed=self.row.status in HELD)

    @rule(rate=st.sampled_from([0.5, 20.0, 1_000.0]), concurrency=st.none() | st.integers(1, 3))
    @precondition(lambda self: not self.row.ended and self.row.status in {RedriveStatus.RUNNING, *HELD})
    def change_pace(self, rate: float, concurrency: int | None) -> None:
        now = NOW + timedelta(seconds=self.later_s)
        redrive.change_pace(self.engine, self.id, Pace(rate, concurrency), by=ADA, now=now)

    @rule()
    @precondition(lambda self: self.row.waiting < EVENTS - 6)
    def cancel(self) -> None:
        self._steer(redrive.cancel, allowed=self.row.status not in {RedriveStatus.FINISHED, RedriveStatus.CANCELLED})

    @invariant()
    def every_planned_event_has_exactly_one_outcome_and_the_counts_say_so(self) -> None:
        assert sorted(item.event_id for item in items(self.engine, self.id)) == sorted(self.event_ids)
        for redrive_id in self.ids:
            counted, row = (
                Counter(item.outcome for item in items(self.engine, redrive_id)),
                show(self.engine, redrive_id),
            )
            assert {outcome: getattr(row, outcome.value) for outcome in Outcome if counted[outcome]} == dict(counted)

    @invariant()
    def nothing_reaches_the_target_twice_unless_a_person_sent_it_again(self) -> None:
        assert all(times <= 1 + self.by_hand[event_id] for event_id, times in self.reached.items())
        assert max(self.effects.values(), default=0) <= 1
        held = Counter(claimed.event_id for hand in self.hands.values() for claimed in hand)
        assert max(held.values(), default=0) <= 1

    def finish(self) -> None:
        """Cancel, let all that is in hand be lost, wait: everything has ended, and every count is right."""
        for redrive_id in self.ids:
            if show(self.engine, redrive_id).status not in {RedriveStatus.FINISHED, RedriveStatus.CANCELLED}:
                redrive.cancel(self.engine, redrive_id, by=ADA, now=NOW + timedelta(seconds=self.later_s))
        for worker in self.hands:
            self.die(worker, reached=True)
        for _ in range(2):
            self.later_s += 7_300.0
            self._look()
        never_sent = set(self.event_ids)
        for redrive_id in self.ids:
            assert show(self.engine, redrive_id).ended
            found = items(self.engine, redrive_id)
            assert {item.outcome for item in found} <= SETTLED
            never_sent -= {item.event_id for item in found if item.outcome is not Outcome.SKIPPED}
        assert not never_sent & self.reached.keys()  # whatever reached the target is never said not to have
        check_counters(self.engine)

    def _look(self) -> None:
        for redrive_id in self.ids:
            look(self.engine, redrive_id, later_s=self.later_s, lease_s=LEASE_S)

    def _arrives(self, claimed: Claimed, *, fails: bool = False) -> None:
        """Let the target have it: a handler with a record of it answers from that; one that fails makes none."""
        self.reached[claimed.event_id] += 1
        key = (claimed.message.body, claimed.edited)
        if key not in self.done and not fails:
            self.done.add(key)
            self.effects[claimed.event_id] += 1

    def _tell(self, worker: str, claimed: Claimed, outcome: Outcome, **given: object) -> None:
        said = report(claimed, outcome, refused=outcome is Outcome.SKIPPED, **given)
        with write(self.engine) as session:
            record(session, claimed.redrive_id, [said], worker=worker, now=NOW + timedelta(seconds=self.later_s))

    def _steer(self, act: object, *, allowed: bool) -> None:
        try:
            act(self.engine, self.id, by=ADA, now=NOW + timedelta(seconds=self.later_s))  # type: ignore[operator]
        except IllegalMove:
            assert not allowed
        else:
            assert allowed


def test_no_order_of_claims_answers_deaths_clocks_and_second_thoughts_breaks_a_promise(sqlite_template: Path) -> None:
    machine = type("Machine", (RedriveMachine,), {"template": sqlite_template})
    quick = settings(
        max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True
    )
    run_state_machine_as_test(machine, settings=quick)
