"""A console on a seeded database, and one on an empty one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from jinja2 import FileSystemBytecodeCache
from sqlalchemy import Engine, event

from console.app import create_app
from deadletter.settings import Settings, SignIn
from deadletter.store import make_engine, write
from deadletter.store.people import secrets
from tests.factories import make_parsed, store_some
from tests.seed import seed

NOW = datetime(2026, 11, 23, 3, 14, 7, tzinfo=UTC)


@pytest.fixture(autouse=True)
def quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash passwords with as little work as Argon2 allows; `tests/unit/test_secrets.py` has the real parameters."""
    monkeypatch.setattr(secrets, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture(scope="session", autouse=True)
def templates_compiled_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let all the consoles of a run share what Jinja compiles: most tests make one of their own."""
    with pytest.MonkeyPatch.context() as patch:
        compiled = FileSystemBytecodeCache(str(tmp_path_factory.mktemp("templates")))
        patch.setattr(Flask, "jinja_options", {"bytecode_cache": compiled})
        yield


@pytest.fixture
def make_client(settings: Settings) -> Iterator[Callable[..., FlaskClient]]:
    """Make a client of a console on an engine (on the empty database of `settings` by default)."""
    made: list[Engine] = []

    def make(engine: Engine | None = None, *, chosen: Settings | None = None, **network: Any) -> FlaskClient:
        if engine is None:
            engine = make_engine(chosen or settings)
            made.append(engine)
        app = create_app(chosen or settings, engine, clock=lambda: NOW, **network)
        app.testing = False  # errors are pages here, as they are for people
        return app.test_client()

    yield make
    for engine in made:
        engine.dispose()


@pytest.fixture
def empty(make_client: Callable[..., FlaskClient]) -> FlaskClient:
    """A console that was just installed."""
    return make_client()


@pytest.fixture(scope="session")
def seeded_file(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A database with a thirtieth of the bad week in it."""
    folder = tmp_path_factory.mktemp("seeded")
    (folder / "redrive.db").write_bytes(sqlite_template.read_bytes())
    engine = make_engine(Settings(data_dir=folder))
    seed(engine, now=NOW, share=1 / 30)
    engine.dispose()
    return (folder / "redrive.db").read_bytes()


@pytest.fixture
def seeded(settings: Settings, seeded_file: bytes) -> Iterator[Engine]:
    """An engine on a database of the test's own with a bad week in it."""
    (settings.data_dir / "redrive.db").write_bytes(seeded_file)
    engine = make_engine(settings)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def reader(seeded_file: bytes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    """A console after a bad week that all tests share: for those that only read."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("shared"), operator="ada", sign_in=SignIn.OFF)
    (settings.data_dir / "redrive.db").write_bytes(seeded_file)
    engine = make_engine(settings)
    yield create_app(settings, engine, clock=lambda: NOW).test_client()
    engine.dispose()


@pytest.fixture
def client(seeded: Engine, make_client: Callable[..., FlaskClient]) -> FlaskClient:
    """A console after a bad week."""
    return make_client(seeded)


@contextmanager
def statements(engine: Engine) -> Iterator[list[str]]:
    """Collect the SQL that is executed meanwhile."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


@pytest.fixture
def add_failures() -> Callable[[Engine, int], None]:
    """Store more failures of the first cause, as a worker does meanwhile."""

    def add(engine: Engine, n: int) -> None:
        with write(engine) as session:
            parsed = [
                make_parsed(error_message=f"card declined for order ord-{i}: issuer answered 51") for i in range(n)
            ]
            store_some(session, *parsed, source="orders-capture-failures", now=NOW)

    return add
