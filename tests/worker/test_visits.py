"""Sources that are visited: a queue that is copied and left, and objects under a prefix."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from sqlalchemy import func, select

from deadletter.errors import ObjectRefused, SourceError
from deadletter.event import ReceivedMessage
from deadletter.filters import EventFilter
from deadletter.store import models, read, write
from deadletter.store.left import list_skipped
from deadletter.store.queries import list_events
from deadletter.store.rows import SourceRow
from deadletter.store.sources import add_source, find_source, list_sources, pause, remove, resume
from deadletter.visits import ObjectVisit, ObservedVisit, Pace
from tests.factories import ADA, NOW, QUEUE, make_message
from tests.fakes import FakeObjects, FakeSource
from tests.worker.conftest import CLOCK, World, wait_until

PREFIX = "arn:aws:s3:::bucket/aws/lambda/"
HOUR = timedelta(hours=1)


def stored(world: World) -> int:
    with read(world.engine) as session:
        return session.scalar(select(func.count()).select_from(models.Record)) or 0


def row_of(world: World, arn: str = QUEUE) -> SourceRow:
    with read(world.engine) as session:
        found = find_source(session, arn)
    assert found
    return found


def messages(count: int, sent_at: datetime = NOW - HOUR) -> list[ReceivedMessage]:
    attributes = {"SentTimestamp": str(round(sent_at.timestamp() * 1000))}
    return [make_message(attributes=attributes) for _ in range(count)]


class Ticks:
    """Seconds that go on when they are told to."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


def observing(world: World) -> tuple[FakeSource, ObservedVisit, Ticks]:
    source, ticks = world.add_source(mode="observe"), Ticks()
    return (
        source,
        ObservedVisit(world.engine, source, clock=CLOCK, stopping=lambda: False, pace=Pace(wait_s=0), ticks=ticks),
        ticks,
    )


def test_an_observed_queue_is_copied_once_and_left_as_it_was(each_world: World) -> None:
    source, visit, ticks = observing(each_world)
    source.put(*messages(37))
    for _ in range(3):
        visit.turn(row_of(each_world))
        ticks.at += 400

    assert stored(each_world) == 37
    assert (len(source.visible), source.hidden) == (37, {})
    with read(each_world.engine) as session:
        rows = list_events(session, EventFilter()).rows
    assert {row.expires_at for row in rows} == {NOW - HOUR + timedelta(days=4)}
    assert all(row.left_record_id for row in rows)
    assert row_of(each_world).oldest_sent_at == NOW - HOUR


def test_looking_does_not_spin_a_queue_whose_depth_stays_is_read_ever_more_rarely(world: World) -> None:
    source, visit, ticks = observing(world)
    source.put(*messages(3))
    passes = []
    for _ in range(240):  # 20 minutes
        before = source.receives
        ticks.at += visit.turn(row_of(world))
        if source.receives > before:
            passes.append(ticks.at)

    assert len(passes) <= 8
    assert min(b - a for a, b in pairwise(passes)) >= 15
    assert passes[-1] - passes[-2] >= 300


def test_a_queue_that_grows_is_read_soon(world: World) -> None:
    source, visit, ticks = observing(world)
    source.put(*messages(1))
    visit.turn(row_of(world))
    source.put(*messages(1))
    ticks.at += 15
    visit.turn(row_of(world))

    assert stored(world) == 2


def test_whatever_goes_wrong_in_a_pass_what_was_received_is_released(world: World) -> None:
    source, visit, _ = observing(world)
    source.put(*messages(12))
    receive, calls = source.receive, []

    def fails_later(*, most: int, wait_s: float, hide_s: int | None = None) -> object:
        calls.append(most)
        if len(calls) > 1:
            raise SourceError("orders-dlq asks us to slow down.")
        return receive(most=most, wait_s=wait_s, hide_s=hide_s)

    source.receive = fails_later  # type: ignore[method-assign, assignment] # the network breaks off
    with pytest.raises(SourceError):
        visit.turn(row_of(world))

    assert (len(source.visible), source.hidden) == (12, {})


def test_the_worker_observes_and_stops_when_it_is_paused_and_when_it_is_removed(world: World) -> None:
    source = world.add_source(mode="observe")
    source.put(*messages(2))
    assert world.worker().run(once=True)
    assert (stored(world), len(source.visible)) == (2, 2)

    with write(world.engine) as session:
        pause(session, row_of(world).id, by=ADA, now=NOW)
    source.put(*messages(1))
    assert world.worker().run(once=True)
    assert stored(world) == 2

    with write(world.engine) as session:
        resume(session, row_of(world).id, by=ADA, now=NOW)
        remove(session, row_of(world).id, by=ADA, now=NOW)
    assert world.worker().run(once=True)
    assert stored(world) == 2


def test_a_running_worker_follows_pause_and_resume(world: World) -> None:
    paused, other = world.add_source(), world.add_source("other-dlq")
    world.start(receive_wait_s=0.05)
    paused.put(*messages(1))
    wait_until(lambda: stored(world) == 1)
    with write(world.engine) as session:
        pause(session, row_of(world).id, by=ADA, now=NOW)
    wait_until(lambda: rests(paused, while_read=other))

    paused.put(*messages(1))
    other.put(*messages(1))
    wait_until(lambda: stored(world) == 2)
    assert rests(paused, while_read=other)
    assert len(paused.visible) == 1

    with write(world.engine) as session:
        resume(session, row_of(world).id, by=ADA, now=NOW)
    wait_until(lambda: stored(world) == 3)


