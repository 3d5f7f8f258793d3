"""What a list page's address and the console's forms say, read and checked. Pure; the time is handed in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from urllib.parse import urlencode

from werkzeug.datastructures import MultiDict

from deadletter.editing import Transform, parse_transform
from deadletter.errors import BadInput
from deadletter.filters import EventFilter
from deadletter.outcome import EventStatus, GroupState

EVERY_STATUS = "all"
MAX_TICKED = 1000
"""Rows that one form may tick; more than any page lists."""

DONE = ("archived", "unarchived", "resolved", "reopened")
"""What a page says that a form has done, as parts of its address; gone with the next link."""

_NOT_FILTER = frozenset({"sort", "cursor", *DONE})
_NOTHING = (
    "Nothing is ticked, so there is nothing to do. Go back and tick some rows, or choose everything that matches the "
    "filter above the list."
)

Form = MultiDict[str, str]

_OPEN = ("status", EventStatus.UNRESOLVED.value)
_STANDINGS: Mapping[str, Sequence[tuple[str, str]]] = {
    EventStatus.UNRESOLVED: (_OPEN, ("state", GroupState.AWAKE.value)),
    GroupState.REGRESSED: (_OPEN, ("state", GroupState.REGRESSED.value)),
    GroupState.SNOOZED: (_OPEN, ("state", GroupState.SNOOZED.value)),
}
STANDINGS = (*_STANDINGS, EventStatus.REDRIVING, EventStatus.RESOLVED, EventStatus.ARCHIVED)
"""Where groups can stand, as their list's chips say it."""


_EVERYTHING = EventFilter()


class Narrowing(NamedTuple):
    """One part of a filter that the page has no control of its own for: what it says, and the address without it."""

    name: str
    value: str
    without: str


@dataclass(frozen=True, slots=True)
class Listing:
    """A list page's address: its parts as written (`24h` stays `24h`), and the filter that they mean now.

    `path` is the list's own, where it is also shown in answer to a form; empty where the page's address is the list's.
    """

    args: Mapping[str, str]
    chosen: EventFilter
    default: EventFilter = _EVERYTHING
    path: str = ""

    @classmethod
    def from_args(cls, args: Form, *, now: datetime, default_status: EventStatus | None = None) -> Listing:
        """Read *args*. Without a status *default_status* holds, and `all` means every one. Raises BadInput."""
        written = {name: value for name, value in args.items() if value.strip()}
        pairs = [pair for pair in args.items(multi=True) if pair[0] not in _NOT_FILTER]
        if default_status and "status" not in written:
            pairs.append(("status", default_status))
        narrowing = [pair for pair in pairs if pair != ("status", EVERY_STATUS)]
        return cls(written, EventFilter.from_query(narrowing, now=now), EventFilter(status=default_status))

    @classmethod
    def of_groups(cls, args: Form, *, now: datetime) -> Listing:
        """Read the address of the list of groups, whose `status` is also a state: `snoozed`, or `regressed`.

        Open groups are those that nobody has snoozed. Raises BadInput.
        """
        written = {name: value for name, value in args.items() if value.strip()}
        pairs = [(name, value) for name, value in args.items(multi=True) if name not in {*_NOT_FILTER, "status"}]
        standing = written.get("status", EventStatus.UNRESOLVED.value)
        pairs += [] if standing == EVERY_STATUS else _STANDINGS.get(standing, [("status", standing)])
        default = EventFilter(status=EventStatus.UNRESOLVED, state=GroupState.AWAKE)
        return cls(written, EventFilter.from_query(pairs, now=now), default)

    @property
    def standing(self) -> str:
        """Where the groups of the list of groups stand: what its address says, or `unresolved`."""
        return self.get("status") or EventStatus.UNRESOLVED

    def get(self, name: str) -> str:
        """Return a part of the address as it is written, or an empty text."""
        return self.args.get(name, "")

    @property
    def cursor(self) -> str | None:
        """Which page of the list is meant; None for the first."""
        return self.args.get("cursor")

    @property
    def filtered(self) -> bool:
        """Whether something other than the default narrows the list."""
        return self.chosen != self.default

    @property
    def of_causes(self) -> str:
        """What is done to all groups of the list is done to, as a filter: its words may be those of a group alone."""
        return self.chosen.with_(text=None, cause=self.chosen.text).to_query()

    def query(self, **changes: object) -> str:
        """Return the address's query with *changes* (None takes a part out); without the cursor unless it is given."""
        parts = dict(self.args) | dict.fromkeys(("cursor", *DONE)) | changes
        return urlencode({name: value for name, value in parts.items() if value is not None})

    def narrowings(self, *names: str) -> Iterator[Narrowing]:
        """Yield the parts named that the address has."""
        for name in names:
            if value := self.args.get(name):
                yield Narrowing(name, value, self.query(**{name: None}))


def read_selection(form: Form, *, now: datetime) -> EventFilter | Sequence[int]:
    """Return what a form selects: the events it ticks, those of the groups it ticks, or all that match its filter.

    Never more than it says: `scope=filter` alone takes the whole filter, and ticked groups are narrowed by it.

    Raises:
        BadInput: Nothing is selected, or an id or a filter is not one.
    """
    events, groups = _ids(form, "event"), _ids(form, "group")
    scope = form.get("scope") or ("page" if events or groups else "filter")
    if scope == "page" and events:
        return events
    if scope == "page" and groups:
        return EventFilter.from_query(form.get("filter", ""), now=now).with_(groups=tuple(groups))
    if scope == "filter" and "filter" in form:
        return EventFilter.from_query(form["filter"], now=now)
    raise BadInput(_NOTHING)


def read_rate(form: Form) -> float | None:
    """Return the rate that a form asks for, in events per second; None where it asks for none. Raises BadInput."""
    text = form.get("rate", "").strip()
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        raise BadInput(f"The rate is {text!r}, and must be a number of events per second, such as 20.") from None


def read_transform(form: Form) -> Transform | None:
    """Return the change that a form asks for all of its events; None where it asks for none. Raises BadInput."""
    text = form.get("transform", "").strip()
    return parse_transform(text) if text else None


def read_id(form: Form, name: str) -> int | None:
    """Return the id that a field of a form holds; None where it holds none. Raises BadInput."""
    text = form.get(name, "").strip()
    return _id(text) if text else None


def read_ids(form: Form, name: str) -> list[int]:
    """Return the ids that a form ticks. Raises BadInput."""
    return _ids(form, name)


def local_path(text: str, default: str) -> str:
    """Return *text* if it is an address of this console, else *default*: a form must not send people elsewhere."""
    ours = text.startswith("/") and not text.startswith("//") and "\\" not in text and text.isprintable()
    return text if ours else default


def _ids(form: Form, name: str) -> list[int]:
    values = form.getlist(name)
    if len(values) > MAX_TICKED:
        raise BadInput(
            f"{len(values):,} rows are ticked, and a form takes {MAX_TICKED:,}. Choose all that match the filter."
        )
    return sorted({_id(value) for value in values})


def _id(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 18:  # noqa: PLR2004 - what a 64-bit number holds
        raise BadInput(f"{text[:40]!r} is not the number of an event, a group or a redrive.")
    return int(text)
