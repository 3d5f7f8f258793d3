"""The OpenAPI 3.1 document of the API, made from the operations as they are declared. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from console.api.bodies import ID
from console.api.problem import CONTENT_TYPE, PROBLEM
from console.api.repeats import HEADER, MOST_CHARS
from console.api.routes import Operation
from console.api.schemas import NAMED, Schema

_JSON = ("application/json",)
_VARIABLE = re.compile(r"<int:(\w+)>")
_SOUGHT = {"400": "Not understood", "401": "Nobody is signed in", "403": "Refused", "422": "Cannot be done as asked"}
_WRITES = {"409": "Something changed in the meantime", "413": "Too large", "415": "Not JSON"}
_OURS = {"429": "Too many", "500": "The console failed", "503": "The database does not answer"}
_KEY: Schema = {
    "name": HEADER,
    "in": "header",
    "description": "With the same key the same request is done once, and answered alike for 24 hours.",
    "schema": {"type": "string", "minLength": 1, "maxLength": MOST_CHARS, "pattern": "^[!-~]+$"},
}


def document(operations: Iterable[Operation], prefix: str) -> Mapping[str, Any]:
    """Return the document of *operations*, whose addresses begin with *prefix*."""
    paths: dict[str, dict[str, Any]] = {}
    for each in operations:
        paths.setdefault(prefix + openapi_path(each.path), {})[each.method.lower()] = _operation(each)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Redrive",
            "version": "1",
            "description": "What the pages do, for programs: the same rules, the same sentences, the same audit trail.",
        },
        "paths": paths,
        "components": {
            "schemas": NAMED,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "`redrive tokens add`, or your own page."}
            },
        },
        "security": [{"token": []}],
    }


def openapi_path(path: str) -> str:
    """Return an address as OpenAPI writes it: `{group_id}` for `<int:group_id>`."""
    return _VARIABLE.sub(r"{\1}", path)


def _operation(each: Operation) -> Mapping[str, Any]:
    summary, _, more = each.about.partition("\n\n")
    said: dict[str, Any] = {
        "operationId": each.name,
        "tags": [each.tag],
        "summary": " ".join(summary.split()),
        "parameters": _parameters(each),
        "responses": _responses(each),
    }
    if more:
        said["description"] = " ".join(more.split())
    if each.body is not None:
        said["requestBody"] = _body(each)
    return said


def _parameters(each: Operation) -> list[Schema]:
    named = [
        {"name": name, "in": "path", "required": True, "schema": {**ID, "minimum": 0}}
        for name in _VARIABLE.findall(each.path)
    ]
    asked = [{"name": name, "in": "query", "schema": schema} for name, schema in each.query.items()]
    return [*named, *asked, *([] if each.body is None else [_KEY])]


def _body(each: Operation) -> Mapping[str, Any]:
    schema: dict[str, Any] = {"type": "object", "properties": each.body, "additionalProperties": False}
    if each.required:
        schema["required"] = list(each.required)
    return {"required": bool(each.required), "content": {"application/json": {"schema": schema}}}


def _responses(each: Operation) -> Mapping[str, Any]:
    fine = {"description": "Done", "content": {kind: {"schema": each.answer} for kind in each.media or _JSON}}
    errors = (
        _SOUGHT
        | ({} if each.body is None else _WRITES)
        | ({"404": "Nothing here"} if each.body is not None or "<" in each.path else {})
    )
    problem = {CONTENT_TYPE: {"schema": PROBLEM}}
    told = {status: {"description": text, "content": problem} for status, text in (errors | _OURS).items()}
    return {str(each.status): fine, **told}
