"""`redrive show`, `cancel`, `pause`, `resume` and `rate`: a redrive under way, or one that is over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click

from console.commands.browse import take
from console.commands.database import actor, database, utc_now
from console.commands.output import ID, print_json, print_table, when
from console.format import plural
from console.public import public, summary
from deadletter.event import Json
from deadletter.manner import Pace
from deadletter.outcome import RedriveStatus
from deadletter.preflight import Protection
from deadletter.redrive import cancel as cancel_redrive
from deadletter.redrive import change_pace
from deadletter.redrive import pause as pause_redrive
from deadletter.redrive import resume as resume_redrive
from deadletter.secret_rules import SecretRules
from deadletter.store import read
from deadletter.store.redrives import get_redrive, list_items
from deadletter.store.rows import ItemRow, RedriveRow

_ITEMS_SHOWN = 50
_EVERY = 10**9


@click.command()
@click.argument("redrive_id", metavar="ID", type=ID)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, with every event.")
def show(*, redrive_id: int, as_json: bool) -> None:
    """Show a redrive and what became of its events.

    Of the events the first 50, or with --json all.
    """
    with database() as (settings, engine), read(engine) as session:
        row = get_redrive(session, redrive_id)
        limit = _EVERY if as_json else _ITEMS_SHOWN
        items = take(lambda cursor, n: list_items(session, redrive_id, cursor=cursor, limit=n), limit)
    found = [public(item, settings.secrets) for item in items]
    if as_json:
        print_json(summary(row, settings.secrets) | {"items": found})
        return
    for line in said(row):
        click.echo(line)
    print_table(("EVENT", "OUTCOME", "SENT", "SETTLED", "WHY"), map(_line, items, found), empty="It has no events.")
    if row.planned > len(items):
        click.echo(f"... and {plural(row.planned - len(items), 'event')} more; --json lists them all.")


@click.command()
@click.argument("redrive_id", metavar="ID", type=ID)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def cancel(*, redrive_id: int, as_json: bool) -> None:
    """Cancel a redrive: what was sent stays sent."""
    with database() as (settings, engine):
        with read(engine) as session:
            before = get_redrive(session, redrive_id)
        after = cancel_redrive(engine, redrive_id, by=actor(settings), now=utc_now())
    if as_json:
        print_json(summary(after, settings.secrets))
        return
    unsent = after.skipped - before.skipped
    in_hand = after.sending + after.unknown
    click.echo(
        f"{after.ever_sent:,} sent stay sent; {unsent:,} will not be sent."
        + (f" {in_hand:,} may have been sent: their outcome is not known." if in_hand else "")
    )


@click.command()
@click.argument("redrive_id", metavar="ID", type=ID)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def pause(*, redrive_id: int, as_json: bool) -> None:
    """Send no more of a redrive until it is resumed."""
    with database() as (settings, engine):
        row = pause_redrive(engine, redrive_id, by=actor(settings), now=utc_now())
    _tell(row, settings.secrets, as_json=as_json)


@click.command()
@click.argument("redrive_id", metavar="ID", type=ID)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def resume(*, redrive_id: int, as_json: bool) -> None:
    """Let a paused redrive go on, or one that stopped by itself begin with a new canary."""
    with database() as (settings, engine):
        row = resume_redrive(engine, redrive_id, by=actor(settings), now=utc_now())
    _tell(row, settings.secrets, as_json=as_json)


@click.command()
@click.argument("redrive_id", metavar="ID", type=ID)
@click.argument("events_per_second", metavar="R", type=float)
@click.option("--concurrency", type=int, metavar="N", help="At most so many in flight at once; as before without it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def rate(*, redrive_id: int, events_per_second: float, concurrency: int | None, as_json: bool) -> None:
    """Send a redrive's events faster or slower, R a second, from now on."""
    with database() as (settings, engine):
        with read(engine) as session:
            before = get_redrive(session, redrive_id)
        pace = Pace(events_per_second, concurrency or before.concurrency)
        row = change_pace(engine, redrive_id, pace, by=actor(settings), now=utc_now())
    _tell(row, settings.secrets, as_json=as_json)


def _tell(row: RedriveRow, secrets: SecretRules, *, as_json: bool) -> None:
    if as_json:
        print_json(summary(row, secrets))
        return
    for line in said(row):
        click.echo(line)


def said(row: RedriveRow) -> Iterator[str]:
    """Yield a redrive's plan and how far it is, in sentences."""
    stage = f" ({row.stage})" if row.canary and row.status is RedriveStatus.RUNNING else ""
    yield f"Redrive {row.id}, {row.status}{stage}: {row.title}"
    if row.held_reason:
        yield f"  It stopped by itself. {row.held_reason} Then: redrive resume {row.id}, or redrive cancel {row.id}"
    for line in row.targets:
        yield f"  {line['count']:,} to {line['arn']} ({line['why']})"
        yield from _said_reach(line.get("reach"))
    yield from _said_ahead(row)
    if row.skipped:
        yield f"  {row.skipped:,} skipped"
    pace = f"at {row.rate:g} events per second, about {max(1, round(row.duration_s)):,} s"
    yield f"  {plural(row.planned, 'event')} {pace}; digest {row.digest[:12]}"
    yield (
        f"  {row.ever_sent:,} sent, {row.succeeded:,} succeeded, {row.failed_again:,} failed again, "
        f"{row.unknown:,} unknown, {row.waiting:,} waiting"
    )


def _said_reach(reach: Mapping[str, Any] | None) -> Iterator[str]:
    """Yield whom a bus or a topic hands events on to."""
    if reach is None:
        return
    if reach["error"]:
        yield f"    whom it reaches could not be read, so it may be anybody: {reach['error']}"
    for each in reach["reached"]:
        counts = [f"{each['matched']:,} of {reach['looked']:,} match"] if each["matched"] else []
        counts += [f"{each['unsure']:,} may match"] if each["unsure"] else []
        name = f"rule {each['name']} ({', '.join(counts)})" if each["name"] else "subscriber"
        yield f"    {name}: {', '.join(each['targets']) or 'no target'}"
    if reach["others"]:
        yield f"    none of them match {plural(reach['others'], 'other rule')}"


def _said_ahead(row: RedriveRow) -> Iterator[str]:
    """Yield what the idempotency pre-flight found, and what an edit changes."""
    for state, n in (row.preflight or {"states": {}})["states"].items():
        yield f"  {n:,} {Protection(state).words}"
    if row.edit:
        yield (
            f"  edited ({row.edit['how']}): {row.edit['changed']:,} changed, {row.edit['unchanged']:,} unchanged, "
            f"{row.edit['unfit']:,} do not fit"
        )


def _line(item: ItemRow, seen: dict[str, Json]) -> tuple[object, ...]:
    error = ": ".join(part for part in (seen["error_type"], seen["error_message"]) if part)
    why = error or seen["reason"] or seen["evidence"]
    return (seen["event_label"] or item.event_id, item.outcome.words, when(item.sent_at), when(item.settled_at), why)
