"""`redrive assign`, `note`, `snooze`, `resolve`, `archive`: what people decide about a group, and taking it back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
from sqlalchemy.orm import Session

from console.commands.database import actor, database, utc_now
from console.commands.output import ID, print_json, when
from console.commands.send import read_filter
from console.format import plural, visible
from console.public import public
from deadletter.errors import BadInput
from deadletter.filters import NOBODY, read_ahead
from deadletter.store import read, triage, write
from deadletter.store.queries import (
    archive_events,
    get_group,
    list_notes,
    resolve_events,
    unarchive_events,
    unresolve_events,
)
from deadletter.store.rows import GroupRow

_group = click.argument("group_id", metavar="GROUP", type=ID)
_maybe_group = click.argument("group_id", metavar="[GROUP]", type=ID, required=False)
_filter = click.option(
    "--filter", "query", metavar="QUERY", help="What the pages' address says: 'status=unresolved&function=f'."
)
_json = click.option("--json", "as_json", is_flag=True, help="Print the outcome as one JSON document.")

Act = Callable[..., Any]


@click.command()
@_group
@click.argument("name", default=NOBODY)
@_json
def assign(*, group_id: int, name: str, as_json: bool) -> None:
    """Say who is on GROUP; without NAME, nobody."""
    to = None if name == NOBODY else name
    _do(group_id, lambda session, **who: triage.assign(session, group_id, to, **who), as_json=as_json)


@click.command()
@_group
@click.argument("text", default="")
@click.option("--remove", type=ID, metavar="NOTE", help="Take that note away.")
@_json
def note(*, group_id: int, text: str, remove: int | None, as_json: bool) -> None:
    """Write a note about GROUP; without TEXT, show its notes."""
    if remove is not None:
        _do(group_id, lambda session, **who: triage.remove_note(session, group_id, remove, **who), as_json=as_json)
    elif text:
        _do(group_id, lambda session, **who: triage.add_note(session, group_id, text, **who), as_json=as_json)
    else:
        _show_notes(group_id, as_json=as_json)


@click.command()
@_group
@click.option("--until", metavar="T", help="Until then: ISO 8601, or a span such as 4h or 7d.")
@click.option("--failures", type=int, metavar="N", help="Until it has failed so often again.")
@click.option("--undo", is_flag=True, help="Wake it.")
@_json
def snooze(*, group_id: int, until: str | None, failures: int | None, undo: bool, as_json: bool) -> None:
    """Hide GROUP from what is open until a time, or a number of failures, whichever comes first."""
    if undo and (until or failures is not None):
        raise BadInput("--undo wakes the group: leave --until and --failures out.")
    if undo:
        _do(group_id, lambda session, **who: triage.wake(session, group_id, **who), as_json=as_json)
        return
    moment = read_ahead(until, now=utc_now()) if until else None
    _do(
        group_id,
        lambda session, **who: triage.snooze(session, group_id, until=moment, failures=failures, **who),
        as_json=as_json,
    )


@click.command()
@_maybe_group
@_filter
@click.option("--undo", is_flag=True, help="Open again what was resolved by hand.")
@_json
def resolve(*, group_id: int | None, query: str | None, undo: bool, as_json: bool) -> None:
    """Resolve what is unresolved of GROUP, or of all that --filter lets through; what fails anew has regressed."""
    one, many = (triage.unresolve, unresolve_events) if undo else (triage.resolve, resolve_events)
    _move(group_id, query, one, many, "reopened" if undo else "resolved", as_json=as_json)


@click.command()
@_maybe_group
@_filter
@click.option("--undo", is_flag=True, help="Bring back what is archived.")
@_json
def archive(*, group_id: int | None, query: str | None, undo: bool, as_json: bool) -> None:
    """Archive what is unresolved of GROUP, or all that --filter lets through: out of sight, and kept."""
    one, many = (triage.unarchive, unarchive_events) if undo else (triage.archive, archive_events)
    _move(group_id, query, one, many, "unarchived" if undo else "archived", as_json=as_json)


def _move(  # noqa: PLR0913 - one group or many, by either verb
    group_id: int | None, query: str | None, one: Act, many: Act, done: str, *, as_json: bool
) -> None:
    if (group_id is None) == (query is None):
        raise BadInput("Say of what in exactly one way: GROUP, or --filter QUERY.")
    if group_id is not None:
        _do(group_id, lambda session, **who: one(session, group_id, **who), as_json=as_json)
        return
    chosen = read_filter(query or "")
    with database() as (settings, engine), write(engine) as session:
        n = many(session, chosen, by=actor(settings), now=utc_now())
    if as_json:
        print_json({"events": n})
    else:
        click.echo(f"{plural(n, 'event')} {done}.")


def _do(group_id: int, act: Callable[..., Any], *, as_json: bool) -> None:
    """Do it, in the name of whoever sits here, and say how the group stands now."""
    with database() as (settings, engine):
        now = utc_now()
        with write(engine) as session:
            act(session, by=actor(settings), now=now)
        with read(engine) as session:
            row = get_group(session, group_id, now=now)
    if as_json:
        print_json(public(row, settings.secrets) | {"standing": str(row.standing)})
    else:
        click.echo(_sentence(row))


def _sentence(row: GroupRow) -> str:
    parts = [f"Group {row.id} is {row.standing}: {plural(row.counts.unresolved, 'event')} unresolved"]
    parts += [f"{visible(row.assignee)} is on it"] if row.assignee else []
    parts += [plural(row.notes, "note")] if row.notes else []
    return ", ".join(parts) + f", last seen {when(row.last_seen)}."


def _show_notes(group_id: int, *, as_json: bool) -> None:
    with database() as (settings, engine), read(engine) as session:
        notes = _notes_of(session, group_id)
    found = [public(each, settings.secrets) for each in notes]
    if as_json:
        print_json(found)
        return
    for each, seen in zip(notes, found, strict=True):
        click.echo(f"{each.id}  {when(each.at)}  {visible(each.who)}\n    {visible(str(seen['text']))}")
    if not notes:
        click.echo('There is no note on this group. Write one: redrive note GROUP "..."')


def _notes_of(session: Session, group_id: int) -> list[Any]:
    get_group(session, group_id, now=utc_now())
    return list_notes(session, group_id)
