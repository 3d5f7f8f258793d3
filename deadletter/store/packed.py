"""Bodies in the database: compressed where that pays, sealed where there is a key; byte for byte the same when read.

A row says by itself which it is. Compressed ones begin with zstd's magic number (RFC 8878, 3.1.1), whose second byte
cannot stand there in UTF-8, so no body begins like that: older rows read as they did, and nothing had to be migrated.
"""

from __future__ import annotations

import threading

import zstandard
from sqlalchemy import Dialect, LargeBinary
from sqlalchemy.types import TypeDecorator

from deadletter.store.sealing import seal, unseal

PAYS_FROM = 2_048
"""Bytes. A smaller body saves less than half a kilobyte, and costs as much time as all that storing it costs."""

MAGIC = b"\x28\xb5\x2f\xfd"
LEVEL = 3

_own = threading.local()


def pack(body: bytes) -> bytes:
    """Return *body* as it is stored."""
    if len(body) < PAYS_FROM:
        return seal(body)
    packed = _compressor().compress(body)
    return seal(packed if len(packed) < len(body) else body)


def unpack(stored: bytes) -> bytes:
    """Return the body that was stored. Raises CannotOpen: see `sealing`."""
    stored = unseal(stored)
    if not stored.startswith(MAGIC):
        return stored
    body: bytes = zstandard.ZstdDecompressor().decompress(stored)
    return body


def _compressor() -> zstandard.ZstdCompressor:
    """Return this thread's own: one must not be used by two at once."""
    if not hasattr(_own, "compressor"):
        _own.compressor = zstandard.ZstdCompressor(level=LEVEL)
    made: zstandard.ZstdCompressor = _own.compressor
    return made


class Packed(TypeDecorator[bytes]):
    """A column of bodies, which are UTF-8 (with `surrogatepass`)."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: bytes | None, dialect: Dialect) -> bytes | None:  # noqa: ARG002 - SQLAlchemy's
        """Python to database."""
        return None if value is None else pack(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> bytes | None:  # noqa: ARG002 - its own
        """Database to Python; psycopg's and sqlite3's bytes alike."""
        return None if value is None else unpack(bytes(value))
