"""`redrive approve`: the second pair of eyes."""

from __future__ import annotations

import click

from console.commands.database import actor, database, utc_now
from console.commands.output import ID, print_json
from console.commands.redrives import said
from console.public import summary
from deadletter.redrive import approve as approve_redrive
from deadletter.redrive import refuse as refuse_redrive
from deadletter.store import read
from deadletter.store.redrives import get_redrive


@click.command()
@click.argument("redrive_id", metavar="ID", type=ID)
@click.option("--digest", help="Of the plan that you saw; without it, of the plan as it is now.")
@click.option("--refuse", metavar="REASON", help="Refuse it instead; it is a plan again.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def approve(*, redrive_id: int, digest: str | None, refuse: str | None, as_json: bool) -> None:
    """Approve a redrive that somebody else asked for, which starts it."""
    with database() as (settings, engine):
        if refuse is not None:
            row = refuse_redrive(engine, redrive_id, by=actor(settings), reason=refuse, now=utc_now())
        else:
            with read(engine) as session:
                seen = digest or get_redrive(session, redrive_id).digest
            row = approve_redrive(engine, redrive_id, digest=seen, by=actor(settings), now=utc_now())
    if as_json:
        print_json(summary(row, settings.secrets))
        return
    for line in said(row):
        click.echo(line)
