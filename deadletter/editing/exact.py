"""JSON decoded and written again with every number as it was written: `18.40` stays `18.40`. Pure."""

from __future__ import annotations

import json
import re
import secrets

from deadletter.event import Json

_REFUSED = "is not JSON"


class _Float(float):
    """A number that remembers how it was written, and is a plain float to everyone else."""

    literal: str


_Float.__name__ = "float"  # jmespath knows a number by the name of its type


def load(text: str) -> Json:
    """Return what *text* says. Raises ValueError (with the place, where it is a JSONDecodeError) or RecursionError."""
    return json.loads(text, parse_float=_float, parse_constant=_refuse)


def dump(value: Json, *, indent: int | None = None) -> str:
    """Write *value* as JSON. Raises ValueError, TypeError or RecursionError for what JSON cannot hold."""
    mark = secrets.token_hex(8)  # nothing in a payload can be taken for it
    text = json.dumps(_marked(value, mark), ensure_ascii=False, allow_nan=False, indent=indent)
    return re.sub(rf'"{mark}([-+.0-9eE]+)"', r"\1", text)


def _marked(value: Json, mark: str) -> Json:
    if isinstance(value, dict):
        return {name: _marked(part, mark) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_marked(part, mark) for part in value]
    return f"{mark}{value.literal}" if isinstance(value, _Float) else value


def _float(literal: str) -> float:
    number = _Float(literal)
    number.literal = literal
    return number


def _refuse(name: str) -> None:
    message = f"{name} {_REFUSED}"
    raise ValueError(message)
