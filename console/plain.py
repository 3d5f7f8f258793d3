"""Values as plain JSON, as `--json`, the JSON report and the exports write them; times are ISO 8601, UTC."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum

from deadletter.event import Json


def plain(value: object) -> Json:
    """Return *value* as what `json.dumps` takes: a dataclass becomes an object with its fields as keys."""
    match value:
        case datetime():
            return iso(value)
        case Enum():
            return value.value
        case Mapping():
            return {str(name): plain(part) for name, part in value.items()}
        case list() | tuple():
            return [plain(part) for part in value]
        case None | str() | int() | float():
            return value
    return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}  # type: ignore[arg-type] # nothing else is left


def iso(moment: datetime) -> str:
    """Return ``2026-11-23T03:14:07.120Z``, as AWS writes times."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
