"""`redrive unknown`: events of which nobody knows what became, and looking for evidence."""

from __future__ import annotations

from collections.abc import Sequence

import click

from console.commands.browse import take
from console.commands.database import actor, database, utc_now
from console.commands.output import ID, print_json, print_table, when
from console.commands.sources import as_json_option
from console.public import public
from deadletter import aws
from deadletter.redrive.doubts import check as look_for_evidence
from deadletter.store import read
from deadletter.store.redrives.doubts import list_doubts


@click.group(invoke_without_command=True)
@as_json_option
@click.pass_context
def unknown(context: click.Context, *, as_json: bool) -> None:
    """List the events whose last outcome is unknown: sent, and the answer was lost, so they may have run.

    `redrive unknown check` looks for evidence; `redrive send --event ID` sends one again, by hand.
    """
    if context.invoked_subcommand is not None:
        return
    with database() as (settings, engine), read(engine) as session:
        rows = take(lambda cursor, n: list_doubts(session, cursor=cursor, limit=n), 10**9)
    found = [public(row, settings.secrets) for row in rows]
    if as_json:
        print_json(found)
        return
    lines = [
        (row.event_id, seen["event_label"], row.redrive_id, when(row.sent_at), row.target_arn, seen["reason"])
        for row, seen in zip(rows, found, strict=True)
    ]
    print_table(("EVENT", "LABEL", "REDRIVE", "SENT", "TARGET", "WHY"), lines, empty="Every outcome is known.")


@unknown.command()
@click.argument("event_ids", metavar="EVENT...", type=ID, nargs=-1, required=True)
@as_json_option
def check(*, event_ids: Sequence[int], as_json: bool) -> None:
    """Look for evidence of what became of EVENT, and write down what is proven."""
    with database() as (settings, engine):
        found = look_for_evidence(engine, event_ids, open_records=aws.open_records, by=actor(settings), now=utc_now())
    if as_json:
        print_json(found)
        return
    lines = [(each.event_id, each.outcome.words, each.said) for each in found]
    print_table(("EVENT", "OUTCOME", "FOUND"), lines, empty="")
