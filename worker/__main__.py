"""`python -m worker [--once]`: collect and redrive until SIGTERM; with --once, until there is nothing left to do."""

from __future__ import annotations

import argparse
import sys

from deadletter.errors import RedriveError
from deadletter.keys import use_keys
from deadletter.settings import Settings
from worker import helper
from worker.log import log_to_stderr
from worker.loop import run


def main(argv: list[str] | None = None) -> int:
    """Run the worker as the command line says; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m worker", description="Collect failures, and send redrives.")
    parser.add_argument("--once", action="store_true", help="end when sources are empty and redrives have ended")
    parser.add_argument("--helper-of", metavar="WORKER", help=argparse.SUPPRESS)
    given = parser.parse_args(argv)
    log_to_stderr()
    try:
        settings = Settings.from_env()
        use_keys(settings)
        return (
            helper.run(settings, sys.stdin, lead=given.helper_of) if given.helper_of else run(settings, once=given.once)
        )
    except RedriveError as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
