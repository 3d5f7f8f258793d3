"""`redrive send`: plan, show, ask, start, and follow to the end."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TextIO

import click
from sqlalchemy import Engine

from console.commands.database import actor, database, utc_now
from console.commands.output import ID, print_json
from console.commands.redrives import said
from console.format import plural
from console.public import plan_summary, summary
from deadletter import aws, redrive
from deadletter.breaker import DEFAULT_CANARY, DEFAULT_MAX_FAILURES
from deadletter.editing import parse_transform
from deadletter.errors import BadInput, NeedsConfirming, RedriveError
from deadletter.event import TargetRef
from deadletter.filters import EventFilter
from deadletter.hours import Window, read_moment
from deadletter.manner import Manner, read_percent
from deadletter.outcome import EventStatus, RedriveStatus
from deadletter.redrive.editing import AsSentLast, Edit
from deadletter.settings import Settings
from deadletter.store import read
from deadletter.store.queries import get_group, list_workers
from deadletter.store.redrives import get_redrive
from deadletter.store.rows import RedriveRow

_LOOK_EVERY_S = 0.25


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asked for, read and checked."""

    selection: EventFilter | Sequence[int]
    target: TargetRef | None
    rate: float | None
    invocation: str
    manner: Manner
    edit: Edit | None = None
    skip_done: bool = True


@click.command()
@click.option("--group", type=ID, metavar="ID", help="The unresolved events of that group.")
@click.option("--event", "events", multiple=True, metavar="ID...", help="Those events; several ids, or again.")
@click.option(
    "--filter", "query", metavar="QUERY", help="What the pages' address says: 'status=unresolved&function=f'."
)
@click.option("--target", "target_arn", metavar="ARN", help="Send there, and not where the records say.")
@click.option("--rate", type=float, help="Events per second.")
@click.option(
    "--invocation", type=click.Choice(["Event", "RequestResponse"]), default="RequestResponse", show_default=True
)
@click.option("--canary", type=int, default=DEFAULT_CANARY, show_default=True, help="Send so many, await outcomes.")
@click.option("--no-canary", is_flag=True, help="No canary and no ramp: the full rate at once.")
@click.option(
    "--max-failures",
    metavar="P",
    default=f"{DEFAULT_MAX_FAILURES:.0%}",
    show_default=True,
    help="Stop by itself above so many of the last outcomes; 100% never does.",
)
@click.option("--concurrency", type=int, metavar="N", help="At most so many in flight at once.")
@click.option("--at", metavar="TIME", help="Start then: 02:00 or 2026-11-24T02:00, UTC.")
@click.option("--window", metavar="A-B", help="Send only then, every day: 22:00-06:00, or '22:00-06:00 Europe/Berlin'.")
@click.option("--dry-run", is_flag=True, help="Show the plan, then discard it: nothing is sent.")
@click.option(
    "--skip-done/--send-done", default=True, show_default=True, help="What its handler has done already, by its record."
)
@click.option(
    "--edit", "edit_file", type=click.File(), metavar="FILE", help="Edit every payload by that JSON Patch or JMESPath."
)
@click.option(
    "--edited/--originals",
    "edited",
    default=None,
    help="What was sent edited before: as it was sent last, or as it first was. Asked where it matters.",
)
@click.option("--yes", is_flag=True, help="Start without asking.")
@click.option("--wait", is_flag=True, help="Follow to the end; exit 1 unless all that was to be sent succeeded.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document; needs --yes or --dry-run.")
@click.argument("more_events", nargs=-1, metavar="")
def send(  # noqa: PLR0913 - one parameter an option
    *,
    group: int | None,
    events: Sequence[str],
    query: str | None,
    target_arn: str | None,
    rate: float | None,
    invocation: str,
    canary: int,
    no_canary: bool,
    max_failures: str,
    concurrency: int | None,
    at: str | None,
    window: str | None,
    dry_run: bool,
    skip_done: bool,
    edit_file: TextIO | None,
    edited: bool | None,
    yes: bool,
    wait: bool,
    as_json: bool,
    more_events: Sequence[str],
) -> int:
    """Send failed events to their target again.

    They are chosen by group, by event, or by filter. The plan is shown before anything is sent. First goes a canary,
    whose outcomes are awaited; then twice as many each time, up to the full rate.
    """
    _check_usage(asks=not (yes or dry_run), as_json=as_json, events=events, more=more_events)
    selection = read_selection(group, (*events, *more_events), query)
    manner = _manner(0 if no_canary else canary, max_failures, concurrency, at, window)
    target = redrive.parse_target(target_arn) if target_arn else None
    asked = Asked(selection, target, rate, invocation, manner, _edit(edit_file, edited=edited), skip_done)
    with database() as (settings, engine):
        planned = _plan(engine, asked, settings)
        if dry_run:
            redrive.cancel(engine, planned.id, by=actor(settings), now=utc_now())
            return _tell_plan(planned, as_json=as_json)
        if not yes and not _confirmed(engine, planned, settings):
            return 1
        row = _start(engine, planned, settings, originals=edited is False or not yes)
        row = _follow(engine, row, settings) if wait else row
    return _tell(row, settings, as_json=as_json)


def _check_usage(*, asks: bool, as_json: bool, events: Sequence[str], more: Sequence[str]) -> None:
    if as_json and asks:
        raise BadInput("With --json nobody can be asked whether to start: add --yes or --dry-run, or leave --json out.")
    if more and not events:
        raise BadInput(f"{more[0]!r} is not expected. To send single events write: redrive send --event ID ...")


