"""Random secrets, their hashes, and passwords."""

from __future__ import annotations

import hashlib
import secrets
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from deadletter.errors import BadInput

SHORTEST_PASSWORD = 12
"""Characters. Length is what counts (NIST SP 800-63B): nothing else is asked of a password."""

LONGEST_PASSWORD = 1_000

_hasher = PasswordHasher()


def new_secret(prefix: str = "") -> str:
    """Return 256 random bits as text for a cookie, a link or a token; *prefix* lets people and scanners know it."""
    return prefix + secrets.token_urlsafe(32)


def hash_of(secret: str) -> str:
    """Return what is kept of a random secret. It cannot be guessed, so a fast hash is enough for it."""
    return hashlib.sha256(secret.encode()).hexdigest()


def hash_password(password: str) -> str:
    """Return what is kept of a password: Argon2id with the library's own current parameters. Raises BadInput."""
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise BadInput(
            f"The password has {len(password):,} characters; it must have {SHORTEST_PASSWORD} to {LONGEST_PASSWORD:,}. "
            "A few words in a row are easy to keep in mind."
        )
    return _hasher.hash(password)


def password_fits(password: str, kept: str | None) -> bool:
    """Return whether *password* is the one that *kept* is the hash of.

    Takes as long for somebody who has no password or does not exist, so that the time tells nobody who does.
    """
    try:
        fits = _hasher.verify(kept or _nobodys(), password[:LONGEST_PASSWORD])
    except (VerificationError, InvalidHashError):
        return False
    return fits and kept is not None


@cache
def _nobodys() -> str:
    return _hasher.hash(secrets.token_urlsafe(16))
