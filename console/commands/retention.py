"""`redrive retention`: what is kept how long, and what would go by now. Workers do the deleting."""

from __future__ import annotations

import re

import click
from sqlalchemy.orm import Session

from console.commands.database import actor, database, utc_now
from console.commands.output import print_json, print_table
from deadletter.errors import BadInput, NotFound
from deadletter.outcome import EventStatus
from deadletter.store import read, write
from deadletter.store import retention as store
from deadletter.store.sources import list_sources

_UNITS = {"": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_STATUS = click.Choice([status.value for status in store.STATUSES])


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def retention(context: click.Context, *, as_json: bool) -> None:
    """List what is kept how long, and what would go by now (a dry run: it deletes nothing)."""
    if context.invoked_subcommand is not None:
        return
    now = utc_now()
    with database() as (_, engine), read(engine) as session:
        rules = store.list_rules(session)
        names = {row.id: row.name for row in list_sources(session, now=now)}
        due = [(one, *store.count_due(session, one)) for one in store.due(session, now=now)]
    would_go = [
        {"status": one.rule.status, "source": names.get(one.source_id, str(one.source_id)), "events": n, "bytes": size}
        for one, n, size in due
        if n
    ]
    if as_json:
        kept = [{"status": r.status, "source": r.source_arn, "days": r.days, "bytes": r.bytes} for r in rules]
        print_json({"rules": kept, "would_go": would_go})
        return
    lines = [(rule.status, rule.source_arn, rule.days, rule.bytes) for rule in rules]
    print_table(("STATUS", "SOURCE", "DAYS", "BYTES"), lines, empty="No rule: everything is kept.")
    if rules:
        gone = [tuple(line.values()) for line in would_go]
        print_table(("WOULD GO", "SOURCE", "EVENTS", "BYTES"), gone, empty="Nothing would go by now.")


@retention.command(name="set")
@click.argument("status", type=_STATUS)
@click.option("--days", type=click.IntRange(1, 36_500), help="Days since it failed last and its last redrive settled.")
@click.option("--bytes", "size", default="", metavar="N", help="Bytes of payloads a source, the newest first: 10GB.")
@click.option("--source", default="", metavar="ARN", help="Of that source only (default: every one without its own).")
def set_(*, status: str, days: int | None, size: str, source: str) -> None:
    """Keep events of STATUS so long, or so many bytes of them. Unresolved events never expire unless told so here."""
    most = _bytes(size) if size else None
    with database() as (settings, engine), write(engine) as session:
        arn = _arn(session, source) if source else store.EVERY_SOURCE
        rule = store.Rule(status=EventStatus(status), source_arn=arn, days=days, bytes=most)
        store.set_rule(session, rule, by=actor(settings), now=utc_now())
    click.echo("Workers delete by it within ten minutes. See what would go by `redrive retention`.")


@retention.command()
@click.argument("status", type=_STATUS)
@click.option("--source", default=store.EVERY_SOURCE, metavar="ARN", help="The rule of that source.")
def remove(*, status: str, source: str) -> None:
    """Keep everything again that a rule would have let go."""
    with database() as (settings, engine), write(engine) as session:
        if not store.remove_rule(session, EventStatus(status), source, by=actor(settings), now=utc_now()):
            raise NotFound(f"There is no rule for {status} events of {source}. See `redrive retention`.")
    click.echo("The rule is gone.")


def _bytes(given: str) -> int:
    found = re.fullmatch(r"(\d+)\s*([kmgt]?b?)", given.strip().lower())
    unit = found and (found[2] if found[2] in _UNITS else f"{found[2]}b".replace("bb", "b"))
    if not found or unit not in _UNITS:
        raise BadInput(f"{given!r} is no number of bytes, such as 500MB or 10GB.")
    return int(found[1]) * _UNITS[unit]


def _arn(session: Session, given: str) -> str:
    arns = {row.arn for row in list_sources(session, now=utc_now())}
    if given not in arns:
        raise NotFound(f"There is no source {given}. See `redrive sources list`.")
    return given
