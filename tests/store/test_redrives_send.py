"""What a redrive sends is claimed by one worker, and what became of it is written down."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from deadletter.event import TargetKind, TargetRef
from deadletter.outcome import EventStatus, Outcome, RedriveStatus
from deadletter.store import models, read, write
from deadletter.store.redrives import items_of_event
from deadletter.store.redrives.pauses import Busy
from tests.factories import ACCOUNT, FUNCTION, NOW, TARGET, make_event, make_parsed, store_some
from tests.store.redriving import (
    DECLINED,
    OTHER,
    check_counters,
    event,
    items,
    plan,
    report,
    run,
    show,
    store,
    take,
    tell,
)


@pytest.fixture(autouse=True)
def counters_are_right(engine: Engine) -> Iterator[None]:
    yield
    check_counters(engine)


def test_what_is_claimed_is_claimed_by_nobody_else(engine: Engine) -> None:
    store(engine, 5)
    running = run(engine)
    claims = [take(engine, running.id, 3, worker=f"w{n}", later_s=n) for n in range(4)]

    assert [[each.position for each in some] for some in claims] == [[0], [1, 2, 3], [4], []]
    assert show(engine, running.id).sending == 5


def test_a_claim_holds_everything_that_sending_needs(engine: Engine) -> None:
    (event_id,) = store(engine, 1)
    running = run(engine)
    (claimed,) = take(engine, running.id)

    assert (claimed.event_id, claimed.target, claimed.stands_for) == (event_id, TARGET, FUNCTION)
    assert claimed.message.body.startswith("{")
    assert claimed.deduplication_id.startswith(f"redrive-{running.id}-0-")


def test_the_rate_holds_for_all_workers_together(engine: Engine) -> None:
    store(engine, 30)
    running = run(engine, rate=10.0)
    claimed = [len(take(engine, running.id, worker=f"w{n % 3}", later_s=n / 30)) for n in range(61)]

    assert sum(claimed) == 21  # two seconds of ten, and the first at once


def test_only_a_running_redrive_is_claimed_from(engine: Engine) -> None:
    store(engine, 1)

    assert take(engine, plan(engine).id) == []


def test_many_workers_at_once_never_claim_the_same(engine: Engine) -> None:
    store(engine, 60)
    running = run(engine, rate=10_000.0)
    claimed: list[int] = []
    start = threading.Barrier(4)

    def work(worker: str) -> None:
        start.wait()
        for n in range(12):
            claimed.extend(each.position for each in take(engine, running.id, 3, worker=worker, later_s=n / 10))

    threads = [threading.Thread(target=work, args=[f"w{n}"]) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(claimed) == len(set(claimed))
    assert show(engine, running.id).sending == len(claimed) > 40


def test_a_success_resolves_the_event_and_ends_the_redrive(engine: Engine) -> None:
    (event_id,) = store(engine, 1)
    running = run(engine)
    (claimed,) = take(engine, running.id)
    tell(engine, running.id, report(claimed, Outcome.SUCCEEDED, sent_id="r-1", evidence="It said so."))

    ended, row = show(engine, running.id), event(engine, event_id)
    assert (ended.status, ended.succeeded, ended.ended) == (RedriveStatus.FINISHED, 1, True)
    assert ended.finished_at == NOW + timedelta(seconds=1)
    assert (row.status, row.redrive_id, row.last_outcome) == (EventStatus.RESOLVED, None, Outcome.SUCCEEDED)
    with read(engine) as session:
        (item,) = items_of_event(session, event_id)
    assert (item.outcome, item.sent_id, item.evidence, item.sent_at) == (
        Outcome.SUCCEEDED,
        "r-1",
        "It said so.",
        NOW,
    )


def test_what_is_sent_is_watched(engine: Engine) -> None:
    (event_id,) = store(engine, 1)
    running = run(engine)
    (claimed,) = take(engine, running.id)
    tell(engine, running.id, report(claimed, Outcome.SENT, sent_id="r-1"))

    assert show(engine, running.id).status is RedriveStatus.WATCHING
    assert event(engine, event_id).status == EventStatus.REDRIVING
    assert event(engine, event_id).last_outcome == Outcome.SENT


def test_a_failure_of_the_same_cause_stays_in_its_group_and_counts_once_more(engine: Engine) -> None:
    (event_id,) = store(engine, 1)
    group_id = event(engine, event_id).group_id
    running = run(engine)
    (claimed,) = take(engine, running.id)
    failed = report(claimed, Outcome.FAILED_AGAIN, error_type="PaymentError", error_message="card was declined")
    tell(engine, running.id, replace(failed, fingerprint=DECLINED))

    row = event(engine, event_id)
    assert (row.status, row.redrive_id, row.failures, row.group_id) == (
        EventStatus.UNRESOLVED,
        None,
        2,
        group_id,
    )
    assert items(engine, running.id)[0].group_id == group_id
    assert show(engine, running.id).status is RedriveStatus.FINISHED


def test_a_failure_of_another_cause_is_linked_to_its_own_group(engine: Engine) -> None:
    (event_id,) = store(engine, 1)
    before = event(engine, event_id).group_id
    running = run(engine)
    (claimed,) = take(engine, running.id)
    failed = report(claimed, Outcome.FAILED_AGAIN, error_type="KeyError", error_message="'shippingAddress'")
    tell(engine, running.id, replace(failed, fingerprint=OTHER))

    (item,) = items(engine, running.id)
    assert item.group_id == event(engine, event_id).group_id != before
    assert (item.error_type, item.error_message) == ("KeyError", "'shippingAddress'")


def test_a_busy_target_gets_a_pause_and_the_event_waits(engine: Engine) -> None:
    store(engine, 2)
    running = run(engine)
    claims = [*take(engine, running.id), *take(engine, running.id, later_s=1)]
    tell(engine, running.id, *(report(c, Outcome.WAITING, busy=Busy("Slow down.", 4.0, 0.0)) for c in claims))

    paused = show(engine, running.id)
    assert (paused.waiting, paused.sending, paused.busy_count) == (2, 0, 1)
    assert (paused.busy_reason, paused.busy_until) == ("Slow down.", NOW + timedelta(seconds=5))
    assert take(engine, running.id, later_s=4.9) == []
    assert len(take(engine, running.id, later_s=5.0)) == 2
    assert items(engine, running.id)[0].reason is None


def test_the_pauses_of_a_target_that_stays_busy_grow_and_an_answer_ends_them(engine: Engine) -> None:
    store(engine, 1)
    running = run(engine)
    pauses, at = [], 0.0
    for _ in range(4):
        (claimed,) = take(engine, running.id, later_s=at)
        tell(engine, running.id, report(claimed, Outcome.WAITING, busy=Busy("Slow.", None, 1.0)), later_s=at)
        until = show(engine, running.id).busy_until
        assert until is not None
        pauses.append((until - NOW).total_seconds() - at)
        at += pauses[-1]
    (claimed,) = take(engine, running.id, later_s=at)
    tell(engine, running.id, report(claimed, Outcome.SENT, sent_id="r-1"), later_s=at)

    assert pauses == [1.0, 2.0, 4.0, 8.0]
    assert (show(engine, running.id).busy_count, show(engine, running.id).busy_reason) == (0, None)


def test_one_busy_target_does_not_keep_the_others_waiting(engine: Engine) -> None:
    notify = TargetRef(TargetKind.LAMBDA, ACCOUNT.format("lambda", "function:orders-notify"))
    busy_ids = store(engine, 3)
    with write(engine) as session:
        store_some(session, *[make_parsed(make_event(target=notify)) for _ in range(3)])
    healthy_ids = list(range(max(busy_ids) + 1, max(busy_ids) + 4))
    running = run(engine, [*busy_ids, *healthy_ids])
    first = take(engine, running.id, most=2)
    tell(engine, running.id, *(report(c, Outcome.WAITING, busy=Busy("Slow down.", 60.0, 0.0)) for c in first))

    assert show(engine, running.id).busy_until is None, "the others may go"
    others = take(engine, running.id, later_s=2)
    assert [claimed.event_id for claimed in others] == healthy_ids
    tell(engine, running.id, *(report(c, Outcome.SUCCEEDED, sent_id="r") for c in others), later_s=3)
    assert take(engine, running.id, later_s=4) == []
    waiting = show(engine, running.id)
    assert (waiting.waiting, waiting.busy_until, waiting.busy_reason) == (3, NOW + timedelta(seconds=61), "Slow down.")
    again = [claimed.event_id for second in (61, 62) for claimed in take(engine, running.id, later_s=second)]
    assert again == busy_ids


def test_what_the_target_refuses_is_skipped_with_its_words(engine: Engine) -> None:
    (event_id,) = store(engine, 1)
    running = run(engine)
    (claimed,) = take(engine, running.id)
    tell(engine, running.id, report(claimed, Outcome.SKIPPED, reason="It is too large."))

    (item,) = items(engine, running.id)
    assert (item.outcome, item.reason, item.sent_at) == (Outcome.SKIPPED, "It is too large.", None)
    assert event(engine, event_id).status == EventStatus.UNRESOLVED


def test_a_lost_answer_is_unknown_and_a_person_decides(engine: Engine) -> None:
    (event_id,) = store(engine, 1)
    running = run(engine)
    (claimed,) = take(engine, running.id)
    tell(engine, running.id, report(claimed, Outcome.UNKNOWN, reason="No answer."))

    row = event(engine, event_id)
    assert (row.status, row.redrive_id, row.last_outcome) == (EventStatus.UNRESOLVED, None, Outcome.UNKNOWN)
    assert take(engine, running.id, later_s=99) == []


def test_only_the_worker_that_claimed_it_is_heard(engine: Engine) -> None:
    store(engine, 1)
    running = run(engine)
    (claimed,) = take(engine, running.id)
    tell(engine, running.id, report(claimed, Outcome.SUCCEEDED), worker="w2")

    assert show(engine, running.id).sending == 1


def test_hostile_text_in_an_answer_is_kept_readable(engine: Engine) -> None:
    store(engine, 1)
    running = run(engine)
    (claimed,) = take(engine, running.id)
    failed = report(claimed, Outcome.FAILED_AGAIN, error_type="\x00\ud800", error_message="a\x00b" * 9_000)
    tell(engine, running.id, replace(failed, fingerprint=DECLINED))

    (item,) = items(engine, running.id)
    assert item.error_type == "\ufffd\ufffd"
    assert (item.error_message or "").startswith("a\ufffdb")


def test_a_failure_that_came_back_before_the_sent_id_was_known_is_found(engine: Engine) -> None:
    (event_id,) = store(engine, 1, payload_text='{"order_id": "ord-1"}')
    running = run(engine)
    (claimed,) = take(engine, running.id)
    (early,) = store(engine, 1, request_id="r-1", payload_text='{"order_id": "ord-1"}', error_message="declined again")
    tell(engine, running.id, report(claimed, Outcome.SENT, sent_id="r-1"))

    (item,) = items(engine, running.id)
    assert (item.outcome, item.event_id) == (Outcome.FAILED_AGAIN, event_id)
    assert item.record_id is not None
    assert event(engine, event_id).failures == 2
    assert show(engine, running.id).status is RedriveStatus.FINISHED
    with read(engine) as session:
        assert session.get(models.Event, early) is None
