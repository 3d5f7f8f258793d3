import threading

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from deadletter.settings import Settings
from deadletter.store import make_engine, read, write
from deadletter.store.models import Source
from tests.factories import NOW


def a_source(arn: str = "arn") -> Source:
    return Source(arn=arn, kind="sqs", added_at=NOW)


def arns(engine: Engine) -> list[str]:
    with read(engine) as session:
        return list(session.scalars(text("SELECT arn FROM sources ORDER BY arn")))


def test_a_block_that_ends_is_kept_and_one_that_raises_is_not(engine: Engine) -> None:
    with write(engine) as session:
        session.add(a_source("kept"))
    with pytest.raises(IntegrityError), write(engine) as session:
        session.add_all([a_source("lost"), a_source("kept")])
    assert arns(engine) == ["kept"]


def test_a_reader_sees_one_moment_and_changes_nothing(engine: Engine) -> None:
    with read(engine) as session:
        assert session.scalar(text("SELECT count(*) FROM sources")) == 0
        with write(engine) as other:
            other.add(a_source())
        assert session.scalar(text("SELECT count(*) FROM sources")) == 0
    assert arns(engine) == ["arn"]


def test_a_writer_waits_for_the_one_before_it(engine: Engine) -> None:
    entered = threading.Event()

    def second() -> None:
        with write(engine) as session:
            entered.set()
            session.add(a_source("second"))

    with write(engine) as session:
        session.add(a_source("first"))
        session.flush()
        waiting = threading.Thread(target=second)
        waiting.start()
        assert entered.wait(5)
    waiting.join(10)
    assert arns(engine) == ["first", "second"]


def test_an_error_does_not_tell_what_was_in_the_payload(engine: Engine) -> None:
    with pytest.raises(IntegrityError) as caught, write(engine) as session:
        session.execute(text("INSERT INTO sources (arn) VALUES (:arn)"), {"arn": "4111 1111 1111 1111"})
    assert "parameters hidden" in str(caught.value)


def test_sqlite_keeps_references_and_writes_ahead(sqlite_engine: Engine) -> None:
    with read(sqlite_engine) as session:
        assert session.scalar(text("PRAGMA journal_mode")) == "wal"
        assert session.scalar(text("PRAGMA foreign_keys")) == 1


def test_the_data_folder_is_made(settings: Settings) -> None:
    deep = settings.data_dir / "a" / "b"
    make_engine(Settings(data_dir=deep)).dispose()
    assert deep.is_dir()
