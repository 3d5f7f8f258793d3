"""`redrive audit`: who did what, when, and from where."""

from __future__ import annotations

from itertools import islice

import click

from console import audit as trail
from console.commands.database import database, utc_now
from console.commands.output import print_json, print_table, when
from console.details import said
from deadletter.store import read
from deadletter.store.audit import iter_audit


@click.command()
@click.option("--who", default="", metavar="NAME", help="Only what that person did.")
@click.option("--verb", default="", metavar="VERB", help="Only that: plan, start, cancel, archive, note ...")
@click.option("--kind", default="", metavar="KIND", help=f"Only of that kind: {', '.join(trail.KINDS)}.")
@click.option("--subject", default="", metavar="ID", help="Only of that one; with --kind.")
@click.option("--since", default="", metavar="T", help="From then on: ISO 8601, or an age such as 24h.")
@click.option("--until", default="", metavar="T", help="Before then.")
@click.option("--limit", type=click.IntRange(1, 10**9), default=50, show_default=True, help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
def audit(*, limit: int, as_json: bool, **narrowing: str) -> None:
    """List what was done, the newest first: who, when, what, from where."""
    chosen = trail.read_filter(narrowing, now=utc_now())
    with database() as (settings, engine), read(engine) as session:
        rows = list(islice(iter_audit(session, chosen), limit))
    secrets = settings.secrets
    if as_json:
        print_json([trail.told(row, secrets) for row in rows])
        return
    lines = [
        (
            when(row.at),
            row.who,
            row.verb,
            f"{row.kind} {row.subject}".strip(),
            said(row.details, secrets),
            row.came_from,
        )
        for row in rows
    ]
    print_table(("WHEN", "WHO", "WHAT", "OF", "DETAILS", "FROM"), lines, empty="Nothing in the trail matches.")
