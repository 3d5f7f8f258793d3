"""`redrive parse` and `redrive fingerprint`: what a record says and which cause it is. No database, no network."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import BinaryIO

import click

from deadletter.errors import BadInput, ParseError
from deadletter.event import Cause, Json
from deadletter.fingerprint import cause_from
from deadletter.fingerprint import fingerprint as fingerprint_of
from deadletter.jsontext import decode
from deadletter.parse import describe, parse_message, read_entry

_LINE = '{"error_type", "error_message", "stack_trace", "function_arn"}'


@click.command()
@click.argument("file", type=click.File("rb"), default="-")
@click.option("--json", "as_json", is_flag=True, help="JSON, which it always is; here for symmetry.")
def parse(*, file: BinaryIO, as_json: bool) -> None:  # noqa: ARG001 - accepted so that scripts may always say it
    """Print what a record says, changing nothing.

    FILE holds one entry of ReceiveMessage's answer, or a bare record; without FILE it is read from stdin.
    """
    try:
        message = read_entry(file.read().decode("utf-8", "replace"))
    except ParseError as error:
        raise BadInput(str(error)) from error
    # ASCII: a lone surrogate in a record has no UTF-8, and its escape is exact.
    click.echo(json.dumps(describe(parse_message(message)), indent=2))


@click.command()
@click.argument("file", type=click.File("rb"), default="-")
def fingerprint(*, file: BinaryIO) -> None:
    """Print the fingerprint of each cause, line for line.

    FILE (or stdin) is NDJSON of {"error_type", "error_message", "stack_trace", "function_arn"}; the answer is NDJSON of
    {"fingerprint", "masked", "title"}.
    """
    for cause in _causes(file):
        found = fingerprint_of(cause)
        sys.stdout.write(json.dumps({"fingerprint": found.value, "masked": found.masked, "title": found.title}) + "\n")


def _causes(file: BinaryIO) -> Iterator[Cause]:
    for number, line in enumerate(file, start=1):
        is_json, value = decode(line.decode("utf-8", "replace"))
        if not is_json or not isinstance(value, dict):
            raise BadInput(f"Line {number} is not a JSON object such as {_LINE}.")
        yield _cause(number, value)


def _cause(number: int, value: dict[str, Json]) -> Cause:
    try:
        return cause_from(value)
    except BadInput as error:
        raise BadInput(f"Line {number}: {error}") from None
