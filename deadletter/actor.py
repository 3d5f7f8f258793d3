"""Who does something, and from where: what the audit trail says of every change. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who changes something.

    `name` is the operator's, as the settings or the sign-in say it. `came_from` is the address that the request came
    from, or `command line`.
    """

    name: str
    came_from: str = ""


WORKER = Actor("redrive", "worker")
"""What acts when nobody is at the keyboard: a breaker trips, a schedule begins."""
