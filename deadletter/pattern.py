"""Whether an event would match an EventBridge rule's pattern, and where that cannot be said, that it cannot. Pure.

The operators are those of AWS's guide "eb-create-pattern-operators". True, False, or None for what is not known: an
operator that is not there, or a member of the event that EventBridge sets itself when it takes it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping

from deadletter.event import Json
from deadletter.jsontext import decode

_SET_BY_EVENTBRIDGE = frozenset({"id", "time", "account", "version"})
"""Members that a put event gets anew: its id, its time, whose call it was."""

_PUT = ("source", "detail-type", "detail", "resources")
_MISSING = object()
_PAIR = 2


def matches(pattern_text: str, event: Mapping[str, Json]) -> bool | None:
    """Return whether *event* (as it would be put: source, detail-type, detail, resources) matches a rule's pattern."""
    is_json, pattern = decode(pattern_text)
    return _matches(pattern, event, outermost=True) if is_json and isinstance(pattern, dict) else None


def _matches(pattern: Mapping[str, Json], event: object, *, outermost: bool = False) -> bool | None:
    return _all(_member(name, wanted, event, outermost=outermost) for name, wanted in pattern.items())


def _member(name: str, wanted: Json, event: object, *, outermost: bool) -> bool | None:
    if name == "$or" and isinstance(wanted, list):
        return _any(_matches(each, event, outermost=outermost) if isinstance(each, dict) else None for each in wanted)
    if outermost and name in _SET_BY_EVENTBRIDGE:
        return None
    value = event.get(name, _MISSING) if isinstance(event, Mapping) else _MISSING
    if isinstance(wanted, dict):
        return _nested(wanted, value)
    return _any(_alternative(each, value) for each in wanted) if isinstance(wanted, list) else None


def _nested(pattern: Mapping[str, Json], value: object) -> bool | None:
    if isinstance(value, list):
        return _any(_matches(pattern, each) for each in value if isinstance(each, dict))
    return _matches(pattern, value if isinstance(value, Mapping) else {})


def _alternative(wanted: Json, value: object) -> bool | None:
    """Return whether one of the values that a pattern allows is there: a list of them matches by any of its own."""
    if isinstance(wanted, dict) and "exists" in wanted:
        return (value is not _MISSING) is wanted["exists"] if isinstance(wanted["exists"], bool) else None
    if value is _MISSING:
        return False
    if isinstance(value, list):
        return None if isinstance(wanted, dict) and "anything-but" in wanted else _any(_one(wanted, v) for v in value)
    return _one(wanted, value)


def _one(wanted: Json, value: object) -> bool | None:
    if isinstance(value, dict):
        return False
    if not isinstance(wanted, dict):
        return isinstance(wanted, bool) == isinstance(value, bool) and wanted == value
    if len(wanted) != 1:
        return None
    ((name, given),) = wanted.items()
    operator = _OPERATORS.get(name)
    return operator(given, value) if operator else None


def _text(test: Callable[[str, str], bool]) -> Callable[[Json, object], bool | None]:
    """Return an operator on texts; what it is given is a text, or one whose case does not matter."""

    def operator(given: Json, value: object) -> bool | None:
        folds = isinstance(given, dict) and list(given) == ["equals-ignore-case"]
        wanted = given["equals-ignore-case"] if folds else given
        if not isinstance(wanted, str):
            return None
        if not isinstance(value, str):
            return False
        return test(value.casefold(), wanted.casefold()) if folds else test(value, wanted)

    return operator


def _anything_but(given: Json, value: object) -> bool | None:
    if isinstance(given, dict):
        alternatives = [given]
        if len(given) == 1 and isinstance(values := next(iter(given.values())), list):
            alternatives = [{next(iter(given)): each} for each in values]
    else:
        alternatives = given if isinstance(given, list) else [given]
    found = _any(_one(each, value) for each in alternatives)
    return None if found is None else not found


def _numeric(given: Json, value: object) -> bool | None:
    if not isinstance(given, list) or not given or len(given) % _PAIR:
        return None
    if not _is_number(value):
        return False
    pairs = zip(given[::_PAIR], given[1::_PAIR], strict=True)
    return _all(_compared(sign, value, wanted) for sign, wanted in pairs)


def _compared(sign: Json, value: object, wanted: Json) -> bool | None:
    compare = _COMPARE.get(sign) if isinstance(sign, str) else None
    return compare(value, wanted) if compare and _is_number(wanted) else None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cidr(given: Json, value: object) -> bool | None:
    try:
        network = ipaddress.ip_network(str(given), strict=False)
    except ValueError:
        return None
    try:
        return isinstance(value, str) and ipaddress.ip_address(value) in network
    except ValueError:
        return False


def _like(value: str, wanted: str) -> bool:
    """Return whether *value* is like *wanted*, in which an asterisk is any text, and one behind a backslash itself.

    The text between two asterisks is taken where it comes first: that loses no match, and no text takes long.
    """
    first, *rest = _between_asterisks(wanted)
    if not rest:
        return value == first
    at = len(first) if value.startswith(first) else -1
    for part in rest[:-1]:
        found = value.find(part, at) if at >= 0 else -1
        at = found + len(part) if found >= 0 else -1
    return at >= 0 and value.endswith(rest[-1]) and len(value) - len(rest[-1]) >= at


def _between_asterisks(wanted: str) -> list[str]:
    parts = [""]
    for part in re.split(r"(\\[*\\]|\*)", wanted):
        if part == "*":
            parts.append("")
        else:
            parts[-1] += part[1:] if part in {"\\*", "\\\\"} else part
    return parts


_COMPARE: Mapping[str, Callable[..., bool]] = {
    "=": lambda value, wanted: value == wanted,
    "<": lambda value, wanted: value < wanted,
    "<=": lambda value, wanted: value <= wanted,
    ">": lambda value, wanted: value > wanted,
    ">=": lambda value, wanted: value >= wanted,
}

_OPERATORS: Mapping[str, Callable[[Json, object], bool | None]] = {
    "prefix": _text(str.startswith),
    "suffix": _text(str.endswith),
    "equals-ignore-case": _text(lambda value, wanted: value.casefold() == wanted.casefold()),
    "wildcard": _text(_like),
    "anything-but": _anything_but,
    "numeric": _numeric,
    "cidr": _cidr,
}


def _all(found: Iterable[bool | None]) -> bool | None:
    parts = set(found)
    return False if False in parts else None if None in parts else True


def _any(found: Iterable[bool | None]) -> bool | None:
    parts = set(found)
    return True if True in parts else None if None in parts else False


def as_put(payload: str) -> Mapping[str, Json] | None:
    """Return the event that would be put for *payload*, as its rules see it; None where a bus would not take it."""
    event = decode(payload)[1]
    if not isinstance(event, dict) or not isinstance(event.get("source"), str) or "detail" not in event:
        return None
    return {"resources": [], **{name: event[name] for name in _PUT if name in event}}
