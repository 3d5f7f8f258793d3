"""What a redrive sent and what comes back are one event."""

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Engine

from deadletter.event import FailedEvent, Producer
from deadletter.filters import EventFilter
from deadletter.outcome import EventStatus, Outcome, RedriveStatus
from deadletter.redrive.editing import ByHand
from deadletter.store import read, write
from deadletter.store.ingest import Parsed, Stored, store_messages
from deadletter.store.queries import archive_events, get_event, get_group, list_events
from deadletter.store.rows import EventDetail
from tests.factories import ADA, NOW, make_dlq_event, make_event, make_id, make_message, make_parsed, store_some
from tests.store.redriving import check_counters, items, look, report, run, show, store, take, tell

LATER = NOW + timedelta(minutes=10)


def send_one(engine: Engine, event: FailedEvent, *, sent_id: str) -> tuple[int, int]:
    """Store *event*, send it in a redrive; return the ids of both."""
    with write(engine) as session:
        store_some(session, make_parsed(event))
        (row,) = list_events(session, EventFilter()).rows
    running = run(engine, [row.id])
    (claimed,) = take(engine, running.id)
    tell(engine, running.id, report(claimed, Outcome.SENT, sent_id=sent_id))
    return row.id, running.id


def arrive(engine: Engine, *parsed: Parsed) -> Stored:
    with write(engine) as session:
        return store_messages(session, store_some(session), parsed, now=LATER)


def show_event(engine: Engine, event_id: int) -> EventDetail:
    with read(engine) as session:
        return get_event(session, event_id)


def test_a_message_with_the_request_id_that_the_redrive_got_is_the_same_event_failing_again(engine: Engine) -> None:
    event, sent_id = make_event(), make_id()
    event_id, redrive_id = send_one(engine, event, sent_id=sent_id)

    again = replace(event, request_id=sent_id, occurred_at=LATER, error_message="card was declined")
    assert arrive(engine, make_parsed(again)) == Stored(new=0, known=0, merged=0, failed_again=1)

    found = show_event(engine, event_id)
    assert (found.event.status, found.event.failures, found.event.redrive_id) == (EventStatus.UNRESOLVED, 2, None)
    assert (found.event.last_outcome, found.event.last_failed_at) == (Outcome.FAILED_AGAIN, LATER)
    assert found.event.occurred_at == event.occurred_at
    (item,) = items(engine, redrive_id)
    assert item.outcome is Outcome.FAILED_AGAIN
    assert item.evidence == "Came back in orders-dlq with the request id that the redrive got."
    assert (item.record_id, item.group_id) == (found.records[1].id, found.event.group_id)
    assert (show(engine, redrive_id).status, show(engine, redrive_id).failed_again) == (RedriveStatus.FINISHED, 1)
    check_counters(engine)


def test_a_message_id_that_the_redrive_got_is_enough_for_a_queue(engine: Engine) -> None:
    moved = make_event(producer=Producer.SQS_REDRIVE, request_id=None, error_type=None, error_message=None)
    sent_id = make_id()
    event_id, redrive_id = send_one(engine, moved, sent_id=sent_id)

    arrive(engine, make_parsed(moved, message=make_message(message_id=sent_id)))

    assert show_event(engine, event_id).event.failures == 2
    assert items(engine, redrive_id)[0].evidence == "Came back in orders-dlq with the message id that the redrive got."
    check_counters(engine)


def test_a_new_cause_moves_the_event_to_its_group_and_keeps_the_old_failure_in_the_old_one(engine: Engine) -> None:
    event, sent_id = make_event(), make_id()
    event_id, redrive_id = send_one(engine, event, sent_id=sent_id)
    before = show_event(engine, event_id).event.group_id

    arrive(engine, make_parsed(replace(event, request_id=sent_id, error_type="KeyError", error_message="'total'")))

    found = show_event(engine, event_id)
    assert found.event.group_id != before
    assert [record.group_id for record in found.records] == [before, found.event.group_id]
    assert items(engine, redrive_id)[0].group_title == "KeyError"
    with read(engine) as session:
        assert get_group(session, before, now=LATER).counts.total == 0
        assert get_group(session, found.event.group_id, now=LATER).counts.unresolved == 1
    check_counters(engine)


def test_the_dlq_message_of_a_known_cause_stays_in_its_group(engine: Engine) -> None:
    event, sent_id = make_event(), make_id()
    event_id, _ = send_one(engine, event, sent_id=sent_id)
    before = show_event(engine, event_id).event

    arrive(engine, make_parsed(replace(make_dlq_event(event), request_id=sent_id, occurred_at=LATER)))

    after = show_event(engine, event_id).event
    assert (after.group_id, after.error_type, after.failures) == (before.group_id, before.error_type, 2)
    check_counters(engine)


