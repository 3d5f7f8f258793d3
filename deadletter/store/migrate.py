"""Bring the database to the newest schema. Alembic's settings live here instead of in an ini file."""

from __future__ import annotations

import threading
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from deadletter.settings import Settings
from deadletter.store.engine import make_engine

# Alembic's environment is a module's globals: within one process, one thread migrates at a time.
_ALONE = threading.Lock()

MIGRATIONS = Path(__file__).parents[2] / "migrations"


def upgrade(settings: Settings) -> None:
    """Migrate the settings' database to the newest schema; nothing happens where it is there already.

    Safe when two start at once: one migrates while the other waits, and then finds nothing to do.
    """
    engine = make_engine(settings)
    try:
        with _ALONE, engine.execution_options(sqlite_begin="BEGIN IMMEDIATE").begin() as connection:
            config = alembic_config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        engine.dispose()


def is_current(engine: Engine) -> bool:
    """Return whether the database has the newest schema. Changes nothing."""
    newest = ScriptDirectory.from_config(alembic_config()).get_heads()
    with engine.connect() as connection:
        return set(MigrationContext.configure(connection).get_current_heads()) == set(newest)


def alembic_config() -> Config:
    """Return Alembic's configuration: where the migrations lie. `migrations/env.py` knows the rest."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
