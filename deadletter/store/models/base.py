"""What all tables share: their root, the names of constraints, the types of columns."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Integer, MetaData, Text
from sqlalchemy.orm import DeclarativeBase

from deadletter.store.instant import Instant

# Named constraints: without a name a migration cannot change them.
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

# SQLite counts rows up by itself only in a column that is exactly INTEGER.
Id = BigInteger().with_variant(Integer, "sqlite")

# SQLite keeps a rollup's row inside its primary key: half the pages to read.
ROLLUP = {"sqlite_with_rowid": False}

# SQLite would give the id of a deleted last row to the next one, and an id is in people's links.
NEVER_REUSED = {"sqlite_autoincrement": True}


class Base(DeclarativeBase):
    """The root of the tables."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {datetime: Instant, dict[str, Any]: JSON, str: Text, int: Integer}  # noqa: RUF012 - SQLAlchemy's
