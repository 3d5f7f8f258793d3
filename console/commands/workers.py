"""`redrive workers`: who collects and sends, since when, and what each of them does right now."""

from __future__ import annotations

import click

from console import workers as shown
from console.commands.database import database, utc_now
from console.commands.output import print_json, print_table, when
from console.plain import plain
from deadletter.event import name_of
from deadletter.store import queries, read


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
def workers(*, as_json: bool) -> None:
    """List the workers that were heard of in the last hour, those that were lost at the end."""
    with database() as (settings, engine), read(engine) as session:
        lines = shown.lines(queries.list_workers(session), lease_s=settings.lease_s, now=utc_now())
        warning = shown.warning(lines, sqlite=engine.dialect.name == "sqlite")
    if as_json:
        print_json([plain(line) for line in lines])
        return
    heads = ("WORKER", "STATE", "SINCE", "LAST BEAT", "COLLECTING", "SENDING")
    print_table(heads, [_line(line) for line in lines], empty="No worker was heard of in the last hour.")
    if warning:
        click.echo(warning)


def _line(line: shown.WorkerLine) -> tuple[object, ...]:
    state = "lost" if line.lost else f"helps {line.helps}" if line.helps else "works"
    collecting = ", ".join(f"{name_of(arn)} {rate:g}/s" for arn, rate in line.collecting.items())
    sending = ", ".join(f"{name_of(arn)} {rate:g}/s" for arn, rate in line.sending.items())
    return (line.id, state, when(line.started_at), when(line.seen_at), collecting or None, sending or None)
