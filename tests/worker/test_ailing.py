"""A database that is full, gone in mid-transaction, or locked: the worker stays up, says so, and loses nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, event, func, select, text
from sqlalchemy.orm import Session

from deadletter import collect
from deadletter.store import models, read
from deadletter.store.engine import is_postgres
from deadletter.store.sources import list_sources
from tests.factories import make_message
from tests.fakes import FakeSource
from tests.worker.conftest import CLOCK, World, wait_until

FILL = """
    CREATE FUNCTION disk_full() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$;
    CREATE TRIGGER disk_full BEFORE INSERT ON records EXECUTE FUNCTION disk_full()
    """
MAKE_ROOM = "DROP TRIGGER disk_full ON records; DROP FUNCTION disk_full()"


def stored(world: World) -> int:
    with read(world.engine) as session:
        return session.scalar(select(func.count()).select_from(models.Record)) or 0


def error_of(world: World) -> str:
    with read(world.engine) as session:
        return list_sources(session, now=CLOCK.now())[0].error or ""


def put_large(world: World) -> FakeSource:
    source = world.add_source()
    source.put(*[make_message(str(n) + "".join(chr(33 + n * k % 90) for k in range(2_000))) for n in range(30)])
    return source


@contextmanager
def full(engine: Engine) -> Iterator[None]:
    """The disk has no room for what comes; reading goes on."""
    if engine.dialect.name == "postgresql":
        with engine.begin() as connection:
            connection.execute(text(FILL))
        yield
        with engine.begin() as connection:
            connection.execute(text(MAKE_ROOM))
        return
    limit = [0]

    def stop_growing(connection: Any, _record: object) -> None:
        pages = limit[0] or connection.execute("PRAGMA page_count").fetchone()[0]
        limit[0] = pages
        connection.execute(f"PRAGMA max_page_count = {pages}")

    engine.dispose()
    event.listen(engine, "connect", stop_growing)
    yield
    event.remove(engine, "connect", stop_growing)
    engine.dispose()


def test_a_full_disk_is_said_and_nothing_is_deleted_until_there_is_room(each_world: World) -> None:
    source = put_large(each_world)
    with full(each_world.engine):
        assert not each_world.worker().run(once=True)

        assert (stored(each_world), len(source.visible) + len(source.hidden)) == (0, 30)
        assert "The database's disk is full. Make room there." in error_of(each_world)
    source.reappear()
    assert each_world.worker().run(once=True)
    assert (stored(each_world), source.hidden, error_of(each_world)) == (30, {}, "")


def test_a_database_that_goes_in_mid_transaction_takes_nothing_with_it(
    each_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = put_large(each_world)
    real, gone = collect.store_all, threading.Event()

    def store_all(session: Session, *given: Any, **named: Any) -> object:
        done = real(session, *given, **named)
        if not gone.is_set():
            gone.set()
            _break(session)
        return done

    monkeypatch.setattr(collect, "store_all", store_all)
    each_world.start()
    wait_until(lambda: gone.is_set() and error_of(each_world))
    assert "could not be stored, so it was left in the queue" in error_of(each_world)

    source.reappear()
    wait_until(lambda: stored(each_world) == 30 and not source.hidden and not source.visible)


def _break(session: Session) -> None:
    """Let the database go away beneath the transaction."""
    if not is_postgres(session):
        session.execute(text("PRAGMA query_only = ON"))
        try:
            session.execute(text("DELETE FROM records"))  # as a file system that turned read-only answers
        finally:
            session.execute(text("PRAGMA query_only = OFF"))
        return
    backend = session.scalar(text("SELECT pg_backend_pid()"))
    with Session(session.get_bind()) as other:
        other.execute(text("SELECT pg_terminate_backend(:backend)"), {"backend": backend})


@contextmanager
def locked(engine: Engine) -> Iterator[None]:
    """Somebody else writes, and does not end."""
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("LOCK TABLE records IN ACCESS EXCLUSIVE MODE"))
        else:
            connection.execute(text("UPDATE sources SET depth = 0"))
        yield
        connection.rollback()


def _impatient(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA busy_timeout = 20")


def test_a_locked_database_is_waited_for(each_world: World) -> None:
    source = put_large(each_world)
    if each_world.engine.dialect.name == "sqlite":
        each_world.engine.dispose()
        event.listen(each_world.engine, "connect", _impatient)  # a minute would take a minute
    worker = each_world.worker()
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        wait_until(lambda: stored(each_world) == 30 and not source.hidden)
        with locked(each_world.engine):
            source.put(*[make_message() for _ in range(5)])
            wait_until(lambda: source.hidden)
            threading.Event().wait(0.7)
            assert len(source.hidden) == 5
            assert thread.is_alive()
        source.reappear()
        wait_until(lambda: stored(each_world) == 35 and not source.hidden)
    finally:
        worker.stop()
        thread.join(20)
    assert not thread.is_alive()
