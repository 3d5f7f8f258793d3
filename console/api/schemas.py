"""JSON Schemas (2020-12) of what the API answers, made from the types of the rows that it answers with. Pure."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Union, get_args, get_origin, get_type_hints

Schema = Mapping[str, Any]

_SCALARS: Mapping[object, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    datetime: {"type": "string", "format": "date-time"},
    type(None): {"type": "null"},
    Any: {},
}

NAMED: dict[str, Schema] = {}
"""The schemas that have a name of their own in the document."""


def named(name: str, schema: Schema) -> Schema:
    """Give *schema* a name in the document, and return what refers to it."""
    NAMED[name] = schema
    return {"$ref": f"#/components/schemas/{name}"}


def schema_of(kind: object) -> Schema:
    """Return the schema of what `console.plain.plain` makes of a value of this type. Raises LookupError for others."""
    if kind in _SCALARS:
        return _SCALARS[kind]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return {"type": "string", "enum": [each.value for each in kind]}
    if isinstance(kind, type) and is_dataclass(kind):
        return obj(fields_of(kind))
    return _of_several(kind, get_origin(kind), get_args(kind))


def _of_several(kind: object, origin: object, parts: Sequence[object]) -> Schema:
    if origin in {types.UnionType, Union}:
        return {"anyOf": [schema_of(part) for part in parts]}
    if origin is tuple and Ellipsis not in parts:
        return {"type": "array", "minItems": len(parts), "maxItems": len(parts)}
    if origin in {list, tuple, Sequence}:
        return array(schema_of(parts[0]))
    if origin in {dict, Mapping}:
        return {"type": "object", "additionalProperties": schema_of(parts[1])}
    raise LookupError(f"There is no schema for {kind!r}.")


def fields_of(row: type, *names: str) -> dict[str, Schema]:
    """Return the schema of each field of a dataclass, or of those and the properties that are named."""
    hints = get_type_hints(row)
    return {name: schema_of(hints.get(name) or _returned(row, name)) for name in names or _names(row)}


def obj(properties: Mapping[str, Schema]) -> Schema:
    """Return the schema of an object that has all of *properties* and no others."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def array(items: Schema) -> Schema:
    """Return the schema of an array of *items*."""
    return {"type": "array", "items": items}


def page(items: Schema) -> Schema:
    """Return the schema of one page of a list, and of where the next one begins."""
    return obj({"items": array(items), "next": {"type": ["string", "null"]}})


def _names(row: type) -> list[str]:
    return [field.name for field in fields(row)]


def _returned(row: type, name: str) -> object:
    return get_type_hints(getattr(row, name).fget)["return"]
