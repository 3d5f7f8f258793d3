"""Collecting: what a source hands over is stored once, and deleted there only when it is durable."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError, OperationalError

from deadletter import collect
from deadletter.collect import Taken, parse_batch, store_each
from deadletter.errors import SourceError
from deadletter.event import ReceivedMessage
from deadletter.store import models, read
from deadletter.store.rows import SourceRow
from deadletter.store.sources import list_sources
from tests.factories import ACCOUNT, FUNCTION, NOW, TARGET, make_message
from tests.worker.conftest import CLOCK, World, wait_until


def stored(world: World) -> int:
    with read(world.engine) as session:
        return session.scalar(select(func.count()).select_from(models.Record)) or 0


def source_row(world: World, name: str = "orders-dlq") -> SourceRow:
    with read(world.engine) as session:
        return next(row for row in list_sources(session, now=CLOCK.now()) if row.name == name)


def messages(count: int) -> list[ReceivedMessage]:
    return [make_message(attributes={"SentTimestamp": "1795402800000"}) for _ in range(count)]


def test_everything_is_stored_once_and_then_deleted(each_world: World) -> None:
    source = each_world.add_source()
    source.put(*messages(137))

    assert each_world.worker().run(once=True)
    assert stored(each_world) == 137
    assert (source.visible, source.hidden) == ([], {})
    assert source_row(each_world).collected_total == 137


def test_what_comes_a_second_time_is_known_and_deleted_again(world: World) -> None:
    source = world.add_source()
    again = messages(25)
    source.put(*again, *again)

    world.worker().run(once=True)
    assert stored(world) == 25
    assert source.hidden == {}


def test_what_the_source_does_not_delete_comes_again_and_is_stored_once(world: World) -> None:
    source = world.add_source()
    (message,) = messages(1)
    source.keep = frozenset({message.message_id})
    source.put(message)
    world.worker().run(once=True)
    source.reappear()
    source.keep = frozenset()
    world.worker().run(once=True)

    assert stored(world) == 1
    assert source.hidden == {}


def test_nothing_is_deleted_that_could_not_be_stored(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    source = world.add_source()
    source.put(*messages(30))
    with monkeypatch.context() as broken:
        broken.setattr(collect, "store_all", _database_is_gone)
        assert not world.worker().run(once=True)

    assert stored(world) == 0
    assert len(source.hidden) + len(source.visible) == 30
    assert "could not be stored" in (source_row(world).error or "")
    source.reappear()
    assert world.worker().run(once=True)
    assert stored(world) == 30
    assert source_row(world).error is None


def _database_is_gone(*_: object, **__: object) -> None:
    raise OperationalError("INSERT", {}, Exception("the database is gone"))


def test_one_message_that_cannot_be_stored_does_not_keep_the_others_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add_source()
    row = source_row(world)
    good, bad = messages(29), make_message("poison")
    real = collect.store_all

    def store_all(session: object, batches: dict[int, list[collect.Parsed]], **given: object) -> object:
        if any(parsed.message is bad for batch in batches.values() for parsed in batch):
            raise IntegrityError("INSERT", {}, Exception("no"))
        return real(session, batches, **given)  # type: ignore[arg-type]

    monkeypatch.setattr(collect, "store_all", store_all)
    hands = [Taken(row, some) for some in (good[:10], [*good[10:19], bad], good[19:])]
    kept = store_each(world.engine, hands, now=NOW)

    assert [message for one in kept for message in one.messages] == good
    assert [one.error is not None for one in kept] == [False, True, False]


def test_a_source_that_errs_backs_off_and_says_so_while_the_others_go_on(world: World) -> None:
    broken, fine = world.add_source("broken-dlq"), world.add_source("fine-dlq")
    broken.error = SourceError("The permission sqs:ReceiveMessage on broken-dlq is missing. Grant it to us.")
    fine.put(*messages(12))
    world.start()
    wait_until(lambda: stored(world) == 12)
    wait_until(lambda: source_row(world, "broken-dlq").error)

    row = source_row(world, "broken-dlq")
    assert row.error == "The permission sqs:ReceiveMessage on broken-dlq is missing. Grant it to us."
    assert row.next_try_at is not None
    assert row.error_since is not None
    assert row.next_try_at > row.error_since
    assert source_row(world, "fine-dlq").error is None

    broken.error = None
    broken.put(*messages(3))
    wait_until(lambda: stored(world) == 15)
    wait_until(lambda: source_row(world, "broken-dlq").error is None)


def test_a_source_that_is_added_while_the_worker_runs_starts_by_itself(world: World) -> None:
    world.start()
    world.add_source().put(*messages(3))

    wait_until(lambda: stored(world) == 3)


def test_the_worker_looks_how_full_a_source_is(world: World) -> None:
    source = world.add_source()
    source.hidden = {message.message_id: message for message in messages(4)}
    world.start()

    wait_until(lambda: source_row(world).in_flight == 4)
    assert (source_row(world).depth, source_row(world).retention_s) == (0, 345_600)


def test_an_idle_source_costs_one_long_poll_at_a_time(world: World) -> None:
    source = world.add_source()
    worker = world.start(receivers=8, receive_wait_s=30.0)
    wait_until(lambda: source.receives)
    threading.Event().wait(1.2)

    assert source.receives == 1
    worker.stop()
    source.put(*messages(1))  # ends the poll that is out, and with it the worker


def test_a_worker_that_is_stopped_finishes_what_is_in_hand(world: World) -> None:
    source = world.add_source()
    source.put(*messages(500))
    world.start()
    wait_until(lambda: stored(world) > 0)
    world.stop()

    assert len(source.visible) + stored(world) == 500
    assert source.hidden == {}


def test_any_message_at_all_is_stored_and_deleted(world: World) -> None:
    source = world.add_source()
    hostile = ["", "\x00", "\ud83d", "[" * 100_000, "{" * 5_000, "NaN", '{"a":' * 2_000, "x" * 1_048_576, "9" * 5_000]
    source.put(*(make_message(body) for body in hostile))

    assert world.worker().run(once=True)
    with read(world.engine) as session:
        bodies = [body.decode("utf-8", "surrogatepass") for body in session.scalars(select(models.Record.body))]
    assert sorted(bodies) == sorted(hostile)
    assert source.hidden == {}


def test_a_source_says_what_its_records_do_not_say(world: World) -> None:
    world.add_source(target=TARGET)
    dlq = {"RequestID": {"DataType": "String", "StringValue": "9f1c3a70-7d0a-4d0e-8d3e-2f1d6c1f0a11"}}
    dlq |= {"ErrorCode": {"DataType": "Number", "StringValue": "200"}}
    moved = {"DeadLetterQueueSourceArn": ACCOUNT.format("sqs", "orders-fulfil")}
    named, queue = parse_batch(
        [make_message(message_attributes=dlq), make_message(attributes=moved)], source_row(world)
    )

    assert (named.fingerprint.function_arn, named.target) == (FUNCTION, TARGET)
    assert queue.fingerprint.function_arn == ACCOUNT.format("sqs", "orders-fulfil")
    assert queue.target is not None
    assert queue.target.arn == ACCOUNT.format("sqs", "orders-fulfil")
