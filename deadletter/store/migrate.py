"""Bring the database to the newest schema. Alembic's settings live here instead of in an ini file."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import OperationalError

from deadletter.errors import RedriveError
from deadletter.settings import Settings
from deadletter.store.engine import make_engine

if TYPE_CHECKING:
    from alembic.config import Config

# Alembic's environment is a module's globals: within one process, one thread migrates at a time.
_ALONE = threading.Lock()

MIGRATIONS = Path(__file__).parents[2] / "migrations"


def upgrade(settings: Settings) -> None:
    """Migrate the settings' database to the newest schema; nothing happens where it is there already.

    Safe when two start at once: one migrates while the other waits, and then finds nothing to do.

    Raises:
        RedriveError: The database has a schema that this version does not know, a newer one's; or another transaction
            holds what a migration changes.
    """
    # Every command asks whether the schema is the newest, and next to none has to migrate: Alembic is slow to load.
    from alembic import command  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    engine = make_engine(settings)
    try:
        with _ALONE, engine.execution_options(sqlite_begin="BEGIN IMMEDIATE").begin() as connection:
            config = alembic_config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except CommandError as error:
        raise RedriveError(f"The database's schema is not one that this version knows: {error}.") from error
    except OperationalError as error:
        if not _is_held(error):
            raise
        raise RedriveError(_HELD) from error
    finally:
        engine.dispose()


_HELD = (
    "The database's schema was not upgraded: another transaction holds a table that a migration changes, and did not "
    "let go of it for 4 s (SQLite: for a minute). Nothing was changed, and what runs goes on. Try again when it is "
    "quieter; on PostgreSQL, pg_stat_activity and pg_blocking_pids say who holds it."
)


def _is_held(error: OperationalError) -> bool:
    return any(words in str(error.orig) for words in ("lock timeout", "database is locked"))


def is_current(engine: Engine) -> bool:
    """Return whether the database has the newest schema. Changes nothing."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return False
        return list(connection.scalars(text("SELECT version_num FROM alembic_version"))) == [newest()]


def is_newer(engine: Engine) -> bool:
    """Return whether a newer version than this one has upgraded the database. Changes nothing."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return False
        known = max(connection.scalars(text("SELECT version_num FROM alembic_version")), default="")
        return known > newest()


def newest() -> str:
    """Return the newest revision: a migration's file begins with its revision, and they count up."""
    return max(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*_*.py"))


def alembic_config() -> Config:
    """Return Alembic's configuration: where the migrations lie. `migrations/env.py` knows the rest."""
    from alembic.config import Config  # noqa: PLC0415 - see upgrade

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
