"""A redrive of what was left in its queue or bucket takes it from there, or says that it has gone."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import OperationalError

from deadletter.event import ReceivedMessage, TargetKind, TargetRef
from deadletter.filters import EventFilter
from deadletter.outcome import Outcome
from deadletter.redrive import taking
from deadletter.store import read, write
from deadletter.store.queries import list_events
from deadletter.store.redrives.rows import list_items
from deadletter.store.rows import EventRow, ItemRow
from deadletter.store.sources import add_source
from tests.factories import ADA, FUNCTION, NOW, QUEUE, make_message
from tests.fakes import FakeObjects, FakeSource, FakeTarget, fails, succeeds
from tests.worker.conftest import World, outcomes, wait_until


def observe(world: World, count: int) -> FakeSource:
    """Let *count* failures be observed: copied, and left in their queue."""
    source = world.add_source(mode="observe")
    attributes = {"SentTimestamp": "1795402800000"}
    source.put(*(make_message(f'{{"order": {n}}}', attributes=attributes) for n in range(count)))
    assert world.worker().run(once=True)
    assert len(source.visible) == count
    return source


PREFIX = "arn:aws:s3:::bucket/aws/lambda/"


def list_objects(world: World, count: int) -> FakeObjects:
    """Let *count* failures be read from a bucket, and left there."""
    world.add_source()  # a bucket does not say whose it is, and this says which account is ours
    with write(world.engine) as session:
        add_source(session, PREFIX, target=TargetRef(TargetKind.LAMBDA, FUNCTION), by=ADA, now=NOW)
    objects = world.objects.setdefault(PREFIX, FakeObjects())
    objects.contents.update({f"aws/lambda/{n}#{n}": f'{{"order": {n}}}' for n in range(count)})
    assert world.worker().run(once=True)
    assert all(row.left_record_id for row in events(world))
    return objects


def redrive(world: World, target: FakeTarget) -> int:
    world.targets[FUNCTION] = target
    redrive_id = world.run_redrive()
    world.worker().run(once=True)
    return redrive_id


def events(world: World) -> list[EventRow]:
    with read(world.engine) as session:
        return list(list_events(session, EventFilter()).rows)


def items(world: World, redrive_id: int) -> list[ItemRow]:
    with read(world.engine) as session:
        return list(list_items(session, redrive_id, limit=100).rows)


def test_what_was_left_is_taken_sent_and_deleted(each_world: World) -> None:
    source = observe(each_world, 23)
    target = FakeTarget(succeeds, batch_size=1)
    redrive_id = redrive(each_world, target)

    assert each_world.show(redrive_id).succeeded == len(target.received) == 23
    assert (source.visible, source.hidden) == ([], {})
    assert all((row.left_record_id, row.expires_at) == (None, None) for row in events(each_world))


def test_what_fails_again_is_left_where_it_lay(world: World) -> None:
    source = observe(world, 3)
    redrive_id = redrive(world, FakeTarget(fails(), batch_size=1))

    assert world.show(redrive_id).failed_again == 3
    assert (len(source.visible), source.hidden) == (3, {})
    assert all(row.left_record_id for row in events(world))


def test_what_has_gone_is_not_sent_and_the_others_are(world: World) -> None:
    source = observe(world, 3)
    gone = source.visible.pop(1)
    target = FakeTarget(succeeds, batch_size=1)
    redrive_id = redrive(world, target)

    assert world.show(redrive_id).succeeded == len(target.received) == 2
    (skipped,) = [item for item in items(world, redrive_id) if item.outcome is Outcome.SKIPPED]
    assert (skipped.reason or "").startswith(
        "Its message has gone from orders-dlq: somebody else took it, or it expired."
    )
    assert "--collect" in (skipped.reason or "")
    assert gone.body not in {outgoing.payload for outgoing in target.received}


def test_what_somebody_else_has_in_hand_is_waited_for(world: World) -> None:
    source = observe(world, 1)
    (theirs,) = source.receive(most=1, wait_s=0)
    receive, calls = source.receive, []

    def comes_back(*, most: int, wait_s: float, hide_s: int | None = None) -> object:
        calls.append(most)
        if len(calls) == 3:
            source.release([theirs])
        return receive(most=most, wait_s=0.0 * wait_s, hide_s=hide_s)

    source.receive = comes_back  # type: ignore[method-assign, assignment] # somebody else, who gives it back
    redrive_id = redrive(world, FakeTarget(succeeds, batch_size=1))
    assert world.show(redrive_id).succeeded == 1


def test_one_event_out_of_many_leaves_the_others_visible(world: World) -> None:
    source = observe(world, 40)
    with write(world.engine) as session:
        rows = list_events(session, EventFilter()).rows
    world.targets[FUNCTION] = FakeTarget(succeeds, batch_size=1)
    redrive_id = world.run_redrive(only=[rows[0].id])
    assert world.worker().run(once=True)

    assert world.show(redrive_id).succeeded == 1
    assert (len(source.visible), source.hidden) == (39, {})


@pytest.mark.parametrize("step", ["left_messages", "note_taken"])
def test_a_database_that_is_away_before_or_after_a_call_loses_no_answer(
    world: World, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    observe(world, 2)
    real, away = getattr(taking, step), iter([OperationalError("SELECT 1", {}, Exception("it is away"))])

    def goes_wrong_once(*args: object) -> object:
        if error := next(away, None):
            raise error
        return real(*args)

    monkeypatch.setattr(taking, step, goes_wrong_once)
    target = world.targets[FUNCTION] = FakeTarget(succeeds)
    redrive_id = world.run_redrive()
    world.start()
    wait_until(lambda: outcomes(world.show(redrive_id)) == {Outcome.SUCCEEDED: 2})
    assert len(target.received) == 2


def test_once_the_source_is_collected_our_copy_is_sent(world: World) -> None:
    source = observe(world, 2)
    source.visible.pop()
    with write(world.engine) as session:
        add_source(session, QUEUE, target=None, by=ADA, now=NOW, mode="collect")
    assert [row.left_record_id for row in events(world)] == [None, None]
    redrive_id = redrive(world, FakeTarget(succeeds, batch_size=1))

    assert world.show(redrive_id).succeeded == 2
    assert (source.visible, source.hidden) == ([], {})


@pytest.mark.parametrize("kept", [True, False])
def test_a_message_that_could_not_be_deleted_is_stored_no_second_time(world: World, kept: bool) -> None:  # noqa: FBT001
    source = observe(world, 1)
    message: ReceivedMessage = source.visible[0]
    source.keep = frozenset({message.message_id} if kept else ())
    redrive_id = redrive(world, FakeTarget(succeeds, batch_size=1))

    assert world.show(redrive_id).succeeded == 1
    assert len(events(world)) == 1


def test_an_object_that_was_left_is_sent_and_deleted(each_world: World) -> None:
    objects = list_objects(each_world, 3)
    target = FakeTarget(succeeds, batch_size=1)
    redrive_id = redrive(each_world, target)

    assert each_world.show(redrive_id).succeeded == len(target.received) == 3
    assert objects.contents == {}
    assert [row.left_record_id for row in events(each_world)] == [None] * 3


def test_an_object_whose_event_fails_again_is_left(world: World) -> None:
    objects = list_objects(world, 2)
    redrive_id = redrive(world, FakeTarget(fails(), batch_size=1))

    assert world.show(redrive_id).failed_again == 2
    assert (len(objects.contents), objects.deleted) == (2, [])
    assert all(row.left_record_id for row in events(world))


def test_an_object_that_has_gone_or_holds_something_else_by_now_is_not_sent(world: World) -> None:
    objects = list_objects(world, 3)
    del objects.contents["aws/lambda/0#0"]
    objects.etags["aws/lambda/1#1"] = "e2"
    target = FakeTarget(succeeds, batch_size=1)
    redrive_id = redrive(world, target)

    assert [outgoing.payload for outgoing in target.received] == ['{"order": 2}']
    skipped = [item.reason or "" for item in items(world, redrive_id) if item.outcome is Outcome.SKIPPED]
    assert len(skipped) == 2
    assert all("has gone from bucket, or holds something else by now" in reason for reason in skipped)
    assert objects.deleted == ["aws/lambda/2#2"]
