"""The database: SQLite by default, PostgreSQL by `DATABASE_URL`. Every function takes a session; see `write`, `read`.

On PostgreSQL everyone who writes takes locks in one order, so that writers wait and never deadlock: new events (by
request id) and new records (by message id), redrives, redrive items, known events (by id), and last the counters (see
`counters.Deltas`). New groups are committed beforehand, by themselves.
"""

from deadletter.store.engine import make_engine, read, write
from deadletter.store.migrate import is_current, is_newer, upgrade

__all__ = ["is_current", "is_newer", "make_engine", "read", "upgrade", "write"]
