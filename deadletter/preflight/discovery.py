"""What a function's configuration says of how it keeps its events idempotent. Pure.

The key path is not in it: that stands in the handler's code, and nobody but its authors can say it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from deadletter.preflight.keys import Rules

_TRUE = frozenset({"1", "y", "yes", "t", "true", "on"})
_SWITCH = "POWERTOOLS_IDEMPOTENCY_DISABLED"


@dataclass(frozen=True, slots=True)
class Consumer:
    """A function as Lambda describes it: its name, its handler (`app.lambda_handler`), its environment variables."""

    name: str
    handler: str
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Found:
    """What could be read off, and sentences for what could not, or must be known."""

    rules: Rules
    notes: tuple[str, ...]


def discover_rules(consumer: Consumer) -> Found:
    """Return what *consumer* says: its table and its prefix, as Powertools' defaults make it."""
    tables = _tables(consumer.environment)
    rules = Rules(table=tables[0][1] if tables else "", prefix=default_prefix(consumer.name, consumer.handler))
    return Found(rules, tuple(_notes(consumer, tables)))


def default_prefix(function_name: str, handler: str) -> str:
    """Return `<function name>.<module>.<qualname>`; a handler's folders are its module's packages."""
    return f"{function_name}.{handler.replace('/', '.')}"


def _tables(environment: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the variables that name an idempotency table; the one that says TABLE first."""
    named = [
        (name, value) for name, value in sorted(environment.items()) if "IDEMPOTEN" in name.upper() and name != _SWITCH
    ]
    return sorted(named, key=lambda pair: "TABLE" not in pair[0].upper())


def _notes(consumer: Consumer, tables: list[tuple[str, str]]) -> list[str]:
    notes = []
    if consumer.environment.get(_SWITCH, "").lower() in _TRUE:
        notes.append(f"{_SWITCH} is on: the function keeps no records at all, and nothing is protected.")
    if not tables:
        notes.append("No environment variable names an idempotency table. Write its name.")
    elif len(tables) > 1:
        notes.append(f"{len(tables)} variables may name the table ({', '.join(name for name, _ in tables)}). Check it.")
    notes.append("The key path stands in the handler's code (event_key_jmespath). Write it, and try it on an event.")
    return notes
