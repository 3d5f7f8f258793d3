"""Sign-ins that failed: each makes the next one wait longer, by name and by address, until a while has passed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from deadletter.store.models import SignInTries
from deadletter.store.people.secrets import hash_of

FREE_TRIES = 5
"""Failures in a row before anybody has to wait: people mistype."""

FORGOTTEN_AFTER = timedelta(hours=1)
LONGEST_WAIT = timedelta(minutes=15)


def wait_left(session: Session, keys: Sequence[str], *, now: datetime) -> timedelta:
    """Return how long to wait before the next try counts; nothing where it counts now.

    *keys* are what is counted: the name, the address. It doubles from two seconds up with every failure past the free
    ones.
    """
    kept = select(SignInTries).where(SignInTries.key.in_([hash_of(key) for key in keys]))
    waits = [tried.last_at + _wait(tried.n) - now for tried in session.scalars(kept)]
    return max([timedelta(), *waits])


def note_failure(session: Session, keys: Sequence[str], *, now: datetime) -> None:
    """Count a sign-in that failed; forget those of long ago."""
    session.execute(delete(SignInTries).where(SignInTries.last_at <= now - FORGOTTEN_AFTER))
    for key in sorted({hash_of(key) for key in keys}):
        tried = session.get(SignInTries, key) or SignInTries(key=key, n=0)
        tried.n, tried.last_at = tried.n + 1, now
        session.add(tried)


def forget_failures(session: Session, keys: Sequence[str]) -> None:
    """Start from nothing again: somebody signed in."""
    session.execute(delete(SignInTries).where(SignInTries.key.in_([hash_of(key) for key in keys])))


def _wait(failures: int) -> timedelta:
    if failures < FREE_TRIES:
        return timedelta()
    return min(LONGEST_WAIT, timedelta(seconds=2.0 ** min(failures - FREE_TRIES + 1, 20)))
