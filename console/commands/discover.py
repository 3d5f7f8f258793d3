"""`redrive discover`: where an account's failures land, and what has nowhere to fail to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict

import click

from console.commands.database import actor, database, utc_now
from console.commands.output import print_json, print_table
from console.commands.sources import as_json_option
from console.format import plural, visible
from deadletter.aws.discovery import Scan
from deadletter.discovery import AccountMap
from deadletter.discovery.account import short_name
from deadletter.discovery.places import Place
from deadletter.event import name_of
from deadletter.scouting import as_one, draw_with, keep_found, register_clear, scan_all


@click.command()
@click.option("--register", is_flag=True, help="Add every place that is clear as a source: its messages are collected.")
@click.option("--region", default="", metavar="NAME", help="Read that Region, and not the one that boto3 finds.")
@as_json_option
def discover(*, register: bool, region: str, as_json: bool) -> None:
    """Find where failures land, who writes there, and what has nowhere to fail to.

    Reads the account's listings, at most 5 calls a second. Changes nothing in AWS, and nothing here without --register
    but this: the functions, queues, topics and buses that it finds may be redriven to from then on.
    """
    if not as_json:
        click.echo("Reading the account's listings, at most 5 calls a second ...", err=True)
    with database() as (settings, engine):
        read = scan_all(settings, region)
        keep_found(engine, read, by=actor(settings), now=utc_now())
        scan = as_one(read)
        found = draw_with(engine, scan.account, now=utc_now())
        added = register_clear(engine, found.places, by=actor(settings), now=utc_now()) if register else ()
        found = draw_with(engine, scan.account, now=utc_now()) if added else found
    if as_json:
        said = {"refused": scan.refused, "calls": scan.calls, "seconds": round(scan.seconds, 3)}
        gaps = [{**asdict(gap), "advice": gap.advice} for gap in found.gaps]
        print_json({"places": found.places, "gaps": gaps, **said})
        return
    _print(found, scan)
    _print_added(found.places, added)


def _print(found: AccountMap, scan: Scan) -> None:
    heads = ("PLACE", "KIND", "WRITTEN BY", "REDRIVE TO", "SOURCE")
    print_table(heads, [_line(place) for place in found.places], empty="No place was found where failures land.")
    _print_sentences("Not clear:", [f"{place.name}: {place.why}" for place in found.places if _needs_a_word(place)])
    _print_sentences(plural(len(found.gaps), "gap") + ":", [f"{gap.sentence} {gap.advice}" for gap in found.gaps])
    _print_sentences("Could not be read:", scan.refused)
    click.echo(f"\n{plural(scan.calls, 'call')} in {scan.seconds:,.1f} s.")


def _line(place: Place) -> tuple[object, ...]:
    writers = ", ".join(sorted({short_name(name_of(writer.arn)) for writer in place.writers}))
    goes_to = name_of(place.target.arn) if place.target else "ambiguous" if place.ambiguous else "each record says"
    return (place.name, place.kind, writers, goes_to if place.writers else "", "yes" if place.registered else "no")


def _needs_a_word(place: Place) -> bool:
    return not (place.registrable or (place.registered and place.target))


def _print_sentences(head: str, sentences: Sequence[str]) -> None:
    for line in (f"\n{head}", *(f"  {visible(sentence)}" for sentence in sentences)) if sentences else ():
        click.echo(line)


def _print_added(places: Iterable[Place], added: Sequence[Place]) -> None:
    for place in added:
        click.echo(f"Added as a source: {place.arn}" + (f", sent to {place.target.arn}" if place.target else ""))
    if clear := sum(place.registrable for place in places):
        click.echo(f"{plural(clear, 'place')} can be added as sources: redrive discover --register")
