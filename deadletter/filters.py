"""One filter for the pages, the redrives, the reports and the command line: what a URL's query says, checked. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qsl, urlencode

from deadletter.errors import BadInput
from deadletter.event import Producer, storable
from deadletter.outcome import EventStatus, GroupState

MAX_ID = 10**18 - 1
"""The largest number that can be an id: 18 digits, which a 64-bit column holds whatever they are."""

NOBODY = "nobody"
"""The assignee of a group that nobody is on."""

_KINDS: dict[str, type[StrEnum]] = {"status": EventStatus, "state": GroupState, "producer": Producer}

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Which failed events are meant. A part that is None does not narrow; all parts that are given must hold.

    `since` and `until` bound the time of the first failure, `since <= occurred_at < until`; both aware. `text` must
    occur in the error or the payload, each of its words. `function` is a function's name, or a queue's where the
    function is not known. `groups` lets through the events of any of them: what ticking several groups means;
    `sources` those that came by any of them. `state` and `assignee` are those of the event's group; the assignee
    `nobody` means that it has none. `cause` is what the list of groups is searched by: each word stands in what it
    shows of the event's group, or the event itself holds them all, as by `text`. `as_of` narrows nothing: it is
    when the filter was read, which decides what is still snoozed. `expires` bounds, as a pair, when AWS drops what
    only AWS still holds of the event.
    """

    status: EventStatus | None = None
    group: int | None = None
    groups: tuple[int, ...] | None = None
    source: int | None = None
    sources: tuple[int, ...] | None = None
    function: str | None = None
    error_type: str | None = None
    producer: Producer | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str | None = None
    cause: str | None = None
    expires: tuple[datetime, datetime] | None = None
    state: GroupState | None = None
    assignee: str | None = None
    as_of: datetime = field(default=datetime.min.replace(tzinfo=UTC), compare=False)

    @classmethod
    def from_query(cls, query: str | Iterable[tuple[str, str]], *, now: datetime) -> EventFilter:
        """Read a URL's query, as text (``status=unresolved&function=orders-capture``) or as pairs.

        Empty values do not narrow, and the same value twice is one. `since` and `until` are ISO 8601 (UTC unless it
        says otherwise), or an age such as ``24h``, ``7d``, ``30m`` before *now*. `expires` is such a span after *now*,
        or two times with a slash between them.

        Raises:
            BadInput: An unknown name, a value that is not one of its kind (the message lists what there is), two values
                for one name, or a time range that ends before it begins.
        """
        pairs = parse_qsl(query, keep_blank_values=True) if isinstance(query, str) else query
        given: dict[str, Any] = {}
        for name, text in pairs:
            _check_name(name)
            if clean := storable(text).strip():
                _add(given, name, _read(name, clean, now))
        return _in_order(cls(**given, as_of=now))

    def to_query(self, **changes: str | int | None) -> str:
        """Return the filter as a URL's query, with *changes* (None takes a part out); the inverse of `from_query`."""
        values = dict(self.parts()) | {
            name: None if value is None else _write(value) for name, value in changes.items()
        }
        return urlencode({name: value for name, value in values.items() if value is not None})

    def parts(self) -> list[tuple[str, str]]:
        """Return the parts that narrow, as the pairs of a URL's query."""
        values = [(name, getattr(self, name)) for name in _names()]
        return [(name, _write(value)) for name, value in values if value is not None]

    def with_(self, **changes: Any) -> EventFilter:  # noqa: ANN401 - any part, of its own type
        """Return the same filter with some parts replaced."""
        return replace(self, **changes)

    @property
    def is_empty(self) -> bool:
        """Whether it lets everything through."""
        return all(getattr(self, name) is None for name in _names())


def _names() -> list[str]:
    return [part.name for part in fields(EventFilter) if part.name != "as_of"]


