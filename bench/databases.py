"""The databases that are measured: SQLite, and PostgreSQL where it is installed. Both keep what is committed."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deadletter.settings import Settings
from tests.postgres import cluster
from tests.tools import postgres_programs

DURABLE = ("fsync=on", "synchronous_commit=on", "full_page_writes=on", "max_connections=60", "shared_buffers=256MB")


@contextmanager
def databases() -> Iterator[dict[str, Settings]]:
    """Yield settings by the database's name, each of an empty database that does not exist yet."""
    programs = postgres_programs()
    with tempfile.TemporaryDirectory() as folder:
        found = {"SQLite": Settings(data_dir=Path(folder))}
        if programs is None:
            sys.stderr.write("PostgreSQL (initdb) was not found, so nothing is measured on it.\n")
            yield found
            return
        with cluster(programs, DURABLE) as url:
            yield found | {"PostgreSQL": Settings(data_dir=Path(folder), database_url=url)}
