"""Fixtures for every test: settings, both databases at Alembic head, and no network beyond this machine.

`.ci/run` sets REDRIVE_REQUIRE_TOOLS=1, which turns every skip for a missing program into a failure.
"""

from __future__ import annotations

import gc
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import psycopg
import pytest
from sqlalchemy import Engine, make_url
from sqlalchemy.orm import Session

from deadletter.settings import Settings, SignIn
from deadletter.store import make_engine, upgrade, write
from tests import scheduling
from tests.compiled import compile_once
from tests.factories import ANYWHERE
from tests.fakes import FakeClock
from tests.network import allow_loopback_only
from tests.postgres import cluster, empty_postgres
from tests.tools import postgres_programs, require_tool

HERE = Path(__file__).parent

pytest_plugins = [f"tests.{name}" for name in ("sandbox_fixture",) if (HERE / f"{name}.py").exists()]


hypothesis.settings.register_profile("steady", deadline=None)  # a busy machine is slow, not wrong
hypothesis.settings.load_profile("steady")


def pytest_configure() -> None:
    """Close the network for the whole run, and let programs be interrupted that a run in the background starts."""
    allow_loopback_only()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's `&` has it ignored, and children inherit that
    compile_once()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the long ones begin first."""
    scheduling.order(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> scheduling.ByFile:
    """Hand tests out by file."""
    return scheduling.ByFile(config, log)


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over what is there for the whole run: thousands of tests and all their modules."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty SQLite database at Alembic head, to be copied."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("template"))
    upgrade(settings)
    return settings.data_dir / "redrive.db"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a private PostgreSQL server's empty database; one server for each process that runs tests."""
    programs = postgres_programs()
    require_tool("PostgreSQL (initdb)", programs)
    assert programs is not None
    with cluster(programs) as url:
        yield url


@pytest.fixture(scope="session")
def postgres_url(postgres_server: str) -> str:
    """The URL of a PostgreSQL database at Alembic head. What a test leaves in it, `postgres_engine` removes."""
    url = make_postgres_database(postgres_server, "redrive")
    upgrade(Settings(database_url=url))
    return url


def make_postgres_database(server: str, name: str) -> str:
    """Make an empty database on the private server; return its URL."""
    plain = make_url(server).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    return make_url(server).set(database=name).render_as_string(hide_password=False)


@pytest.fixture
def settings(tmp_path: Path, sqlite_template: Path) -> Settings:
    """Settings of a console of the test's own: an empty SQLite database at Alembic head in a temporary folder."""
    settings = Settings(data_dir=tmp_path / "data", operator="ada", sign_in=SignIn.OFF, allowed_targets=ANYWHERE)
    settings.data_dir.mkdir()
    shutil.copy(sqlite_template, settings.data_dir / "redrive.db")
    return settings


@pytest.fixture
def sqlite_engine(settings: Settings) -> Iterator[Engine]:
    """The engine of `settings`."""
    engine = make_engine(settings)
    yield engine
    engine.dispose()


@pytest.fixture
def postgres_engine(postgres_url: str) -> Iterator[Engine]:
    """An engine on an empty PostgreSQL database at Alembic head."""
    engine = make_engine(Settings(database_url=postgres_url))
    yield engine
    empty_postgres(engine)
    engine.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def engine(request: pytest.FixtureRequest) -> Engine:
    """An engine on an empty database at Alembic head: every test that asks for it runs on SQLite and on PostgreSQL."""
    found: Engine = request.getfixturevalue(f"{request.param}_engine")
    return found


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands still until the test moves it."""
    return FakeClock()


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    """A session in one transaction that writes; nothing of it is kept."""
    with write(engine) as session:
        yield session
        session.rollback()
