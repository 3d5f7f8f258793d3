"""`redrive report`: an incident's report, or its events, on stdout or in a file."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import click
from sqlalchemy import Engine

from console.commands.database import database, utc_now
from console.commands.output import ID
from console.documents import Document, document
from console.export import Stream
from console.reporting import read_range, read_report, stream_events
from deadletter.errors import RedriveError
from deadletter.filters import EventFilter
from deadletter.settings import Settings
from deadletter.store import read
from deadletter.store.queries import get_group

# As texts: click takes an enum's names for its choices, not its values.
KINDS = [kind.value for kind in (*Document, *Stream)]


@click.command()
@click.option(
    "--from", "since", metavar="TIME", default="", help="Failed since then: ISO 8601, or 24h, 7d (default 24h)."
)
@click.option("--to", "until", metavar="TIME", default="", help="Failed before then (default now).")
@click.option("--group", type=ID, metavar="ID", help="Only that group.")
@click.option("--format", "kind", type=click.Choice(KINDS), default="md", show_default=True)
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write there, all or nothing."
)
def report(*, since: str, until: str, group: int | None, kind: str, output: Path | None) -> None:
    """Write an incident's report, or its events.

    A report is html, md or json; the events are csv or ndjson. Secrets are masked.
    """
    pairs = [("from", since), ("to", until), ("group", "" if group is None else str(group))]
    chosen = read_range(pairs, now=utc_now())
    with database() as (settings, engine):
        parts = _parts(engine, chosen, kind, settings)
        if output is None:
            _print(parts)
        else:
            write_file(output, parts)


def _parts(engine: Engine, chosen: EventFilter, kind: str, settings: Settings) -> Iterator[str]:
    now = utc_now()
    with read(engine) as session:
        if chosen.group is not None:
            get_group(session, chosen.group, now=now)
        if kind in {*Document}:
            yield document(
                read_report(session, chosen, settings=settings, made_by=settings.operator, now=now), Document(kind)
            )
    if kind in {*Stream}:
        yield from stream_events(engine, chosen, Stream(kind), settings=settings)


def _print(parts: Iterable[str]) -> None:
    # Bytes: a CSV's line ends are its own, and the text is UTF-8 whatever the terminal's encoding.
    stdout = sys.stdout.buffer
    for part in parts:
        stdout.write(part.encode())
    stdout.flush()


def write_file(path: Path, parts: Iterable[str]) -> None:
    """Write *parts* to *path*, which holds either all of them or what it held before. Raises RedriveError.

    A pipe or a device (`/dev/stdout`) is written to as it stands: a file in its place would be the end of it.
    """
    try:
        if path.exists() and not path.is_file():
            with path.open("wb") as file:
                file.writelines(part.encode() for part in parts)
        else:
            _replace(path.resolve(), parts)  # of a link, what it leads to
    except OSError as error:
        raise RedriveError(f"Cannot write {path}: {error.strerror}.") from error


def _replace(path: Path, parts: Iterable[str]) -> None:
    made = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with made.open("xb") as file:
            file.writelines(part.encode() for part in parts)
            file.flush()
            os.fsync(file.fileno())
        made.replace(path)
    finally:
        with suppress(OSError):
            made.unlink()
