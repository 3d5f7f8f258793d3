"""`redrive sources`: where failures land, and how reading them goes."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

import click
from sqlalchemy.orm import Session

from console.commands.database import actor, database, utc_now
from console.commands.output import print_json, print_table, when
from console.manner import manner_of
from console.public import public_source
from deadletter import aws
from deadletter.actor import Actor
from deadletter.errors import NotFound
from deadletter.redrive import parse_target
from deadletter.registering import register
from deadletter.store import read, write
from deadletter.store import sources as store
from deadletter.store.rows import SourceRow
from deadletter.store.sources import COLLECT, OBSERVE, list_sources


class Change(Protocol):
    """Pausing, resuming or removing a source."""

    def __call__(self, session: Session, source_id: int, /, *, by: Actor, now: datetime) -> None:
        """Do it."""


as_json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


@click.group(invoke_without_command=True)
@as_json_option
@click.pass_context
def sources(context: click.Context, *, as_json: bool) -> None:
    """List the sources; add, pause, resume or remove one."""
    if context.invoked_subcommand is None:
        _list(as_json=as_json)


@sources.command("list")
@as_json_option
def list_(*, as_json: bool) -> None:
    """List the sources."""
    _list(as_json=as_json)


@sources.command()
@click.argument("arn")
@click.option("--target", "target_arn", metavar="ARN", help="Where its events are sent when their records do not say.")
@click.option(
    "--observe/--collect",
    "observed",
    default=None,
    help="Copy what lies there and leave it, or store it and then delete it there. Queues are collected and objects "
    "are left unless told otherwise.",
)
@click.option(
    "--push", "pushed", is_flag=True, help="The queue is the event source of our own function: do not poll it."
)
@click.option("--yes", "confirmed", is_flag=True, help="Observe it although each receive counts towards moving it on.")
@as_json_option
def add(  # noqa: PLR0913 - an option each
    *, arn: str, target_arn: str | None, observed: bool | None, pushed: bool, confirmed: bool, as_json: bool
) -> None:
    """Register ARN as a source; again with other options, to change them.

    ARN is a queue's, arn:aws:s3:::BUCKET/PREFIX, or that of the topic, bus or function whose failures are pushed to us.
    """
    target = parse_target(target_arn) if target_arn else None
    with database() as (settings, engine):
        row = register(
            engine,
            arn,
            target=target,
            by=actor(settings),
            now=utc_now(),
            open_observed=aws.open_source,
            mode=None if observed is None else OBSERVE if observed else COLLECT,
            kind="push" if pushed else None,
            confirmed=confirmed,
        )
    if as_json:
        print_json(public_source(row))
    else:
        sent = f", sent to {row.target_arn}" if row.target_arn else ""
        click.echo(f"Source {row.id}: {row.arn}, {manner_of(row)}{sent}")


@sources.command()
@click.argument("arn")
def pause(*, arn: str) -> None:
    """Leave a source alone until it is resumed: what lies there waits, and may expire."""
    _change(arn, store.pause, "paused: what lies there waits, and expires when AWS says so. `resume` goes on.")


@sources.command()
@click.argument("arn")
def resume(*, arn: str) -> None:
    """Go on with a paused source."""
    _change(arn, store.resume, "read again.")


@sources.command()
@click.argument("arn")
def remove(*, arn: str) -> None:
    """Read a source no more and list it no more. Its events stay; `add` brings it back."""
    _change(
        arn, store.remove, "removed: nothing more is read from it. Its events stay, and nothing was deleted in AWS."
    )


def _change(arn: str, change: Change, said: str) -> None:
    with database() as (settings, engine), write(engine) as session:
        row = store.find_source(session, arn)
        if row is None or row.removed_at:
            raise NotFound(f"There is no source {arn[:200]!r}. `redrive sources` lists what there is.")
        change(session, row.id, by=actor(settings), now=utc_now())
    click.echo(f"Source {row.id}, {row.name}, is {said}")


def _list(*, as_json: bool) -> None:
    with database() as (_, engine), read(engine) as session:
        rows = list_sources(session, now=utc_now())
    if as_json:
        print_json([public_source(row) for row in rows])
        return
    heads = ("ID", "NAME", "KIND", "MODE", "DEPTH", "COLLECTED", "LAST COLLECTED", "EXPIRES", "TARGET", "ERROR")
    print_table(heads, [_line(row) for row in rows], empty="No source is registered. Add one: redrive sources add ARN")


def _line(row: SourceRow) -> tuple[object, ...]:
    times = (when(row.last_collected_at), when(row.expires_at))
    mode = "paused" if row.paused_at else row.mode
    return (row.id, row.name, row.kind, mode, row.depth, row.collected_total, *times, row.target_arn, row.error)
