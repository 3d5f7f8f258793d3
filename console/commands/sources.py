"""`redrive sources`: where failures land, and how reading them goes."""

from __future__ import annotations

import click

from console.commands.database import actor, database, utc_now
from console.commands.output import print_json, print_table, when
from console.plain import plain
from deadletter.event import Json
from deadletter.redrive import parse_target
from deadletter.store import read, write
from deadletter.store.rows import SourceRow
from deadletter.store.sources import add_source, list_sources

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


@click.group(invoke_without_command=True)
@as_json_option
@click.pass_context
def sources(context: click.Context, *, as_json: bool) -> None:
    """List the sources, or add one."""
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
@as_json_option
def add(*, arn: str, target_arn: str | None, as_json: bool) -> None:
    """Register the queue ARN as a source; again with another --target, to change that."""
    target = parse_target(target_arn) if target_arn else None
    with database() as (settings, engine), write(engine) as session:
        row = add_source(session, arn, target=target, by=actor(settings), now=utc_now())
    if as_json:
        print_json(_public(row))
    else:
        click.echo(f"Source {row.id}: {row.arn}" + (f", sent to {row.target_arn}" if row.target_arn else ""))


def _list(*, as_json: bool) -> None:
    with database() as (_, engine), read(engine) as session:
        rows = list_sources(session, now=utc_now())
    if as_json:
        print_json([_public(row) for row in rows])
        return
    heads = ("ID", "NAME", "DEPTH", "COLLECTED", "LAST COLLECTED", "EXPIRES", "TARGET", "ERROR")
    print_table(heads, [_line(row) for row in rows], empty="No source is registered. Add one: redrive sources add ARN")


def _line(row: SourceRow) -> tuple[object, ...]:
    times = (when(row.last_collected_at), when(row.expires_at))
    return (row.id, row.name, row.depth, row.collected_total, *times, row.target_arn, row.error)


def _public(row: SourceRow) -> Json:
    return plain(row) | {"expires_at": plain(row.expires_at)}
