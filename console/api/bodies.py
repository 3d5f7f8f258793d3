"""What a request's JSON body must be, read and checked: strictly, each refusal a sentence. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from console.api.schemas import Schema
from deadletter.errors import BadInput
from deadletter.event import storable
from deadletter.filters import MAX_ID

Body = Mapping[str, Any]

MAX_TEXT = 4_000
MAX_IDS = 1_000
TEXT: Schema = {"type": "string", "minLength": 1, "maxLength": MAX_TEXT}
WHOLE: Schema = {"type": "integer", "minimum": 1, "maximum": 999_999_999}
NUMBER: Schema = {"type": "number"}
FLAG: Schema = {"type": "boolean"}
ID: Schema = {"type": "integer", "minimum": 1, "maximum": MAX_ID}
IDS: Schema = {"type": "array", "items": ID, "minItems": 1, "maxItems": MAX_IDS}

_TYPES: Mapping[str, tuple[tuple[type, ...], str]] = {
    "string": ((str,), "a text"),
    "integer": ((int,), "a whole number"),
    "number": ((int, float), "a number"),
    "boolean": ((bool,), "true or false"),
    "array": ((list,), "a list"),
}


class NotJson(BadInput):
    """The body is no JSON object at all. HTTP 400."""


def read_body(text: bytes, wanted: Mapping[str, Schema], required: Sequence[str]) -> Body:
    """Return the JSON object that *text* is; an empty one is an object without members.

    Raises:
        NotJson: It is no JSON object, is nested too deeply, or has a member twice.
        BadInput: A member is not one of *wanted*, is not as its schema says, or is missing.
    """
    found = _decode(text) if text.strip() else {}
    if not isinstance(found, dict):
        raise NotJson("The body must be a JSON object, such as {}.")
    for name, value in found.items():
        if name not in wanted:
            there = f"There are: {', '.join(wanted)}." if wanted else "This takes none."
            raise BadInput(f"There is no field {storable(name)[:60]!r} here. {there}")
        _check(name, value, wanted[name])
    if missing := [name for name in required if name not in found]:
        raise BadInput(f"The field {missing[0]!r} is missing.")
    return found


def _decode(text: bytes) -> object:
    try:
        return json.loads(text.decode(), object_pairs_hook=_once, parse_constant=_no_number)
    except RecursionError:
        raise NotJson("The body is nested too deeply. Nothing here takes more than two levels.") from None
    except ValueError:
        raise NotJson("The body is not JSON in UTF-8.") from None


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotJson("The body has a field twice. Which of the two is meant?")
    return found


def _no_number(text: str) -> NoReturn:
    raise NotJson(f"{text} is no JSON number.")


def _check(name: str, value: Any, schema: Schema) -> None:  # noqa: ANN401 - what somebody wrote
    kinds, words = _TYPES[schema["type"]]
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise BadInput(f"{name} must be {words}.")
    if isinstance(value, str):
        _check_text(name, value, schema)
    elif isinstance(value, list):
        _check_size(f"{name} must have", "entries", len(value), schema, "Items")
        for one in value:
            _check(f"Each of {name}", one, schema["items"])
    elif not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        raise BadInput(f"{name} is {str(value)[:40]}, and must be from {schema['minimum']:,} to {schema['maximum']:,}.")


def _check_text(name: str, value: str, schema: Schema) -> None:
    if storable(value) != value:
        raise BadInput(f"{name} has a character that cannot be stored as text: NUL, or half of a surrogate pair.")
    if "enum" in schema and value not in schema["enum"]:
        raise BadInput(f"{name} is {value[:40]!r}, and must be one of: {', '.join(schema['enum'])}.")
    _check_size(f"{name} must have", "characters", len(value), schema, "Length")


def _check_size(what: str, unit: str, size: int, schema: Schema, end: str) -> None:
    least, most = schema.get(f"min{end}", size), schema.get(f"max{end}", size)
    if not least <= size <= most:
        raise BadInput(f"{what} from {least:,} to {most:,} {unit}, and has {size:,}.")
