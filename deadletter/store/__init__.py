"""The database: SQLite by default, PostgreSQL by `DATABASE_URL`. Every function takes a session; see `write`, `read`.

Locks on PostgreSQL are taken in one order by everyone who writes, so that writers wait and never deadlock: groups that
are new (by fingerprint), events and records that are new, redrives, redrive items, known events (by id), and last the
counters (see `counters.Deltas`).
"""

from deadletter.store.engine import make_engine, read, write
from deadletter.store.migrate import is_current, upgrade

__all__ = ["is_current", "make_engine", "read", "upgrade", "write"]