def test_two_records_of_the_new_failure_count_once(engine: Engine) -> None:
    event, sent_id = make_event(), make_id()
    event_id, redrive_id = send_one(engine, event, sent_id=sent_id)
    again = replace(event, request_id=sent_id, occurred_at=LATER)

    together = arrive(engine, make_parsed(make_dlq_event(again)), make_parsed(again))
    later = arrive(engine, make_parsed(again))

    assert (together.failed_again, together.merged, later.merged) == (1, 1, 1)
    assert show_event(engine, event_id).event.failures == 2
    assert show(engine, redrive_id).failed_again == 1
    check_counters(engine)


def test_a_failure_after_a_presumed_success_takes_it_back(engine: Engine) -> None:
    event, sent_id = make_event(), make_id()
    event_id, redrive_id = send_one(engine, event, sent_id=sent_id)
    look(engine, redrive_id, later_s=120)
    assert show_event(engine, event_id).event.status is EventStatus.RESOLVED

    arrive(engine, make_parsed(replace(event, request_id=sent_id)))

    assert show_event(engine, event_id).event.status is EventStatus.UNRESOLVED
    finished = show(engine, redrive_id)
    assert (finished.succeeded, finished.failed_again) == (0, 1)
    check_counters(engine)


def test_a_late_failure_leaves_an_event_with_the_redrive_that_has_claimed_it_since(engine: Engine) -> None:
    event, sent_id = make_event(), make_id()
    event_id, first = send_one(engine, event, sent_id=sent_id)
    tell_unknown = look(engine, first, later_s=120)
    with write(engine) as session:
        archive_events(session, [event_id], by=ADA, now=NOW)
    second = run(engine, [event_id])

    arrive(engine, make_parsed(replace(event, request_id=sent_id)))

    found = show_event(engine, event_id).event
    assert tell_unknown == 1
    assert (found.status, found.redrive_id, found.failures) == (EventStatus.REDRIVING, second.id, 2)
    assert items(engine, first)[0].outcome is Outcome.FAILED_AGAIN
    check_counters(engine)


def test_a_known_id_with_another_payload_is_not_believed(engine: Engine) -> None:
    event, sent_id = make_event(), make_id()
    event_id, redrive_id = send_one(engine, event, sent_id=sent_id)

    stored = arrive(engine, make_parsed(replace(event, request_id=sent_id, payload_text='{"amount": 1000000}')))

    assert (stored.new, stored.failed_again) == (1, 0)
    assert show_event(engine, event_id).event.status is EventStatus.REDRIVING
    assert items(engine, redrive_id)[0].outcome is Outcome.SENT
    check_counters(engine)


def test_what_was_edited_comes_back_with_the_payload_that_was_sent(engine: Engine) -> None:
    told, sent_id, sent = make_event(), make_id(), '{"order_id": "ord-1", "currency": "EUR"}'
    with write(engine) as session:
        store_some(session, make_parsed(told))
        (row,) = list_events(session, EventFilter()).rows
    running = run(engine, [row.id], edit=ByHand(sent))
    (claimed,) = take(engine, running.id)
    tell(engine, running.id, report(claimed, Outcome.SENT, sent_id=sent_id))

    again = replace(told, request_id=sent_id, occurred_at=LATER, payload_text=sent)
    assert arrive(engine, make_parsed(again)).failed_again == 1

    assert show_event(engine, row.id).event.failures == 2
    check_counters(engine)


def test_a_failure_that_came_before_its_sending_was_written_down_joins_its_event(engine: Engine) -> None:
    (event_id,) = store(engine, 1)
    running = run(engine)
    (claimed,) = take(engine, running.id)
    sent_id = make_id()
    payload = show_event(engine, event_id).main.body
    arrive(engine, make_parsed(make_event(request_id=sent_id, payload_text=payload, error_type="KeyError")))
    with read(engine) as session:
        assert len(list_events(session, EventFilter()).rows) == 2

    tell(engine, running.id, report(claimed, Outcome.SENT, sent_id=sent_id))

    with read(engine) as session:
        (row,) = list_events(session, EventFilter()).rows
        assert list_events(session, EventFilter(text="KeyError")).rows == [row]
    assert (row.id, row.error_type, row.failures) == (event_id, "KeyError", 2)
    assert len(show_event(engine, event_id).records) == 2
    assert items(engine, running.id)[0].outcome is Outcome.FAILED_AGAIN
    check_counters(engine)


def test_a_stray_that_a_person_archived_is_left_alone(engine: Engine) -> None:
    (event_id,) = store(engine, 1)
    running = run(engine)
    (claimed,) = take(engine, running.id)
    sent_id = make_id()
    arrive(engine, make_parsed(make_event(request_id=sent_id, payload_text=show_event(engine, event_id).main.body)))
    with write(engine) as session:
        archive_events(session, EventFilter(status=EventStatus.UNRESOLVED), by=ADA, now=NOW)

    tell(engine, running.id, report(claimed, Outcome.SENT, sent_id=sent_id))

    assert show_event(engine, event_id).event.failures == 1
    assert items(engine, running.id)[0].outcome is Outcome.SENT
    check_counters(engine)
