"""What a process calls itself in the database."""

from __future__ import annotations

import os
import secrets
import socket


def new_name() -> str:
    """Return ``host:pid:token``: nobody else's, even when the system gives the pid again."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
