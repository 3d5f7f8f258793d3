"""An event that fails again, and the moves that are legal."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from deadletter.event import Cause
from deadletter.filters import EventFilter
from deadletter.fingerprint import Fingerprint, fingerprint
from deadletter.outcome import EVENT_MOVES, EventStatus, Outcome
from deadletter.store.failures import FailedAgain, fail_again, move_events
from deadletter.store.models import Event
from deadletter.store.queries import get_event, get_group, list_events, list_groups, status_counts
from tests.factories import FUNCTION, NOW, make_dlq_event, make_event, make_parsed, store_some
from tests.statements import counted

LATER = NOW + timedelta(hours=1)


def cause(error_type: str | None, message: str) -> Fingerprint:
    return fingerprint(Cause(function_arn=FUNCTION, error_type=error_type, error_message=message))


def failed_again(event_id: int, error_type: str | None, message: str) -> FailedAgain:
    return FailedAgain(
        event_id=event_id,
        fingerprint=cause(error_type, message),
        error_type=error_type,
        error_message=message,
        occurred_at=LATER,
    )


def stored(session: Session, count: int = 1) -> list[int]:
    store_some(session, *[make_parsed() for _ in range(count)])
    return sorted(row.id for row in list_events(session, EventFilter(), limit=1_000).rows)


def test_the_same_cause_counts_one_failure_more_in_its_group(session: Session) -> None:
    (event_id,) = stored(session)
    group_id = get_event(session, event_id).event.group_id

    assert fail_again(session, [failed_again(event_id, "PaymentError", "card was declined")]) == {event_id: group_id}

    row = get_event(session, event_id).event
    assert (row.failures, row.last_failed_at, row.last_outcome) == (2, LATER, Outcome.FAILED_AGAIN)
    group = get_group(session, group_id, now=LATER)
    assert (group.counts.total, sum(group.spark), group.last_seen) == (1, 2, LATER)


def test_another_cause_takes_the_event_with_it_and_leaves_no_empty_group_in_the_list(session: Session) -> None:
    (event_id,) = stored(session)

    groups = fail_again(session, [failed_again(event_id, "KeyError", "'total'")])

    (listed,) = list_groups(session, EventFilter(), now=LATER).rows
    assert (listed.id, listed.title, listed.counts.unresolved) == (groups[event_id], "KeyError", 1)
    row = get_event(session, event_id).event
    assert (row.error_type, row.error_message) == ("KeyError", "'total'")
    assert list_events(session, EventFilter(text="KeyError")).rows == [row]


def test_the_answer_of_a_failure_that_only_the_dlq_told_of_stays_in_its_group(session: Session) -> None:
    store_some(session, make_parsed(make_dlq_event(make_event(error_message="card was declined"))))
    (before,) = list_events(session, EventFilter()).rows

    groups = fail_again(session, [failed_again(before.id, "PaymentError", "card was declined")])

    assert groups == {before.id: before.group_id}
    assert get_event(session, before.id).event.error_type == "PaymentError"


def test_an_event_that_fails_twice_in_one_go_counts_both(session: Session) -> None:
    (event_id,) = stored(session)
    fail_again(session, [failed_again(event_id, "KeyError", "'total'"), failed_again(event_id, "OSError", "disk full")])
    row = get_event(session, event_id).event
    assert (row.failures, row.error_type) == (3, "OSError")
    assert [each.title for each in list_groups(session, EventFilter(), now=LATER).rows] == ["OSError"]


@pytest.mark.parametrize("before", EventStatus)
@pytest.mark.parametrize("to", EventStatus)
def test_only_legal_moves_are_made(session: Session, before: EventStatus, to: EventStatus) -> None:
    (event_id,) = stored(session)
    way = {EventStatus.ARCHIVED: [EventStatus.ARCHIVED], EventStatus.UNRESOLVED: []}.get(before, [before])
    assert [move_events(session, [event_id], step) for step in way] == [1] * len(way)

    moved = move_events(session, [event_id, 4711], to)

    legal = to in EVENT_MOVES[before]
    assert moved == int(legal)
    after = to if legal else before
    assert get_event(session, event_id).event.status is after
    assert getattr(status_counts(session), after) == 1
    assert list_groups(session, EventFilter(), now=NOW).rows[0].status is after


def test_a_group_shows_what_is_most_in_need_of_somebody(session: Session) -> None:
    first, second, third = stored(session, 3)
    seen = []
    for event_id, to in ((first, EventStatus.ARCHIVED), (second, EventStatus.REDRIVING), (third, EventStatus.RESOLVED)):
        move_events(session, [event_id], to)
        seen.append(list_groups(session, EventFilter(), now=NOW).rows[0].status)
    move_events(session, [second], EventStatus.RESOLVED)
    move_events(session, [second, third], EventStatus.ARCHIVED)
    seen.append(list_groups(session, EventFilter(), now=NOW).rows[0].status)
    assert seen == [EventStatus.UNRESOLVED, EventStatus.UNRESOLVED, EventStatus.REDRIVING, EventStatus.ARCHIVED]


def test_moving_notes_the_outcome_and_releases_the_claim_only_when_asked(session: Session) -> None:
    (event_id,) = stored(session)
    move_events(session, [event_id], EventStatus.REDRIVING, release=False)
    move_events(session, [event_id], EventStatus.RESOLVED, outcome=Outcome.SUCCEEDED)
    event = session.get_one(Event, event_id)
    assert (event.last_outcome, event.redrive_id) == (Outcome.SUCCEEDED, None)


def test_moving_many_takes_as_many_statements_as_moving_few(engine: Engine, session: Session) -> None:
    ids = stored(session, 300)
    taken = []
    for some in (ids[:3], ids):
        with counted(engine) as statements:
            move_events(session, some, EventStatus.ARCHIVED)
        taken.append(len(statements))
    assert taken[0] == taken[1] <= 3
