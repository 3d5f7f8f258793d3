"""What filters and reports are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from deadletter.store.rows.common import StatusCounts
from deadletter.store.rows.events import EventDetail
from deadletter.store.rows.groups import GroupRow
from deadletter.store.rows.redrives import RedriveRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Facets:
    """What there is to filter by, each with its number of unresolved events, most first."""

    functions: Sequence[tuple[str, int]] = ()
    error_types: Sequence[tuple[str, int]] = ()
    sources: Sequence[tuple[int, str]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportCause:
    """One group in a report, counted within the report's time and filter, with one failure as a sample."""

    group: GroupRow
    events: int
    open: int
    resolved: int
    sample: EventDetail | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFacts:
    """Everything that a report says, read in one go. `hours`: (hour since 1970, failures), gaps left out."""

    since: datetime
    until: datetime
    events: int
    counts: StatusCounts
    hours: Sequence[tuple[int, int]]
    functions: Sequence[tuple[str, int, int]]
    """(function, events, still open), most first."""
    causes: Sequence[ReportCause]
    redrives: Sequence[RedriveRow]
    outcomes: Mapping[str, int] = field(default_factory=dict)
    """Outcomes of the events of the report in their redrives."""
    presumed: int = 0
    """How many of the successes are presumed: nothing came back within the settling time."""