def _edit(file: TextIO | None, *, edited: bool | None) -> Edit | None:
    """Return what changes the payloads: a transform, or what was sent last; None where nothing does."""
    if file and edited is not None:
        raise BadInput("--edit changes the payloads as they failed. Leave out --edited and --originals, or --edit.")
    if file:
        return parse_transform(file.read())
    return AsSentLast() if edited else None


def _manner(canary: int, max_failures: str, concurrency: int | None, at: str | None, window: str | None) -> Manner:
    return Manner(
        canary=canary,
        max_failures=read_percent(max_failures),
        concurrency=concurrency,
        starts_at=read_moment(at, now=utc_now()) if at else None,
        window=Window.parse(window) if window else None,
    )


def _start(engine: Engine, planned: RedriveRow, settings: Settings, *, originals: bool) -> RedriveRow:
    """Start what was confirmed; a plan that leaves open which form it sends is cancelled."""
    by, hours = actor(settings), settings.approval.hours
    given: dict[str, Any] = {"digest": planned.digest, "originals": originals, "approval_hours": hours}
    try:
        return redrive.start(engine, planned.id, **given, started_by=by, now=utc_now())
    except NeedsConfirming as error:
        redrive.cancel(engine, planned.id, by=by, now=utc_now())
        raise BadInput(f"{error} (--originals, or --edited)") from error


def read_selection(group: int | None, events: Sequence[str], query: str | None) -> EventFilter | Sequence[int]:
    """Return which events are meant. Raises BadInput unless exactly one way of saying it is used."""
    if (group is not None) + bool(events) + (query is not None) != 1:
        raise BadInput("Say what to send in exactly one way: --group ID, --event ID ..., or --filter QUERY.")
    if group is not None:
        return EventFilter(group=group, status=EventStatus.UNRESOLVED)
    if query is not None:
        return read_filter(query)
    return sorted({_event_id(text) for part in events for text in part.split(",")})


def read_filter(query: str) -> EventFilter:
    """Return the filter; one without narrowing is more likely an empty variable of a script than a wish: BadInput."""
    chosen = EventFilter.from_query(query.removeprefix("?"), now=utc_now())
    if chosen.is_empty:
        raise BadInput("This filter lets every event through. To choose all that are open: status=unresolved")
    return chosen


def _event_id(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):  # noqa: PLR2004 - what a 64-bit number holds
        raise BadInput(f"{text!r} is not an event's number. `redrive events` lists them.")
    return int(text)


def _plan(engine: Engine, asked: Asked, settings: Settings) -> RedriveRow:
    if isinstance(asked.selection, EventFilter) and asked.selection.group is not None:
        with read(engine) as session:
            get_group(session, asked.selection.group, now=utc_now())
    redrive_id = redrive.create_plan(
        engine,
        asked.selection,
        target=asked.target,
        rate=asked.rate,
        invocation=asked.invocation,
        manner=asked.manner,
        edit=asked.edit,
        skip_done=asked.skip_done,
        open_records=aws.open_records,
        listeners=aws.open_listeners(),
        asked_by=actor(settings),
        settings=settings,
        now=utc_now(),
    )
    return _read(engine, redrive_id)


def _read(engine: Engine, redrive_id: int) -> RedriveRow:
    with read(engine) as session:
        return get_redrive(session, redrive_id)


def _confirmed(engine: Engine, planned: RedriveRow, settings: Settings) -> bool:
    """Show the plan and ask; a plan that is refused is cancelled, so that it does not lie about."""
    for line in said(planned):
        click.echo(line)
    with read(engine) as session:
        if asks := redrive.which_form(session, planned):
            click.echo(asks.replace("Nothing was sent. ", ""), err=True)
    try:
        sure = click.confirm(f"Send {plural(planned.waiting, 'event')}?", err=True)
    except click.Abort:
        sure = False
    if not sure:
        redrive.cancel(engine, planned.id, by=actor(settings), now=utc_now())
        click.echo("Nothing was sent.", err=True)
    return sure


def _follow(engine: Engine, row: RedriveRow, settings: Settings) -> RedriveRow:
    """Return the redrive once it has ended. Stopping to follow (Ctrl-C) stops nothing else."""
    try:
        _warn_without_worker(engine, settings)
        while not (row.ended or row.held or row.status is RedriveStatus.PLANNED):  # a plan again: nobody approved it
            time.sleep(_LOOK_EVERY_S)
            row = _read(engine, row.id)
    except KeyboardInterrupt:
        raise RedriveError(
            f"Redrive {row.id} goes on. `redrive show {row.id}` shows it, `redrive cancel {row.id}` ends it."
        ) from None
    return row


def _warn_without_worker(engine: Engine, settings: Settings) -> None:
    with read(engine) as session:
        workers = list_workers(session)
    if not any((utc_now() - worker.seen_at).total_seconds() < settings.lease_s for worker in workers):
        click.echo("No worker is running, so nothing is sent until one starts: redrive work", err=True)


def _tell_plan(row: RedriveRow, *, as_json: bool) -> int:
    """Print a plan that was made for nothing but this."""
    if as_json:
        print_json(plan_summary(row))
        return 0
    for line in said(row):
        click.echo(line)
    click.echo("Nothing was sent, and the plan is discarded.")
    return 0


def _tell(row: RedriveRow, settings: Settings, *, as_json: bool) -> int:
    if as_json:
        print_json(summary(row, settings.secrets))
    else:
        for line in said(row):
            click.echo(line)
    return exit_code(row)


def exit_code(row: RedriveRow) -> int:
    """Return 1 when a redrive has ended, or is held, and not all that its plan was to send succeeded, why ever."""
    to_send = sum(line["count"] for line in row.targets)
    return 1 if (row.ended or row.held) and row.succeeded < to_send else 0
