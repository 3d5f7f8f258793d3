"""Everything that pages, reports and the command line read, by one name. Every function takes a session first."""

from deadletter.store.archive import archive_events, resolve_events, unarchive_events, unresolve_events
from deadletter.store.event_pages import count_events, get_event, list_events
from deadletter.store.exporting import iter_events
from deadletter.store.group_pages import (
    Sort,
    count_groups,
    count_open_groups,
    count_standings,
    get_group,
    group_hours,
    list_assignees,
    list_groups,
    list_notes,
)
from deadletter.store.incident import report_facts
from deadletter.store.overview import facets, last_heard, list_workers, overall_hours, status_counts

__all__ = [
    "Sort",
    "archive_events",
    "count_events",
    "count_groups",
    "count_open_groups",
    "count_standings",
    "facets",
    "get_event",
    "get_group",
    "group_hours",
    "iter_events",
    "last_heard",
    "list_assignees",
    "list_events",
    "list_groups",
    "list_notes",
    "list_workers",
    "overall_hours",
    "report_facts",
    "resolve_events",
    "status_counts",
    "unarchive_events",
    "unresolve_events",
]
