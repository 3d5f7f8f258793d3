"""`redrive targets`: how the consumers behind targets keep their events idempotent, and a try on one event."""

from __future__ import annotations

from dataclasses import asdict, replace

import click

from console.commands.database import actor, database, utc_now
from console.commands.output import ID, print_json, print_table
from console.commands.sources import as_json_option
from console.format import visible
from console.public import public_target
from deadletter import aws, redrive
from deadletter.event import Json, name_of
from deadletter.preflight import Names, Rules
from deadletter.preflight.discovery import Found, discover_rules
from deadletter.preflight.warnings import warnings_of
from deadletter.redrive.trying import Tried, try_event
from deadletter.store import read, write
from deadletter.store.targets import get_rules, list_rules, remove_rules, set_rules


@click.group(invoke_without_command=True)
@as_json_option
@click.pass_context
def targets(context: click.Context, *, as_json: bool) -> None:
    """List targets' idempotency settings, set them, or try them on an event."""
    if context.invoked_subcommand is None:
        _list(as_json=as_json)


@targets.command("set")
@click.argument("arn")
@click.option("--table", required=True, help="The DynamoDB table of its consumer's idempotency records: name or ARN.")
@click.option("--prefix", required=True, help="FUNCTION.MODULE.QUALNAME, or the key_prefix.")
@click.option("--key-path", default="", metavar="JMESPATH", help="event_key_jmespath; left out: the whole event.")
@click.option(
    "--each", "data_path", default="", metavar="JMESPATH",
    help="For a function that is called once a record: what it is handed, 'Records[*].powertools_json(body)'.",
)  # fmt: skip
@click.option("--validation-path", default="", metavar="JMESPATH", help="payload_validation_jmespath.")
@click.option(
    "--expires", "expires_s", type=int, default=3_600, show_default=True, help="How long a record lives, in s."
)
@click.option("--hash", "hash_function", default="md5", show_default=True, help="hash_function.")
@click.option(
    "--name", "names", multiple=True, metavar="WHAT=NAME", help=f"An attribute's name: {', '.join(asdict(Names()))}."
)
def set_(*, arn: str, names: tuple[str, ...], **given: str | int) -> None:
    """Set the settings of the target ARN, a function or a queue, in the place of those it has."""
    rules = Rules(**given, names=_names(names))  # type: ignore[arg-type] # each is what its option says
    with database() as (settings, engine), write(engine) as session:
        set_rules(session, arn, rules, by=actor(settings), now=utc_now())
        row = get_rules(session, arn)
    click.echo(f"{row.arn}: keys {_keys(row.rules)} in {row.rules.table}")
    for warning in warnings_of(row.rules):
        click.echo(warning, err=True)


@targets.command()
@click.argument("arn")
def remove(*, arn: str) -> None:
    """Forget the settings of the target ARN: its redrives have no pre-flight then."""
    with database() as (settings, engine), write(engine) as session:
        remove_rules(session, arn, by=actor(settings), now=utc_now())
    click.echo("Removed. Its redrives have no idempotency pre-flight from now on.")


@targets.command()
@click.argument("function_arn")
@as_json_option
def discover(*, function_arn: str, as_json: bool) -> None:
    """Read table and prefix off the function ARN (GetFunctionConfiguration). Changes nothing."""
    redrive.parse_target(function_arn)
    found: Found = discover_rules(aws.read_consumer(function_arn))
    if as_json:
        print_json({"rules": asdict(found.rules), "notes": found.notes})
        return
    click.echo(
        f"redrive targets set {function_arn} --table {found.rules.table or 'TABLE'} --prefix {found.rules.prefix}"
    )
    for sentence in found.notes:
        click.echo(sentence, err=True)


@targets.command("try")
@click.argument("arn")
@click.argument("event_id", type=ID)
@as_json_option
def try_(*, arn: str, event_id: int, as_json: bool) -> None:
    """Show one event's key under the target ARN's settings, and what is found there. Sends nothing."""
    with database() as (_, engine), read(engine) as session:
        row = get_rules(session, arn)
        target = redrive.parse_target(row.arn)
        tried = try_event(session, event_id, target, row.rules, aws.open_records, now=utc_now())
    if as_json:
        print_json(_tried(tried) | {"warnings": list(warnings_of(row.rules))})
        return
    click.echo(f"Event {event_id}: {tried.state.words}" + (f" ({visible(tried.reason)})" if tried.reason else ""))
    for key, record in tried.keys:
        click.echo(f"  {visible(key)}  {visible(record.status) if record else 'no record'}")


def _list(*, as_json: bool) -> None:
    with database() as (_, engine), read(engine) as session:
        rows = list_rules(session)
    if as_json:
        print_json([public_target(row) for row in rows])
        return
    heads = ("TARGET", "TABLE", "KEYS", "LIVES, S", "TO KNOW")
    lines = [
        (name_of(row.arn), row.rules.table, _keys(row.rules), row.rules.expires_s, len(warnings_of(row.rules)))
        for row in rows
    ]
    print_table(heads, lines, empty="No target has idempotency settings. Set some: redrive targets set ARN")


def _keys(rules: Rules) -> str:
    return f"{rules.prefix}#{rules.hash_function}({rules.key_path or 'everything'})"


def _tried(tried: Tried) -> dict[str, Json]:
    keys = [{"key": key, "record": asdict(record) if record else None} for key, record in tried.keys]
    return {"event": tried.event_id, "state": tried.state, "reason": tried.reason, "keys": keys}


def _names(given: tuple[str, ...]) -> Names:
    names = dict(part.partition("=")[::2] for part in given)
    if unknown := sorted(names.keys() - asdict(Names()).keys()):
        raise click.UsageError(f"{unknown[0]!r} is no attribute of the table: {', '.join(asdict(Names()))}.")
    return replace(Names(), **names)