def _check_name(name: str) -> None:
    """Refuse an unknown name even without a value: ``PaymentError`` for ``text=PaymentError`` must not mean all."""
    known = _names()
    if name not in known:
        raise BadInput(f"There is no filter named {name!r}. There are: {', '.join(known)}.")


def _add(given: dict[str, Any], name: str, value: object) -> None:
    if given.setdefault(name, value) != value:
        raise BadInput(f"{name} is given twice, as {_write(given[name])!r} and {_write(value)!r}. Choose one of them.")


def _in_order(chosen: EventFilter) -> EventFilter:
    since, until = chosen.since, chosen.until
    if since and until and since >= until:
        raise BadInput(f"The time range ends before it begins: {_write(since)} to {_write(until)}. Swap the two.")
    return chosen


def read_time(text: str, *, now: datetime) -> datetime:
    """Return the UTC time that *text* says: ISO 8601, or an age such as ``24h`` before *now*. Raises BadInput."""
    count, unit = text[:-1], text[-1:]
    if unit in _UNITS and count.isdecimal() and len(count) <= 6:  # noqa: PLR2004 - a million days is no filter
        return _ago(now, timedelta(**{_UNITS[unit]: int(count)}), text)
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # an offset can push the first or the last year out of the calendar
        message = f"{text!r} is not a time. Write 2026-11-23T03:00 (UTC), or an age such as 24h, 7d or 30m."
        raise BadInput(message) from None


def read_ahead(text: str, *, now: datetime) -> datetime:
    """Return the UTC time that *text* says: ISO 8601, or a span such as ``24h`` after *now*. Raises BadInput."""
    moment = read_time(text, now=now)
    is_span = text[-1:] in _UNITS and text[:-1].isdecimal()
    return now + (now - moment) if is_span else moment


def _ago(now: datetime, age: timedelta, text: str) -> datetime:
    try:
        return now - age
    except OverflowError:
        message = f"{text!r} is longer ago than time has been counted."
        raise BadInput(message) from None


def _read_expires(text: str, now: datetime) -> tuple[datetime, datetime]:
    """Return the time range that *text* says: a span that begins *now*, or two times with a slash between them."""
    first, slash, last = text.partition("/")
    since, until = (read_time(first, now=now), read_time(last, now=now)) if slash else (now, _ahead(text, now))
    if since >= until:
        raise BadInput(f"expires ends before it begins: {text!r}. Write 24h, or two times as in FROM/TO.")
    return since, until


def _ahead(text: str, now: datetime) -> datetime:
    """Return the time that is as long after *now* as `read_time` reads *text* to be before it."""
    try:
        return now + (now - read_time(text, now=now))
    except OverflowError:
        raise BadInput(f"{text!r} is longer than time can be counted.") from None


def _read(name: str, value: str, now: datetime) -> object:
    match name:
        case "status" | "state" | "producer":
            return _one_of(name, value)
        case "group" | "source":
            return _identifier(name, value)
        case "groups" | "sources":
            return tuple(sorted({_identifier(name, one.strip()) for one in value.split(",")}))
        case "since" | "until" | "expires":
            return _read_expires(value, now) if name == "expires" else read_time(value, now=now)
    return value


def _one_of(name: str, value: str) -> StrEnum:
    kind = _KINDS[name]
    try:
        return kind(value)
    except ValueError:
        message = f"{name} is {value!r}, and must be one of: {', '.join(kind)}."
        raise BadInput(message) from None


def _identifier(name: str, value: str) -> int:
    if not value.isascii() or not value.isdecimal() or len(value) > 18:  # noqa: PLR2004 - what a 64-bit id holds
        message = f"{name} is {value!r}, and must be its number, as in the page's address."
        raise BadInput(message)
    return int(value)


def _write(value: object) -> str:
    if isinstance(value, tuple):
        times = any(isinstance(one, datetime) for one in value)
        return ("/" if times else ",").join(_write(one) for one in value)
    # Z and not +00:00: a plus sign in a URL that a person copies by hand turns into a space.
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else str(value)
