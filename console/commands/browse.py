"""`redrive groups` and `redrive events`: what failed, as lists."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import TypeVar

import click

from console.commands.database import database, utc_now
from console.commands.output import ID, print_json, print_table, when
from console.public import public
from deadletter.filters import EventFilter
from deadletter.outcome import EventStatus, GroupState
from deadletter.store import read
from deadletter.store.queries import get_group, list_events, list_groups
from deadletter.store.rows import EventRow, GroupRow, Page

T = TypeVar("T")
PAGE_ROWS = 500

_STATUSES = [status.value for status in EventStatus]
_STANDINGS = [*_STATUSES, GroupState.REGRESSED.value, GroupState.SNOOZED.value]
_options = (
    click.option("--group", type=ID, metavar="ID", help="Only that group."),
    click.option("--limit", type=click.IntRange(1, 10**9), default=50, show_default=True, help="At most so many."),
    click.option("--json", "as_json", is_flag=True, help="Print one JSON array."),
)


def _narrowed(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_options):
        command = option(command)
    return command


@click.command()
@click.option("--status", type=click.Choice(_STANDINGS), help="Only those; snoozed ones are not among the unresolved.")
@click.option("--assignee", metavar="NAME", help="Only those that NAME is on; nobody: that nobody is on.")
@_narrowed
def groups(*, status: str | None, assignee: str | None, group: int | None, limit: int, as_json: bool) -> None:
    """List groups of failed events, the latest failure first."""
    now = utc_now()
    chosen = _standing(status).with_(assignee=assignee, group=group, as_of=now)
    with database() as (settings, engine), read(engine) as session:
        rows = take(
            lambda cursor, n: list_groups(session, chosen, sort="last_seen", cursor=cursor, limit=n, now=now), limit
        )
    found = [public(row, settings.secrets) | {"standing": str(row.standing)} for row in rows]
    if as_json:
        print_json(found)
        return
    heads = ("ID", "STATUS", "UNRESOLVED", "EVENTS", "LAST SEEN", "WHO", "FUNCTION", "CAUSE")
    lines = [(*_group_line(row), _cause(seen)) for row, seen in zip(rows, found, strict=True)]
    print_table(heads, lines, empty="No group matches.")


@click.command()
@click.option("--status", type=click.Choice(_STATUSES), help="Only those.")
@click.option("--expires", metavar="SPAN", help="Only those that AWS drops within it: 1h, 24h, 7d; the soonest first.")
@_narrowed
def events(*, status: EventStatus | None, expires: str | None, group: int | None, limit: int, as_json: bool) -> None:
    """List failed events, the latest failure first."""
    chosen = EventFilter.from_query({"expires": expires or ""}.items(), now=utc_now()).with_(status=status, group=group)
    with database() as (settings, engine), read(engine) as session:
        if group is not None:
            get_group(session, group, now=utc_now())
        rows = take(lambda cursor, n: list_events(session, chosen, cursor=cursor, limit=n), limit)
    found = [public(row, settings.secrets) for row in rows]
    if as_json:
        print_json(found)
        return
    heads = ("ID", "GROUP", "STATUS", "OCCURRED", "FUNCTION", "LABEL", "ERROR")
    lines = [(*_event_line(row), seen["label"], _error(seen)) for row, seen in zip(rows, found, strict=True)]
    print_table(heads, lines, empty="No event matches.")


def _standing(status: str | None) -> EventFilter:
    """Return the filter for groups that stand there: the open ones are those that nobody has snoozed."""
    if status is None:
        return EventFilter()
    if status in {EventStatus.UNRESOLVED, *GroupState}:
        state = GroupState.AWAKE if status == EventStatus.UNRESOLVED else GroupState(status)
        return EventFilter(status=EventStatus.UNRESOLVED, state=state)
    return EventFilter(status=EventStatus(status))


def take(page_of: Callable[[str | None, int], Page[T]], limit: int) -> list[T]:
    """Return at most *limit* rows, reading as many pages as that takes."""
    return list(islice(_rows(page_of, limit), limit))


def _rows(page_of: Callable[[str | None, int], Page[T]], limit: int) -> Iterator[T]:
    cursor = None
    while True:
        page = page_of(cursor, min(limit, PAGE_ROWS))
        yield from page.rows
        cursor = page.next_cursor
        if cursor is None:
            return


def _group_line(row: GroupRow) -> tuple[object, ...]:
    counts = row.counts
    seen = when(row.last_seen)
    return (row.id, row.standing, counts.unresolved, counts.total, seen, row.assignee, row.function_name)


def _event_line(row: EventRow) -> tuple[object, ...]:
    return (row.id, row.group_id, row.status, when(row.occurred_at), row.function_name)


def _cause(seen: dict[str, str | None]) -> str:
    title, message = seen["title"], seen["masked_message"]
    return f"{title}: {message}" if message and message != title else f"{title}"


def _error(seen: dict[str, str | None]) -> str:
    return ": ".join(part for part in (seen["error_type"], seen["error_message"]) if part)
