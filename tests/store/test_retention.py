"""Retention deletes what its rules say, nothing that anybody still needs, and every counter stays true."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from deadletter.errors import BadInput
from deadletter.filters import EventFilter
from deadletter.outcome import EventStatus, Outcome
from deadletter.store import models, read, retention, write
from deadletter.store.audit import AuditFilter, list_audit
from deadletter.store.check import recount
from deadletter.store.queries import archive_events
from deadletter.store.retention import Rule
from tests.factories import ADA, NOW
from tests.store.redriving import look, report, run, show, store, take, tell
from worker.expiring import EVERY_S, Expirer

LATER = NOW + timedelta(days=40)
RESOLVED = Rule(status=EventStatus.RESOLVED, days=30)


class At:
    """A clock that stands."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now


def ruled(engine: Engine, *rules: Rule) -> None:
    with write(engine) as session:
        for rule in rules:
            retention.set_rule(session, rule, by=ADA, now=NOW)


def expired(engine: Engine, now: datetime = LATER) -> int:
    """Let a worker's retention run to its end; return how many events are gone, and hold every counter."""
    before = left(engine)
    expirer = Expirer(engine, clock=At(now))
    while expirer.turn() != EVERY_S:
        pass
    with read(engine) as session:
        assert recount(session) == []
    return before - left(engine)


def left(engine: Engine) -> int:
    with read(engine) as session:
        return session.scalar(select(func.count()).select_from(models.Event)) or 0


def succeeded(engine: Engine, count: int = 3, **facts: Any) -> int:
    """Store events and redrive them well; return the redrive's id."""
    ids = store(engine, count, **facts)
    running = run(engine, ids)
    for second in range(count):  # a redrive's pace hands out few at once
        taken = take(engine, running.id, later_s=second)
        tell(engine, running.id, *(report(claimed, Outcome.SUCCEEDED) for claimed in taken), later_s=second)
    look(engine, running.id, later_s=1_000)
    return running.id


def test_without_a_rule_everything_is_kept(engine: Engine) -> None:
    succeeded(engine)
    assert expired(engine, NOW + timedelta(days=4_000)) == 0


def test_what_is_resolved_long_enough_goes_and_what_is_unresolved_stays(engine: Engine) -> None:
    succeeded(engine)
    store(engine, 2)
    ruled(engine, RESOLVED)
    assert expired(engine, NOW + timedelta(days=29)) == 0
    assert expired(engine) == 3
    assert left(engine) == 2


def test_a_redrive_keeps_its_counts_when_its_events_have_gone(engine: Engine) -> None:
    redrive_id = succeeded(engine)
    ruled(engine, RESOLVED)
    before = show(engine, redrive_id)
    assert expired(engine) == 3
    assert show(engine, redrive_id) == before


def test_the_unresolved_goes_only_where_it_was_told_so(engine: Engine) -> None:
    store(engine, 2)
    ruled(engine, Rule(status=EventStatus.UNRESOLVED, days=30))
    assert expired(engine) == 2


def test_what_an_open_redrive_holds_stays(engine: Engine) -> None:
    ids = store(engine, 2)
    run(engine, ids)
    ruled(engine, *(Rule(status=status, days=1) for status in retention.STATUSES))
    assert expired(engine) == 0


def test_the_newest_that_fit_into_the_bytes_stay(engine: Engine) -> None:
    ids = store(engine, 4, payload_text='"12345678"')
    with write(engine) as session:
        archive_events(session, EventFilter(), by=ADA, now=NOW)
    ruled(engine, Rule(status=EventStatus.ARCHIVED, bytes=25))
    assert expired(engine) == 2
    with read(engine) as session:
        assert session.scalars(select(models.Event.id).order_by(models.Event.id)).all() == ids[2:]


def test_a_source_with_a_rule_of_its_own_goes_by_that(engine: Engine) -> None:
    succeeded(engine)
    with read(engine) as session:
        arn = session.scalars(select(models.Source.arn)).one()
    ruled(engine, RESOLVED, Rule(status=EventStatus.RESOLVED, source_arn=arn, days=100))
    assert expired(engine) == 0


def test_many_go_in_batches_and_the_trail_says_how_many(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "AT_ONCE", 2)
    succeeded(engine, 5)
    ruled(engine, RESOLVED)
    assert expired(engine) == 5
    with read(engine) as session:
        told = list_audit(session, AuditFilter(verb="expire")).rows
        assert sorted(row.details["count"] for row in told) == [1, 2, 2]


def test_a_dry_run_counts_what_would_go_and_deletes_nothing(engine: Engine) -> None:
    succeeded(engine, 3, payload_text='"12345678"')
    ruled(engine, RESOLVED)
    with read(engine) as session:
        counted = [retention.count_due(session, one) for one in retention.due(session, now=LATER)]
    assert counted == [(3, 30)]
    assert left(engine) == 3


def test_another_worker_that_is_at_it_is_left_alone(postgres_engine: Engine) -> None:
    succeeded(postgres_engine)
    ruled(postgres_engine, RESOLVED)
    with read(postgres_engine) as session:
        one = next(retention.due(session, now=LATER))
    with write(postgres_engine) as first, write(postgres_engine) as second:
        assert retention.expire(first, one, after=None, now=LATER)[0] == 3
        assert retention.expire(second, one, after=None, now=LATER) == (0, None)


@pytest.mark.parametrize("rule", [Rule(status=EventStatus.REDRIVING, days=1), Rule(status=EventStatus.RESOLVED)])
def test_a_rule_that_says_nothing_or_too_much_is_refused(engine: Engine, rule: Rule) -> None:
    with pytest.raises(BadInput):
        ruled(engine, rule)
