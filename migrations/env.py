"""How migrations run: in one transaction, one process at a time, and never waiting long for somebody else's lock."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection, text

from deadletter.settings import Settings
from deadletter.store.engine import make_engine
from deadletter.store.models import Base

LOCK = 7_264_115_013
"""Any number of our own: whoever holds this advisory lock is migrating."""

TIMEOUTS = {"lock_timeout": "4s", "statement_timeout": "10min"}
"""A migration that cannot have its lock at once gives up, instead of making every page queue behind it."""


def run() -> None:
    """Migrate on the caller's connection, or (from Alembic's own command line) on one of our own."""
    given: Connection | None = context.config.attributes.get("connection")
    if given is not None:
        migrate(given)
        return
    engine = make_engine(Settings.from_env()).execution_options(sqlite_begin="BEGIN IMMEDIATE")
    with engine.begin() as connection:
        migrate(connection)


def migrate(connection: Connection) -> None:
    """Run what is missing, inside the caller's transaction: all of it or nothing."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        for name, limit in TIMEOUTS.items():
            connection.execute(text("SELECT set_config(:name, :limit, true)"), {"name": name, "limit": limit})
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        include_object=is_modelled,
        transactional_ddl=True,
    )
    context.run_migrations()


def is_modelled(_item: object, name: str | None, kind: str, *_rest: object) -> bool:
    """Return whether comparing with the models makes sense: the search index differs from one database to the other."""
    return not (kind == "table" and name is not None and name.startswith("search"))


run()
