from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from deadletter.errors import BadInput, NotFound
from deadletter.event import TargetKind, TargetRef
from deadletter.filters import EventFilter
from deadletter.ports import SourceState
from deadletter.store.ingest import store_messages
from deadletter.store.left import Left, left_messages, note_taken
from deadletter.store.queries import list_events
from deadletter.store.sources import (
    add_source,
    get_source,
    list_sources,
    note_collected,
    note_error,
    note_state,
    pause,
    remove,
    resume,
    set_target,
)
from tests.factories import ACCOUNT, ADA, FUNCTION, NOW, QUEUE, TARGET, make_event, make_parsed, make_source, store_some

MINUTE = timedelta(minutes=1)


def test_a_queue_is_registered_once(session: Session) -> None:
    first = add_source(session, f" {QUEUE}\n", target=None, by=ADA, now=NOW)
    again = add_source(session, QUEUE, target=TARGET, by=ADA, now=NOW + MINUTE)

    assert (first.arn, first.name, first.kind, first.added_at) == (QUEUE, "orders-dlq", "sqs", NOW)
    assert (again.id, again.added_at, again.target_kind, again.target_arn) == (first.id, NOW, "lambda", FUNCTION)
    assert [source.id for source in list_sources(session, now=NOW)] == [first.id]


@pytest.mark.parametrize(
    "arn",
    [
        "",
        "orders-dlq",
        "arn:aws:dynamodb:eu-west-1:123456789012:table/orders",
        "arn:aws:s3:::B",
        "arn:aws:s3:::bucket/\x07x",
        QUEUE + "/x",
        "arn:aws:sqs:::q",
        QUEUE.replace("1", "\u0661"),
    ],
)
def test_what_is_no_source_is_refused_with_examples(session: Session, arn: str) -> None:
    with pytest.raises(BadInput, match=r"is not the ARN of a source\. A queue's looks like arn:aws:sqs:"):
        add_source(session, arn, target=None, by=ADA, now=NOW)


@pytest.mark.parametrize(
    ("target", "thing"),
    [
        (TargetRef(TargetKind.LAMBDA, QUEUE), "a Lambda function"),
        (TargetRef(TargetKind.SQS, FUNCTION), "an SQS queue"),
        (TargetRef(TargetKind.LAMBDA, "orders-capture"), "a Lambda function"),
    ],
)
def test_a_target_that_cannot_be_one_is_refused(session: Session, target: TargetRef, thing: str) -> None:
    with pytest.raises(BadInput, match=f"is not the ARN of {thing}"):
        make_source(session, target=target)


@pytest.mark.parametrize(
    "arn", [f"{FUNCTION}:live", f"{FUNCTION}:$LATEST", "arn:aws-cn:lambda:cn-north-1:123456789012:function:f"]
)
def test_functions_may_be_named_with_alias_version_and_partition(session: Session, arn: str) -> None:
    assert make_source(session, target=TargetRef(TargetKind.LAMBDA, arn)).target_arn == arn


def test_a_new_target_reaches_the_events_that_have_none(session: Session) -> None:
    own = TargetRef(TargetKind.SQS, QUEUE)
    source_id = store_some(
        session,
        make_parsed(make_event(target=None), target=None),
        make_parsed(make_event(target=own)),
    )
    set_target(session, source_id, TARGET, by=ADA, now=NOW)
    targets = {row.target_arn for row in list_events(session, EventFilter()).rows}
    assert targets == {FUNCTION, QUEUE}

    set_target(session, source_id, None, by=ADA, now=NOW)
    assert get_source(session, source_id).target_arn is None


def test_an_error_stands_since_its_beginning_until_a_receive_answers(session: Session) -> None:
    source_id = make_source(session).id
    note_error(session, source_id, "No permission: sqs:ReceiveMessage.", NOW, NOW + MINUTE)
    note_error(session, source_id, "Throttled\x00.", NOW + MINUTE, NOW + 3 * MINUTE)

    source = get_source(session, source_id)
    assert (source.error, source.error_since, source.next_try_at) == ("Throttled\ufffd.", NOW, NOW + 3 * MINUTE)

    note_collected(session, source_id, now=NOW + 4 * MINUTE, oldest_sent_at=NOW - MINUTE)
    note_collected(session, source_id, now=NOW + 5 * MINUTE)
    source = get_source(session, source_id)
    assert (source.error, source.error_since, source.next_try_at) == (None, None, None)
    assert (source.last_collected_at, source.oldest_sent_at) == (NOW + 5 * MINUTE, NOW - MINUTE)