def rests(source: FakeSource, *, while_read: FakeSource) -> bool:
    """Return whether nobody receives from *source* while another is received from ten times."""
    before, others = source.receives, while_read.receives
    wait_until(lambda: while_read.receives >= others + 10)
    return source.receives == before


def listing(world: World, mode: str | None = None, page: int = 1_000) -> tuple[FakeObjects, ObjectVisit]:
    with write(world.engine) as session:
        add_source(session, PREFIX, target=None, by=ADA, now=NOW, mode=mode)
    objects = world.objects.setdefault(PREFIX, FakeObjects())
    return objects, ObjectVisit(world.engine, objects, clock=CLOCK, stopping=lambda: False, page=page)


def put(objects: FakeObjects, *names: str) -> None:
    objects.contents.update({f"aws/lambda/async/{name}": f'{{"order":"{name}"}}' for name in names})


def test_a_prefix_is_listed_again_and_again_and_every_object_read_once(each_world: World) -> None:
    objects, visit = listing(each_world, page=2)
    put(objects, "b/1", "b/2", "b/3")
    assert [visit.turn(row_of(each_world, PREFIX)) > 0 for _ in range(2)] == [False, True]
    put(objects, "a/1")  # a failure of a function that comes earlier in the alphabet
    for _ in range(4):
        visit.turn(row_of(each_world, PREFIX))

    assert stored(each_world) == 4
    assert sorted(objects.fetched) == sorted(objects.contents)
    assert objects.deleted == []


def test_a_listing_that_was_broken_off_goes_on_where_it_was(world: World) -> None:
    objects, visit = listing(world, page=2)
    put(objects, "1", "2", "3")
    visit.turn(row_of(world, PREFIX))
    again = ObjectVisit(world.engine, objects, clock=CLOCK, stopping=lambda: False, page=2)
    again.turn(row_of(world, PREFIX))

    assert objects.listed_after == ["", "aws/lambda/async/2"]
    assert stored(world) == 3


def test_objects_are_deleted_only_when_told_to_and_only_once_stored(world: World) -> None:
    objects, visit = listing(world)
    put(objects, "1", "2")
    objects.sizes["aws/lambda/async/2"] = 5 * 2**30
    visit.turn(row_of(world, PREFIX))
    assert objects.deleted == []
    listing(world, mode="collect")
    put(objects, "3")
    visit.turn(row_of(world, PREFIX))

    assert sorted(objects.deleted) == ["aws/lambda/async/1", "aws/lambda/async/3"]
    assert stored(world) == 2


def test_an_object_of_5_gb_is_skipped_with_its_reason_and_asked_for_once(world: World) -> None:
    objects, visit = listing(world)
    put(objects, "huge", "fine")
    objects.sizes["aws/lambda/async/huge"] = 5 * 2**30
    for _ in range(2):
        visit.turn(row_of(world, PREFIX))

    row = row_of(world, PREFIX)
    with read(world.engine) as session:
        (skipped,) = list_skipped(session, row.id)
        assert [source.skipped for source in list_sources(session, now=NOW)] == [1]
    assert (skipped.name, skipped.size) == ("aws/lambda/async/huge", 5 * 2**30)
    assert "was not fetched" in skipped.reason
    assert stored(world) == 1
    assert len(objects.fetched) == 2


def test_an_object_that_may_not_be_read_holds_up_no_other_and_is_tried_again(world: World) -> None:
    objects, visit = listing(world)
    put(objects, "1", "2", "3")
    objects.refused.add("aws/lambda/async/2")
    with pytest.raises(ObjectRefused, match="s3:GetObject"):
        visit.turn(row_of(world, PREFIX))
    assert stored(world) == 2
    objects.refused.clear()
    visit.turn(row_of(world, PREFIX))
    assert stored(world) == 3


def test_keys_are_only_text(world: World) -> None:
    objects, visit = listing(world, page=1)
    names = ["../../etc/passwd", "a\x00b", "%2e%2e/x", "ü" * 300, "-rf", "x\nSet-Cookie: a", "folder/"]
    put(objects, *names)
    for _ in range(2 * len(names) + 2):
        visit.turn(row_of(world, PREFIX))

    assert stored(world) == len(names)
    assert len(objects.fetched) == len(names)


def test_the_worker_lists_prefixes_too(world: World) -> None:
    objects, _ = listing(world)
    put(objects, "1")
    assert world.worker().run(once=True)
    assert (stored(world), objects.deleted) == (1, [])
    with read(world.engine) as session:
        (row,) = list_events(session, EventFilter()).rows
    assert row.expires_at is None
    assert row.left_record_id is not None
    assert row_of(world, PREFIX).last_collected_at is not None
    assert row_of(world, PREFIX).last_collected_at > datetime(2026, 1, 1, tzinfo=UTC)  # type: ignore[operator]
