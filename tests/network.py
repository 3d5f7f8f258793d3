"""Tests talk to this machine only: an audit hook refuses any other address before the first packet."""

from __future__ import annotations

import sys
from ipaddress import ip_address
from typing import Any

ALLOWED_NAMES = frozenset({"localhost", ""})


def allow_loopback_only() -> None:
    """Refuse, from now on and for the rest of the process, to connect or look up anything beyond this machine."""
    sys.addaudithook(_refuse_others)


def is_loopback(host: str | bytes | None) -> bool:
    """Return whether *host* is this machine, by name or address."""
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else host or ""
    if name in ALLOWED_NAMES:
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def _refuse_others(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        _check(arguments[1][0])
    elif event == "socket.getaddrinfo":
        _check(arguments[0])


def _check(host: str | bytes | None) -> None:
    if not is_loopback(host):
        raise PermissionError(f"A test tried to reach {host!r}. Tests talk to 127.0.0.1 only.")
