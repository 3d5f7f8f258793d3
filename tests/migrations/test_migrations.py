"""The migrations make what the models say, from nothing, once, on both databases."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, text

from deadletter.settings import Settings
from deadletter.store import is_current, make_engine, upgrade
from deadletter.store.migrate import alembic_config, newest
from deadletter.store.models import Base
from tests.conftest import make_postgres_database


def modelled(_item: object, name: str | None, kind: str, *_rest: object) -> bool:
    return kind != "table" or name in Base.metadata.tables


def test_the_models_are_what_the_migrations_make(engine: Engine) -> None:
    with engine.connect() as connection:
        options = {"include_object": modelled, "compare_type": True, "compare_server_default": True}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata) == []


def test_upgrading_what_is_upgraded_changes_nothing(settings: Settings) -> None:
    database = settings.data_dir / "redrive.db"
    before = database.read_bytes()
    upgrade(settings)
    assert database.read_bytes() == before


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings of a database without any table."""
    if request.param == "sqlite":
        return Settings(data_dir=tmp_path / "empty")
    server = request.getfixturevalue("postgres_server")
    return Settings(database_url=make_postgres_database(server, f"empty_{abs(hash(request.node.nodeid))}"))


def test_threads_that_upgrade_at_once_make_one_database(empty: Settings) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(upgrade, [empty] * 4))
    assert version(empty) == [head()]


def test_processes_that_upgrade_at_once_make_one_database(empty: Settings) -> None:
    script = (
        "from deadletter.settings import Settings; from deadletter.store import upgrade; upgrade(Settings.from_env())"
    )
    env = os.environ | {"REDRIVE_DATA_DIR": str(empty.data_dir), "DATABASE_URL": empty.database_url}
    started = [subprocess.Popen([sys.executable, "-c", script], env=env) for _ in range(3)]
    assert [process.wait(60) for process in started] == [0, 0, 0]
    assert version(empty) == [head()]


def test_the_database_says_whether_its_schema_is_the_newest(empty: Settings) -> None:
    engine = make_engine(empty)
    assert not is_current(engine)
    upgrade(empty)
    assert is_current(engine)
    engine.dispose()


def test_what_goes_up_comes_down_again(empty: Settings) -> None:
    upgrade(empty)
    engine = make_engine(empty)
    with engine.begin() as connection:
        migrate_down(connection)
    left = set(inspect(engine).get_table_names()) - {"alembic_version", "sqlite_sequence"}
    engine.dispose()
    assert left == set()


def test_a_migration_that_fails_half_way_leaves_nothing_behind(empty: Settings) -> None:
    engine = make_engine(empty)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE records (id integer)"))
    with pytest.raises(Exception, match="records"):
        upgrade(empty)
    assert inspect(engine).get_table_names() == ["records"]
    engine.dispose()


def test_there_is_one_head_and_every_step_says_what_it_does() -> None:
    scripts = ScriptDirectory.from_config(alembic_config())
    assert len(scripts.get_heads()) == 1
    assert all(script.doc for script in scripts.walk_revisions())


def head() -> str | None:
    return ScriptDirectory.from_config(alembic_config()).get_current_head()


def version(settings: Settings) -> list[str]:
    engine = make_engine(settings)
    with engine.connect() as connection:
        found = list(connection.scalars(text("SELECT version_num FROM alembic_version")))
    engine.dispose()
    return found


def migrate_down(connection: Connection) -> None:
    config = alembic_config()
    config.attributes["connection"] = connection
    command.downgrade(config, "base")


def test_the_newest_revision_is_known_without_alembic() -> None:
    assert [newest()] == ScriptDirectory.from_config(alembic_config()).get_heads()
