"""The `redrive` command: for people and for scripts. Its commands live in `console.commands`, imported when called.

With ``--json`` stdout holds one JSON document and nothing else. Errors are one sentence on stderr. The exit code is 0,
or 1 for a failure, or 2 for bad usage.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

import click

from deadletter.errors import BadInput, RedriveError

# Where each command lives; its function there has its own name. `parse --help` must not wait for a database's imports.
_MODULES = {
    "serve": "service",
    "work": "service",
    "up": "supervisor",
    "ready": "supervisor",
    "db": "service",
    "retention": "retention",
    "sources": "sources",
    "discover": "discover",
    "targets": "targets",
    "parse": "text",
    "fingerprint": "text",
    "groups": "browse",
    "events": "browse",
    "assign": "triage",
    "note": "triage",
    "snooze": "triage",
    "resolve": "triage",
    "archive": "triage",
    "send": "send",
    "unknown": "unknown",
    "show": "redrives",
    "pause": "redrives",
    "resume": "redrives",
    "rate": "redrives",
    "cancel": "redrives",
    "approve": "approve",
    "report": "report",
    "workers": "workers",
    "audit": "audit",
    "link": "people",
    "users": "people",
    "tokens": "people",
}


class _Commands(click.Group):
    """The commands by name, each imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names, in the order of the story that they tell."""
        return list(_MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import the command of that name."""
        module = _MODULES.get(cmd_name)
        if module is None:
            return None
        command: click.Command = getattr(import_module(f"console.commands.{module}"), cmd_name)
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def cli() -> None:
    """Collect, group and redrive the events that AWS Lambda functions and queue consumers gave up on."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; *argv* is without the program's name (default: the process's own)."""
    try:
        code = cli.main(args=None if argv is None else list(argv), prog_name="redrive", standalone_mode=False)
        click.echo(nl=False)  # flushes, where there is a stdout at all
    except click.ClickException as error:
        return _say(_usage(error), error.exit_code)
    except RedriveError as error:
        return _say(str(error), 2 if isinstance(error, BadInput) else 1)
    except (click.Abort, KeyboardInterrupt):
        return _say("Stopped.", 1)
    except BrokenPipeError:
        return _without_stdout(1)
    except OSError as error:
        return _without_stdout(_say(f"Cannot write the answer: {error.strerror or error}.", 1))
    return int(code or 0)


def _usage(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    message = error.format_message()
    if context is None or context.command_path in message:
        return message
    return f"{message} See `{context.command_path} --help`."


def _say(sentence: str, code: int) -> int:
    click.echo(sentence, err=True)
    return code


def _without_stdout(code: int) -> int:
    """End where nothing can be printed any more (`head` has seen enough); Python would complain at its exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


if __name__ == "__main__":
    sys.exit(main())
