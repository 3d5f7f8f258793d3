"""An account as JSON and back: what was read is kept, and the map is drawn from it anew each time it is looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from deadletter.discovery.account import (
    Account,
    Function,
    InvokeConfig,
    Pipe,
    Queue,
    RuleTarget,
    Schedule,
    SourceMapping,
    Subscription,
)
from deadletter.event import Json

_KINDS: Mapping[str, type] = {
    "functions": Function,
    "mappings": SourceMapping,
    "queues": Queue,
    "subscriptions": Subscription,
    "rule_targets": RuleTarget,
    "schedules": Schedule,
    "pipes": Pipe,
}


def to_json(account: Account) -> dict[str, Json]:
    """Return *account* as JSON; `from_json` makes an equal one of it."""
    return asdict(account)


def from_json(saved: Mapping[str, Json]) -> Account:
    """Return the account that was saved, maybe by another version: what this one does not know is left out."""
    return Account(**{name: _entries(kind, saved.get(name) or ()) for name, kind in _KINDS.items()})


def _entries(kind: type, saved: Sequence[Mapping[str, Any]]) -> tuple[Any, ...]:
    known = {each.name for each in fields(kind)}
    return tuple(_entry(kind, {name: value for name, value in each.items() if name in known}) for each in saved)


def _entry(kind: type, facts: dict[str, Any]) -> object:
    if facts.get("invoke_configs") is not None:
        facts["invoke_configs"] = tuple(InvokeConfig(**each) for each in facts["invoke_configs"])
    return kind(**facts)
