"""A PostgreSQL server of the tests' own: made in a temporary folder, without durability, gone at the end."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine

from deadletter.store.models import Base

# A test's data need not survive a power cut, and a short checkpoint would only cost time.
CARELESS = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=60", "shared_buffers=32MB")

UNPRIVILEGED = ("postgres", "nobody")
"""PostgreSQL refuses to run as root: the first of these users that exists runs it then."""


@contextmanager
def cluster(programs: Path, settings: Sequence[str] = CARELESS) -> Iterator[str]:
    """Run a private server with *settings*; yield the URL of its (empty) database `postgres`, with a `psycopg` driver.

    It listens on 127.0.0.1 and on a socket in its own folder, and `pg_ctl` stops exactly the server of that folder.
    """
    user = _server_user()
    folder = Path(tempfile.mkdtemp(prefix="redrive-postgres-"))
    try:
        if user:
            shutil.chown(folder, user)
        port = _free_port()
        _run(user, programs / "initdb", "-D", folder / "data", "-U", "redrive", "-A", "trust", "-E", "UTF8", "-N")
        options = [f"-c {setting}" for setting in (*settings, "listen_addresses=127.0.0.1", f"port={port}")]
        options.append(f"-c unix_socket_directories={folder}")
        control = (programs / "pg_ctl", "-D", folder / "data", "-w", "-s")
        _run(user, *control, "-l", folder / "log", "-o", " ".join(options), "start")
        try:
            yield f"postgresql+psycopg://redrive@127.0.0.1:{port}/postgres"
        finally:
            _run(user, *control, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def empty_postgres(engine: Engine) -> None:
    """Delete every row and let every sequence begin again: a fifth of what TRUNCATE of forty small tables takes."""
    tables = [*Base.metadata.tables, "search"]
    full = " UNION ALL ".join(f"(SELECT '{name}' FROM {name} LIMIT 1)" for name in tables)  # noqa: S608 - our names
    with engine.begin() as connection:
        run = connection.exec_driver_sql
        deletes = [f"DELETE FROM {name}" for name in run(full).scalars()]  # noqa: S608 - our names
        # What refers to what does not matter where all goes.
        run("; ".join(["SET LOCAL session_replication_role = replica", *deletes]))
        run("SELECT setval(sequencename::regclass, 1, false) FROM pg_sequences WHERE last_value IS NOT NULL")


def _server_user() -> str | None:
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in UNPRIVILEGED if name in known), None)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _run(user: str | None, *command: str | Path) -> None:
    words = [str(word) for word in command]
    null = subprocess.DEVNULL
    subprocess.run(words, user=user, cwd="/", check=True, stdin=null, stdout=null, timeout=60)
