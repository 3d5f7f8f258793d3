"""One change for many events: a JSON Patch (RFC 6902), or a JMESPath expression whose result is the new payload. Pure.

The one place that imports jsonpatch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import jsonpatch

from deadletter.editing import exact
from deadletter.errors import BadInput
from deadletter.event import Json
from deadletter.expressions import MAX_EXPRESSION, CannotApply, compile_expression, first_line
from deadletter.secret_rules import MASK

JSON_PATCH, JMESPATH = "json-patch", "jmespath"
MAX_PATCH = 100_000
"""Characters that a JSON Patch may have."""

_FAILURES = (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException, TypeError, ValueError, LookupError)


@dataclass(frozen=True, slots=True)
class Transform:
    """A change that was read and checked: `how` is `json-patch` or `jmespath`, `text` as it was written."""

    how: str
    text: str
    _change: Callable[[Json], Json]

    def apply(self, payload: str) -> str | None:
        """Return *payload* changed, or None where the change leaves it as it is.

        Numbers that it does not touch stay as they were written.

        Raises:
            CannotApply: It is no JSON, or the change does not fit it; the message says why.
        """
        try:
            before = exact.load(payload)
        except (ValueError, RecursionError):
            raise CannotApply("Its payload is not JSON, and a transform changes nothing else.") from None
        try:
            after = self._change(before)
            return None if _same(before, after) else exact.dump(after)
        except (ValueError, TypeError, RecursionError) as error:
            raise CannotApply(f"The transform makes something of it that is no JSON: {first_line(error)}") from error


def parse_transform(text: str) -> Transform:
    """Return the transform that *text* says: a JSON Patch where it is a JSON list of operations, else JMESPath.

    Raises:
        BadInput: It is neither, or holds a mask.
    """
    text = text.strip()
    if not text:
        raise BadInput("The transform is empty. Write a JSON Patch or a JMESPath expression.")
    if MASK in text:
        raise BadInput(f"The transform holds a mask ({MASK}), which would be sent. Write the value itself.")
    operations = _operations(text)
    if operations is not None:
        return Transform(JSON_PATCH, text, _patch(operations))
    if text.startswith("{") and '"op"' in text:
        raise BadInput("A JSON Patch is a list of operations. Put it into square brackets.")
    if len(text) > MAX_EXPRESSION:
        raise BadInput(f"It is no JSON Patch, and longer than the {MAX_EXPRESSION:,} characters of an expression.")
    return Transform(JMESPATH, text, _expression(text))


def _operations(text: str) -> list[Json] | None:
    try:
        value = exact.load(text) if len(text) <= MAX_PATCH else None
    except (ValueError, RecursionError):
        return None
    is_patch = isinstance(value, list) and value and all(isinstance(each, dict) and "op" in each for each in value)
    return value if is_patch else None


def _patch(operations: list[Json]) -> Callable[[Json], Json]:
    try:
        patch = jsonpatch.JsonPatch(operations)
    except _FAILURES as error:
        raise BadInput(f"This is no JSON Patch (RFC 6902): {first_line(error)}.") from error

    def change(before: Json) -> Json:
        try:
            return patch.apply(before)
        except _FAILURES as error:
            raise CannotApply(f"The JSON Patch does not fit it: {first_line(error)}.") from error

    return change


def _expression(text: str) -> Callable[[Json], Json]:
    search = compile_expression(text)

    def change(before: Json) -> Json:
        found = search(before)
        if found is None:
            raise CannotApply("The expression finds nothing in it (null), and null would be sent.")
        return found

    return change


def _same(before: Json, after: Json) -> bool:
    """Return whether two JSON values are the same: to Python `True` is 1, and 1 is 1.0."""
    if isinstance(before, dict) and isinstance(after, dict):
        return before.keys() == after.keys() and all(_same(before[name], after[name]) for name in before)
    if isinstance(before, list) and isinstance(after, list):
        return len(before) == len(after) and all(map(_same, before, after))
    return isinstance(before, bool) == isinstance(after, bool) and bool(before == after)
