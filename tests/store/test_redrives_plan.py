"""A redrive is planned, started and cancelled."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine

from deadletter import redrive
from deadletter.errors import BadInput, ChangedSincePlan, IllegalMove
from deadletter.event import Producer
from deadletter.filters import EventFilter
from deadletter.outcome import EventStatus, Outcome, RedriveStatus
from deadletter.store import write
from deadletter.store.failures import move_events
from deadletter.store.ingest import store_messages
from deadletter.store.redrives.pauses import Busy
from deadletter.store.rows import RedriveRow
from deadletter.store.sources import add_source
from tests.factories import ADA, BOB, FUNCTION, NOW, QUEUE, make_event, make_message, make_parsed, store_some
from tests.store.redriving import (
    check_counters,
    event,
    items,
    look,
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


def test_a_plan_is_a_fixed_list_oldest_first_and_changes_nothing(engine: Engine) -> None:
    ids = store(engine, 3)
    planned = plan(engine)

    assert planned.status is RedriveStatus.PLANNED
    assert [item.event_id for item in items(engine, planned.id)] == ids
    assert planned.targets == [
        {
            "kind": "lambda",
            "arn": FUNCTION,
            "count": 3,
            "why": "the function that the record names",
            "invocation": "RequestResponse",
        }
    ]
    assert event(engine, ids[0]).status == EventStatus.UNRESOLVED


def test_what_arrives_after_the_plan_is_not_in_it(engine: Engine) -> None:
    ids = store(engine, 2)
    planned = plan(engine)
    store(engine, 2)

    assert [item.event_id for item in items(engine, planned.id)] == ids
    assert planned.last_event_id == max(ids)


def test_the_same_events_planned_twice_have_the_same_digest(engine: Engine) -> None:
    ids = store(engine, 2)

    assert plan(engine).digest == plan(engine, [ids[1], ids[0]]).digest


def test_a_plan_for_nothing_says_how_to_find_something(engine: Engine) -> None:
    with pytest.raises(BadInput, match=r"No event matches status=archived. Widen the filter"):
        plan(engine, EventFilter(status=EventStatus.ARCHIVED))
    with pytest.raises(BadInput, match="None of the events that you selected exists"):
        plan(engine, [404])


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"rate": 0.0}, "above 0 and at most 10,000"),
        ({"rate": float("nan")}, "above 0 and at most 10,000"),
        ({"rate": 10_001.0}, "above 0 and at most 10,000"),
        ({"invocation": "DryRun"}, "RequestResponse, Event"),
    ],
)
def test_a_rate_or_an_invocation_that_cannot_be_is_refused(engine: Engine, given: dict[str, Any], says: str) -> None:
    store(engine, 1)
    with pytest.raises(BadInput, match=says):
        plan(engine, **given)


def test_events_that_cannot_be_sent_are_in_the_plan_with_the_reason(engine: Engine) -> None:
    taken, resolved, archived, free = store(engine, 4)
    running = run(engine, [taken])
    with write(engine) as session:
        move_events(session, [resolved], EventStatus.RESOLVED)
        move_events(session, [archived], EventStatus.ARCHIVED)
    planned = plan(engine)

    assert {item.event_id: item.reason for item in items(engine, planned.id)} == {
        taken: f"Already in redrive {running.id}.",
        resolved: "Already resolved.",
        archived: "Archived. Choose it by itself, or take it out of the archive.",
        free: None,
    }
    assert (planned.planned, planned.waiting, planned.skipped) == (4, 1, 3)


def test_a_plan_with_nothing_to_send_says_why_and_cannot_be_started(engine: Engine) -> None:
    (resolved,) = store(engine, 1)
    with write(engine) as session:
        move_events(session, [resolved], EventStatus.RESOLVED)
    planned = plan(engine)

    with pytest.raises(IllegalMove, match="Nothing in this plan can be sent"):
        redrive.start(engine, planned.id, digest=planned.digest, started_by=ADA, now=NOW)


def test_a_payload_that_is_no_json_is_not_planned_for_a_function(engine: Engine) -> None:
    with write(engine) as session:
        broken = make_event(producer=Producer.LAMBDA_ASYNC_DLQ, payload_text="order 7 please")
        attributes = {
            "RequestID": {"DataType": "String", "StringValue": broken.request_id},
            "ErrorCode": {"DataType": "Number", "StringValue": "200"},
        }
        message = make_message("order 7 please", message_attributes=attributes)
        store_some(session, make_parsed(broken, message=message))
    planned = plan(engine)

    assert "not JSON" in (items(engine, planned.id)[0].reason or "")


def test_the_title_says_what_was_chosen(engine: Engine) -> None:
    ids = store(engine, 2)
    group_id = event(engine, ids[0]).group_id

    assert plan(engine, ids).title == "2 selected events"
    assert plan(engine, ids[:1]).title == "1 selected event"
    assert plan(engine, EventFilter(group=group_id)).title == "PaymentError in orders-capture"
    assert plan(engine, EventFilter(groups=(group_id,))).title == "1 group"
    assert plan(engine, EventFilter(status=EventStatus.UNRESOLVED)).title == "All unresolved events"


def test_starting_claims_the_events(engine: Engine) -> None:
    ids = store(engine, 2)
    started = run(engine)

    assert (started.status, started.started_by, started.started_at) == (RedriveStatus.RUNNING, "ada", NOW)
    assert {event(engine, each).redrive_id for each in ids} == {started.id}
    assert {event(engine, each).status for each in ids} == {EventStatus.REDRIVING}


def test_another_plan_than_the_one_confirmed_is_not_started(engine: Engine) -> None:
    store(engine, 2)
    planned = plan(engine)

    with pytest.raises(ChangedSincePlan):
        redrive.start(engine, planned.id, digest="0" * 64, started_by=ADA, now=NOW)
    assert show(engine, planned.id).status is RedriveStatus.PLANNED


def test_a_redrive_starts_only_once(engine: Engine) -> None:
    store(engine, 2)
    started = run(engine)

    with pytest.raises(IllegalMove, match="only once"):
        redrive.start(engine, started.id, digest=started.digest, started_by=ADA, now=NOW)


def test_a_plan_whose_events_changed_is_refused_and_shown_as_it_is_now(engine: Engine) -> None:
    first, second = store(engine, 2)
    both = plan(engine)
    run(engine, [first])
    with pytest.raises(ChangedSincePlan, match=r"happened to 1 of its events\. Nothing was sent"):
        redrive.start(engine, both.id, digest=both.digest, started_by=BOB, now=NOW)

    now = show(engine, both.id)
    assert (now.status, now.waiting, now.skipped) == (RedriveStatus.PLANNED, 1, 1)
    assert [line["count"] for line in now.targets] == [1]
    assert now.digest != both.digest
    assert [item.reason for item in items(engine, both.id)] == [f"In redrive {both.id + 1} by now.", None]
    with pytest.raises(ChangedSincePlan, match="not the plan"):
        redrive.start(engine, both.id, digest=both.digest, started_by=BOB, now=NOW)
    assert redrive.start(engine, both.id, digest=now.digest, started_by=BOB, now=NOW).waiting == 1
    assert event(engine, second).redrive_id == both.id


def test_when_nothing_is_left_to_send_the_plan_is_out_of_date(engine: Engine) -> None:
    store(engine, 2)
    late = plan(engine)
    run(engine)

    with pytest.raises(ChangedSincePlan, match="None of the 2 events"):
        redrive.start(engine, late.id, digest=late.digest, started_by=BOB, now=NOW)
    assert show(engine, late.id).status is RedriveStatus.PLANNED


def test_an_archived_event_that_a_person_named_is_taken_out_of_the_archive(engine: Engine) -> None:
    (archived,) = store(engine, 1)
    with write(engine) as session:
        move_events(session, [archived], EventStatus.ARCHIVED)
    run(engine, [archived])

    assert event(engine, archived).status == EventStatus.REDRIVING


def test_starting_at_the_same_time_gives_every_event_to_one_redrive(engine: Engine) -> None:
    ids = store(engine, 40)
    plans = [plan(engine), plan(engine, ids[::-1])]
    won: list[int] = []

    def confirm(planned: RedriveRow) -> None:
        try:
            started = redrive.start(engine, planned.id, digest=planned.digest, started_by=ADA, now=NOW)
            won.append(started.waiting)
        except ChangedSincePlan:
            won.append(0)

    threads = [threading.Thread(target=confirm, args=[planned]) for planned in plans]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(won) == [0, 40]


def test_what_was_sent_stays_sent_and_what_waits_is_skipped(engine: Engine) -> None:
    ids = store(engine, 3)
    running = run(engine)
    (claimed,) = take(engine, running.id, 1)
    tell(engine, running.id, report(claimed, Outcome.SENT, sent_id="r-1"))
    cancelled = redrive.cancel(engine, running.id, by=BOB, now=NOW)

    assert (cancelled.status, cancelled.sent, cancelled.skipped) == (RedriveStatus.CANCELLED, 1, 2)
    assert (cancelled.cancelled_by, cancelled.ever_sent, cancelled.ended) == ("bob", 1, False)
    assert items(engine, running.id)[1].reason == "Cancelled by bob before it was sent."
    assert event(engine, ids[2]).status == EventStatus.UNRESOLVED
    assert event(engine, ids[2]).redrive_id is None


def test_what_is_being_sent_still_gets_its_outcome(engine: Engine) -> None:
    store(engine, 3)
    running = run(engine)
    (first,), (second,) = take(engine, running.id), take(engine, running.id, 1, later_s=1)
    redrive.cancel(engine, running.id, by=BOB, now=NOW)
    tell(engine, running.id, report(first, Outcome.SENT, sent_id="r-1"))
    tell(engine, running.id, report(second, Outcome.WAITING, busy=Busy("Slow down.", None, 1.0)))
    look(engine, running.id, later_s=61)

    ended = show(engine, running.id)
    assert (ended.status, ended.succeeded, ended.skipped, ended.ended) == (RedriveStatus.CANCELLED, 1, 2, True)
    assert items(engine, running.id)[1].reason == "Cancelled by bob before it was sent."


def test_a_plan_can_be_thrown_away(engine: Engine) -> None:
    (event_id,) = store(engine, 1)
    cancelled = redrive.cancel(engine, plan(engine).id, by=BOB, now=NOW)

    assert (cancelled.status, cancelled.skipped, cancelled.ended) == (RedriveStatus.CANCELLED, 1, True)
    assert event(engine, event_id).last_outcome is None


def test_a_plan_thrown_away_leaves_the_claims_of_others(engine: Engine) -> None:
    (event_id,) = store(engine, 1)
    unused = plan(engine)
    running = run(engine)
    redrive.cancel(engine, unused.id, by=BOB, now=NOW)

    assert event(engine, event_id).redrive_id == running.id


def test_what_has_ended_cannot_be_cancelled(engine: Engine) -> None:
    store(engine, 1)
    running = run(engine)
    redrive.cancel(engine, running.id, by=BOB, now=NOW)

    with pytest.raises(IllegalMove, match="nothing to cancel"):
        redrive.cancel(engine, running.id, by=BOB, now=NOW)


def test_what_lies_in_a_bucket_goes_to_an_account_of_which_a_queue_is_registered_and_to_no_other(
    engine: Engine,
) -> None:
    with write(engine) as session:
        bucket = add_source(session, "arn:aws:s3:::failures/aws/lambda/", target=None, by=ADA, now=NOW)
        store_messages(session, bucket.id, [make_parsed()], now=NOW)

    refused = plan(engine)
    assert (refused.waiting, refused.skipped) == (0, 1)
    assert "REDRIVE_ALLOWED_ACCOUNTS" in (items(engine, refused.id)[0].reason or "")

    with write(engine) as session:
        add_source(session, QUEUE, target=None, by=ADA, now=NOW)
    assert plan(engine).waiting == 1
