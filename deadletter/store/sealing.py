"""Payloads sealed at rest: AES-256-GCM under a key of the settings, each body with a nonce of its own.

A sealed body names its key, so several can be in use: the first of the settings seals, all of them open. That is how a
key is changed: put the new one first, `redrive db reseal`, take the old one out. Without keys nothing is sealed, and
what was stored before reads as it did.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from threading import Lock

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from deadletter.errors import RedriveError

MAGIC = b"\xffRS1"
"""No UTF-8 begins like this, and neither does zstd's frame."""

_NONCE = 12
_lock = Lock()
_ring: dict[str, AESGCM] = {}
_first: list[str] = []


class CannotOpen(RedriveError):
    """A body is sealed under a key that the settings do not have, or was tampered with."""


def use(keys: Mapping[str, bytes]) -> None:
    """Seal with the first of *keys* (32 bytes each, by name), open with any; where there is none, seal nothing."""
    with _lock:
        _ring.update({name: AESGCM(key) for name, key in keys.items()})
        _first[:] = list(keys)[:1]


def is_on() -> bool:
    """Return whether bodies are sealed when they are stored: their words are in no search index then."""
    return bool(_first)


def seal(body: bytes) -> bytes:
    """Return *body* as it is stored: sealed where there is a key."""
    if not _first:
        return body
    name, nonce = _first[0], os.urandom(_NONCE)
    head = MAGIC + bytes([len(name)]) + name.encode()
    return head + nonce + _ring[name].encrypt(nonce, body, head)


def unseal(stored: bytes) -> bytes:
    """Return what was sealed; what never was comes back as it is. Raises CannotOpen."""
    if not stored.startswith(MAGIC):
        return stored
    start = len(MAGIC) + 1 + stored[len(MAGIC)]
    head, nonce = stored[:start], stored[start : start + _NONCE]
    name = head[len(MAGIC) + 1 :].decode()
    if name not in _ring:
        raise CannotOpen(
            f"A payload is sealed under the key {name!r}, which REDRIVE_ENCRYPTION_KEYS does not have. Put it back, "
            "behind the others, until `redrive db reseal` has nothing left to do."
        )
    try:
        return _ring[name].decrypt(nonce, stored[start + _NONCE :], head)
    except InvalidTag:
        raise CannotOpen(
            f"A payload that was sealed under the key {name!r} does not open with it: it is another of that name, "
            "or the row was changed. Restore it from a backup."
        ) from None


def is_current(stored: bytes) -> bool:
    """Return whether a stored body is sealed as it would be today."""
    head = MAGIC + bytes([len(_first[0])]) + _first[0].encode() if _first else None
    return stored.startswith(head) if head else not stored.startswith(MAGIC)
