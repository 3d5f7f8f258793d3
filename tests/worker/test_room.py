"""What a worker may hold in memory at once."""

from __future__ import annotations

from tests.factories import make_message
from tests.worker.conftest import World, wait_until
from worker.activity import Activity
from worker.room import Room

LARGE = make_message("x" * 30_000)


def test_a_source_that_holds_half_of_the_room_waits_and_leaves_the_rest_to_others() -> None:
    room = Room(most=60_000)
    room.take(1, [LARGE])

    assert not room.wait(1, 0)
    assert room.wait(2, 0)
    room.give(1, [LARGE])
    assert room.wait(1, 0)


def test_a_full_room_still_lets_a_source_that_holds_nothing_receive_once() -> None:
    room = Room(most=60_000)
    room.take(1, [LARGE])
    room.take(2, [LARGE])

    assert not room.wait(2, 0)
    assert room.wait(3, 0)


def test_everything_comes_in_however_little_room_there_is(world: World) -> None:
    source = world.add_source()
    source.put(*[make_message("x" * 20_000) for _ in range(40)])
    worker = world.worker()
    worker._room._most = 10_000  # noqa: SLF001 - a hundred megabytes would take as long as they take

    assert worker.run(once=True)
    assert source.hidden == {}
    wait_until(lambda: not worker._room._held.total())  # noqa: SLF001


def test_activity_counts_by_second_and_names_what_goes_on() -> None:
    now = [0.0]
    activity = Activity(lambda: now[0])
    arn = "arn:aws:sqs:eu-west-1:111122223333:orders-dlq"
    activity.collected(arn, 30)
    with activity.sending(arn, 10):
        now[0] = 2.0
        seen = activity.snapshot()

    assert seen["collecting"] == {arn: 15.0}
    assert seen["sending"] == {arn: {"per_second": 0.0, "calls": 1}}
    assert [(thread["doing"], thread["for_s"]) for thread in seen["threads"]] == [("sending 10 to orders-dlq", 2.0)]
    now[0] = 4.0
    assert activity.snapshot()["sending"] == {arn: {"per_second": 5.0, "calls": 0}}