def test_a_source_says_how_full_it_is_and_when_its_oldest_message_goes(session: Session) -> None:
    source_id = make_source(session).id
    note_collected(session, source_id, now=NOW, oldest_sent_at=NOW - MINUTE)
    note_state(session, source_id, SourceState(depth=12, in_flight=3, retention_s=3600), NOW)

    source = get_source(session, source_id)
    assert (source.depth, source.in_flight, source.state_at) == (12, 3, NOW)
    assert source.expires_at == NOW + 59 * MINUTE


def test_growth_is_this_hour_and_the_one_before(session: Session) -> None:
    now = NOW + 30 * MINUTE
    times = [now, now - MINUTE, now - 40 * MINUTE, now - 60 * MINUTE, now - 70 * MINUTE, now - 300 * MINUTE]
    store_some(session, *[make_parsed(occurred_at=at) for at in times])
    (source,) = list_sources(session, now=now)
    assert (source.growth_last_hour, source.growth_hour_before, source.collected_total) == (2, 3, 6)


def test_a_source_that_is_not_there_says_so(session: Session) -> None:
    for read_or_note in (
        lambda: get_source(session, 4711),
        lambda: set_target(session, 4711, None, by=ADA, now=NOW),
        lambda: note_collected(session, 4711, now=NOW),
    ):
        with pytest.raises(NotFound, match="There is no source 4711"):
            read_or_note()


@pytest.mark.parametrize(
    ("arn", "kind", "mode"),
    [
        (QUEUE, "sqs", "collect"),
        ("arn:aws:s3:::failures", "s3", "observe"),
        ("arn:aws:s3:::failures/aws/lambda/../$HOME:x", "s3", "observe"),
        (ACCOUNT.format("sns", "failures"), "push", "collect"),
        (ACCOUNT.format("events", "event-bus/default"), "push", "collect"),
        (FUNCTION, "push", "collect"),
    ],
)
def test_the_arn_says_which_kind_of_source_it_is_and_objects_are_left_unless_told(
    session: Session, arn: str, kind: str, mode: str
) -> None:
    source = add_source(session, arn, target=None, by=ADA, now=NOW)
    assert (source.kind, source.mode) == (kind, mode)
    if kind == "push":
        with pytest.raises(BadInput, match="nothing to observe"):
            add_source(session, arn, target=None, by=ADA, now=NOW, mode="observe")


def test_a_mode_stays_until_another_is_named(session: Session) -> None:
    add_source(session, QUEUE, target=None, by=ADA, now=NOW, mode="observe")
    assert add_source(session, QUEUE, target=TARGET, by=ADA, now=NOW).observed
    assert not add_source(session, QUEUE, target=None, by=ADA, now=NOW, mode="collect").observed


def test_a_source_is_paused_resumed_removed_and_brought_back_by_adding_it_again(session: Session) -> None:
    source_id = make_source(session).id
    pause(session, source_id, by=ADA, now=NOW)
    pause(session, source_id, by=ADA, now=NOW + MINUTE)
    assert get_source(session, source_id).paused_at == NOW
    resume(session, source_id, by=ADA, now=NOW)
    assert get_source(session, source_id).paused_at is None

    remove(session, source_id, by=ADA, now=NOW)
    assert list_sources(session, now=NOW) == []
    assert make_source(session).id == source_id
    assert [source.id for source in list_sources(session, now=NOW)] == [source_id]


def test_what_was_left_expires_later_when_the_queue_keeps_it_longer(session: Session) -> None:
    source_id = make_source(session, mode="observe").id
    note_state(session, source_id, SourceState(depth=1, in_flight=0, retention_s=3600), NOW)
    left = replace(make_parsed(), left=True, expires_at=NOW + 60 * MINUTE)
    store_messages(session, source_id, [left, make_parsed()], now=NOW)
    note_state(session, source_id, SourceState(depth=1, in_flight=0, retention_s=7200), NOW)

    found = list_events(session, EventFilter(expires=(NOW, NOW + timedelta(days=1)))).rows
    assert [row.expires_at for row in found] == [NOW + 120 * MINUTE]
    assert list(left_messages(session, [row.id for row in found]).values()) == [Left(QUEUE, left.message.message_id)]
    note_taken(session, [row.id for row in found])
    assert left_messages(session, [row.id for row in found]) == {}
    assert list_events(session, EventFilter(expires=(NOW, NOW + timedelta(days=1)))).rows == []
