"""The input transformations of EventBridge rules and of Pipes, as far as AWS documents them. Pure.

From AWS's guides "eb-transform-target-input" and "eb-pipes-input-transformation".
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from deadletter.errors import TargetRefused
from deadletter.event import Json, decode_json
from deadletter.jsontext import STRING
from deadletter.route import Route

_STEP = re.compile(r"""\.([\w-]+)|\[(\d+)\]|\[['"]([^'"\]]+)['"]\]""")
_PATH = re.compile(rf"\$(?:{_STEP.pattern})*", re.ASCII)
_PLACE = re.compile(r"<([^<>\s]+)>")
_IN_TEMPLATE = re.compile(rf"{STRING}|<[^<>\s]+>", re.DOTALL)

_NOTHING = object()


def transform(event_text: str, route: Route, *, rule_arn: str, ingested_at: str) -> str:
    """Return what a rule's target gets for the event: constant input, a part of the event, a filled template, or all.

    Args:
        event_text: The event as it stood in the record.
        route: What the rule's target says about its input.
        rule_arn: The rule, for templates that name it.
        ingested_at: When EventBridge took the event, for templates that name it.

    Raises:
        TargetRefused: The event is not JSON, or a path is of a kind that we cannot read.
    """
    if route.input is not None:
        return route.input
    if route.input_path in {None, "", "$"} and route.template is None:
        return event_text
    event = _decoded(event_text)
    if route.template is None:
        return json.dumps(_found_or_null(event, route.input_path or "$"))
    values = {name: value for name, path in route.paths.items() if (value := find(event, path)) is not _NOTHING}
    values |= {
        "aws.events.rule-arn": rule_arn,
        "aws.events.rule-name": rule_arn.rpartition("/")[2],
        "aws.events.event.ingestion-time": ingested_at,
        "aws.events.event": {name: part for name, part in event.items() if name != "detail"},
        "aws.events.event.json": event,
    }
    return fill(route.template, values)


def transform_record(record: Json, template: str) -> str:
    """Return what a pipe's target gets for one record: the template with the paths in it filled (``<$.data.id>``).

    Raises:
        TargetRefused: A path is of a kind that we cannot read.
    """
    paths = {name for name in _PLACE.findall(template) if name.startswith("$")}
    return fill(template, {path: value for path in paths if (value := find(record, path)) is not _NOTHING})


def find(value: Json, path: str) -> Json:
    """Return what lies at a JSON path of names and indexes (``$.detail.items[0]['id']``), or `_NOTHING`.

    Raises:
        TargetRefused: The path is of a kind that we cannot read (wildcards, filters, slices).
    """
    if not _PATH.fullmatch(path):
        raise TargetRefused(
            f"Its input transformation uses the path {path[:80]!r}, which this console cannot follow. Name the target "
            "by hand, and the event goes as it stands."
        )
    for name, index, quoted in _STEP.findall(path):
        if index and isinstance(value, list) and int(index) < len(value):
            value = value[int(index)]
        elif not index and isinstance(value, dict) and (name or quoted) in value:
            value = value[name or quoted]
        else:
            return _NOTHING
    return value


def find_text(value: Json, path: str) -> str | None:
    """Return the text or number that lies at *path*, as text; None where there is none. Raises as `find` does."""
    found = find(value, path)
    if isinstance(found, bool) or not isinstance(found, str | int | float):
        return None
    return found if isinstance(found, str) else json.dumps(found)


def fill(template: str, values: Mapping[str, Json]) -> str:
    """Return *template* with its places filled: as JSON where one stands by itself, as bare text inside of a string.

    A place without a value is left empty, as AWS leaves it. A template that is one text of its own, without quotes,
    becomes a JSON string.
    """
    filled = _IN_TEMPLATE.sub(lambda found: _fill_token(found[0], values), template)
    return filled if decode_json(filled)[0] else json.dumps(_PLACE.sub(lambda place: _bare(place[1], values), template))


def _fill_token(token: str, values: Mapping[str, Json]) -> str:
    if token.startswith("<"):
        return json.dumps(values.get(token[1:-1], ""))
    return _PLACE.sub(lambda place: json.dumps(_bare(place[1], values))[1:-1], token)


def _bare(name: str, values: Mapping[str, Json]) -> str:
    value = values.get(name, "")
    return value if isinstance(value, str) else json.dumps(value)


def _found_or_null(event: Json, path: str) -> Json:
    found = find(event, path)
    return None if found is _NOTHING else found


def _decoded(text: str) -> Mapping[str, Json]:
    is_json, event = decode_json(text)
    if not is_json or not isinstance(event, dict):
        raise TargetRefused("The rule transforms its input, and this body is no JSON object that it could be done to.")
    return event
