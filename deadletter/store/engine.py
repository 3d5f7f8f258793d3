"""Engines and transactions, so that the rest of the store need not know which database it talks to."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, cast

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, make_url
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects import sqlite as sqlite_dialect
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.orm import Session

from deadletter.errors import BadInput, RedriveError
from deadletter.settings import Settings

BUSY_TIMEOUT_MS = 10_000
"""How long SQLite itself waits for another writer before it says that the database is locked."""

LOCK_TIMEOUT_S = 10
"""How long storing waits for another transaction's rows on PostgreSQL: what is not stored is not deleted either."""

_ATTEMPTS = 6
_POOL = {"hide_parameters": True, "pool_size": 10, "max_overflow": 30}
_CACHE = -32_768
"""32 MiB: below zero SQLite counts in KiB."""

_SMALL_CACHE = -4_096

_PRAGMAS = (
    f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}",  # first, since the next may have to wait
    "PRAGMA journal_mode = WAL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA synchronous = NORMAL",
    f"PRAGMA cache_size = {_CACHE}",
)


def make_engine(settings: Settings) -> Engine:
    """Return the engine of the settings' database; for SQLite, make the folder that its file lies in.

    SQLite runs in WAL mode, so that pages are read while a worker writes. A commit survives the death of the process.
    Errors do not carry the parameters of their statement: those are customers' payloads.

    Raises:
        BadInput: `DATABASE_URL` is not the address of a database.
        RedriveError: The folder cannot be made.
    """
    url = _url_of(settings)
    if url.get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True, **_POOL)
    return _sqlite(url)


@contextmanager
def write(engine: Engine) -> Iterator[Session]:
    """Open a session for one transaction that writes: committed at the end of the block, rolled back by an exception.

    On SQLite its first statement takes the one write lock (BEGIN IMMEDIATE): writers queue, and none finds out half-way
    through that another was first.

    Raises:
        OperationalError: Another process held SQLite's write lock for a minute, or the database is gone.
    """
    writing = engine.execution_options(sqlite_begin="BEGIN IMMEDIATE")
    with Session(writing, expire_on_commit=False) as session, session.begin():
        yield session


@contextmanager
def read(engine: Engine) -> Iterator[Session]:
    """Open a session that sees one consistent snapshot, and whose changes, if there were any, are thrown away."""
    with Session(engine.execution_options(**_snapshot(engine)), autoflush=False) as session:
        yield session


def is_postgres(session: Session) -> bool:
    """Return whether this session talks to PostgreSQL."""
    return session.get_bind().dialect.name == "postgresql"


def insert_for(session: Session) -> Callable[[Table], sqlite_dialect.Insert]:
    """Return the INSERT that knows ON CONFLICT. (Both have the same methods; one type has to stand for both.)"""
    return cast("Any", postgresql.insert) if is_postgres(session) else sqlite_dialect.insert


def limit_waiting(session: Session) -> None:
    """Let no statement of this transaction wait longer than `LOCK_TIMEOUT_S` for a lock of PostgreSQL's."""
    if is_postgres(session):
        session.connection().exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_S}s'")


def _snapshot(engine: Engine) -> dict[str, Any]:
    if engine.dialect.name == "sqlite":
        return {}  # in WAL mode a plain transaction is a snapshot from its first read
    return {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}


def _url_of(settings: Settings) -> URL:
    try:
        return make_url(settings.url)
    except (ArgumentError, ValueError):
        # Not the URL itself, and not the cause: they may hold a password.
        raise BadInput("DATABASE_URL is not the address of a database, such as postgresql://user@host/name.") from None


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RedriveError(f"Cannot make {folder} for the database: {error.strerror}. See REDRIVE_DATA_DIR.") from error


def _sqlite(url: URL) -> Engine:
    if url.database:
        _make_folder(Path(url.database).parent)
    engine = create_engine(url, **_POOL)
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # the driver's own BEGIN comes late and is never IMMEDIATE: `_begin` does it
    for pragma in _PRAGMAS:
        _patiently(partial(_run, connection, pragma), sqlite3.OperationalError)


def _run(connection: sqlite3.Connection, statement: str) -> None:
    connection.execute(statement).close()


def _begin(connection: Connection) -> None:
    statement = connection.get_execution_options().get("sqlite_begin", "BEGIN")
    _patiently(lambda: connection.exec_driver_sql(statement), OperationalError)


def _patiently(act: Callable[[], object], error: type[Exception]) -> None:
    """Try again while the database is locked: SQLite's own wait is neither fair nor used for every kind of lock."""
    for _ in range(_ATTEMPTS - 1):
        try:
            act()
        except error as problem:
            if "locked" not in str(problem):
                raise
        else:
            return
    act()


@contextmanager
def small_cache(session: Session) -> Iterator[None]:
    """Let SQLite keep 4 MiB at most of what is read within: each page once, and so none again. PostgreSQL is left."""
    if is_postgres(session):
        yield
        return
    driver = cast("sqlite3.Connection", session.connection().connection.driver_connection)
    _run(driver, f"PRAGMA cache_size = {_SMALL_CACHE}")
    try:
        yield
    finally:
        # The driver's own: whoever stops in the middle may have closed the session by now.
        with suppress(sqlite3.Error):
            _run(driver, f"PRAGMA cache_size = {_CACHE}")
