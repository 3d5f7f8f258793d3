"""Whatever version a database is of, it comes up to the newest with all its data, also after it was interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    Engine,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    func,
    select,
    text,
)

from deadletter.errors import RedriveError
from deadletter.settings import Settings
from deadletter.store import make_engine, read, upgrade
from deadletter.store.migrate import alembic_config
from deadletter.store.models import Base
from tests.conftest import make_postgres_database

REVISIONS = [script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()][::-1]
_OF_THE_DATABASE = ("search", "alembic", "sqlite")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def old(request: pytest.FixtureRequest, settings: Settings) -> Iterator[tuple[Settings, Engine]]:
    """Settings and engine of an empty database without any table."""
    if request.param == "sqlite":
        (settings.data_dir / "redrive.db").unlink()
        found = settings
    else:
        server = request.getfixturevalue("postgres_server")
        found = Settings(database_url=make_postgres_database(server, f"old_{abs(hash(request.node.nodeid))}"))
    engine = make_engine(found)
    yield found, engine
    engine.dispose()


def migrate(engine: Engine, revision: str) -> None:
    with engine.execution_options(sqlite_begin="BEGIN IMMEDIATE").begin() as connection:
        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def tables(connection: Connection) -> list[Table]:
    """Return the tables as they are now, each after those that it cannot do without."""
    metadata = MetaData()
    metadata.reflect(connection, only=lambda name, _: not name.startswith(_OF_THE_DATABASE))
    left, ordered = set(metadata.tables.values()), list[Table]()
    while left:
        ready = [table for table in left if not needs(table) & (left - {table})]
        ordered += ready
        left -= set(ready)
    return ordered


def needs(table: Table) -> set[Table]:
    return {key.column.table for key in table.foreign_keys if not key.parent.nullable}


def fill(engine: Engine, number: int) -> dict[str, int]:
    """Put one row into every table there is, as a version would that knows these columns; return how many are there."""
    with engine.begin() as connection:
        found = tables(connection)
        for table in found:
            row = {column.name: value(column, number) for column in table.c if not is_left_out(column)}
            connection.execute(table.insert(), row)
        count = select(func.count())
        return {table.name: connection.scalar(count.select_from(table)) or 0 for table in found}


def is_left_out(column: Column[Any]) -> bool:
    return bool(column.foreign_keys) and bool(column.nullable)


def value(column: Column[Any], number: int) -> object:
    match column.type:
        case Boolean():
            return True
        case Integer():
            return number
        case Float():
            return 1.5
        case JSON():
            return []
        case LargeBinary():
            return b"{}"
    return f"{column.name} {number}"


def everything(engine: Engine) -> dict[str, int]:
    """Read every row as the models of today do."""
    with read(engine) as session:
        models = [mapper.class_ for mapper in Base.registry.mappers]
        return {model.__tablename__: len(session.query(model).all()) for model in models}


def test_a_database_of_every_version_comes_up_to_the_newest_with_its_data(old: tuple[Settings, Engine]) -> None:
    settings, engine = old
    kept: dict[str, int] = {}
    for number, revision in enumerate(REVISIONS, 1):
        migrate(engine, revision)
        there = fill(engine, number)  # what the versions before wrote is still there, and this one's code could write
        assert {name: n - 1 for name, n in there.items() if name in kept} == kept
        kept = there
    upgrade(settings)
    assert everything(engine) == kept


KILLED = """
import os, signal
from sqlalchemy import Engine, event
from deadletter.settings import Settings
from deadletter.store import upgrade

def die(connection, cursor, statement, *rest):
    if "message_group" in statement:  # half of the migrations are done, and half of this one
        os.kill(os.getpid(), signal.SIGKILL)

event.listen(Engine, "before_cursor_execute", die)
upgrade(Settings.from_env())
"""


def test_a_migration_that_is_killed_half_way_can_be_run_again(old: tuple[Settings, Engine]) -> None:
    settings, engine = old
    migrate(engine, REVISIONS[1])
    kept = fill(engine, 1)
    engine.dispose()
    env = os.environ | {"REDRIVE_DATA_DIR": str(settings.data_dir), "DATABASE_URL": settings.database_url}
    killed = subprocess.run([sys.executable, "-c", KILLED], env=env, check=False)
    assert killed.returncode == -signal.SIGKILL

    with engine.begin() as connection:
        assert {table.name for table in tables(connection)} == set(kept)
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == REVISIONS[1]
    upgrade(settings)
    assert {name: n for name, n in everything(engine).items() if name in kept} == kept


@pytest.mark.postgres
def test_an_upgrade_that_cannot_have_a_table_says_who_to_look_for_and_changes_nothing(postgres_server: str) -> None:
    settings = Settings(database_url=make_postgres_database(postgres_server, "held"))
    engine = make_engine(settings)
    migrate(engine, REVISIONS[0])
    with engine.begin() as holder:
        holder.execute(text("LOCK TABLE events IN ACCESS SHARE MODE; LOCK TABLE groups IN ACCESS SHARE MODE"))
        with pytest.raises(RedriveError, match=r"for 4 s.*Nothing was changed.*pg_blocking_pids"):
            upgrade(settings)
    upgrade(settings)
    engine.dispose()
