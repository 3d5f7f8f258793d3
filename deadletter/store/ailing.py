"""What is wrong with a database that does not store, as words for an operator. Pure."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError, OperationalError

_FULL = ("disk is full", "no space left", "could not extend file", "disk full")
_LOCKED = ("database is locked", "deadlock detected")


def is_away(error: Exception) -> bool:
    """Return whether *error* is the database's state, and no fault of what was to be stored."""
    return isinstance(error, OperationalError) or (isinstance(error, DBAPIError) and error.connection_invalidated)


def ailment(error: Exception) -> str:
    """Return what *error* says of the database, and what to do about it."""
    said = str(error.orig if isinstance(error, DBAPIError) else error).lower()
    if any(words in said for words in _FULL):
        return "The database's disk is full. Make room there."
    if "lock timeout" in said:
        return (
            "Another transaction held rows that are to change for longer than we wait (10 s when storing). It is tried "
            "again; pg_stat_activity and pg_blocking_pids say who holds them."
        )
    if any(words in said for words in _LOCKED):
        return "Another process has held the database's write lock for too long. See who writes to it."
    if is_away(error):
        return "The database does not answer or does not write. See whether it is well."
    return f"The database refused it ({type(error).__name__}). See the worker's log."
