"""`redrive serve`, `redrive work` and `redrive db`: what runs for long, and what it stands on."""

from __future__ import annotations

import ipaddress
import logging
import os
import signal
import sys

import click
import waitress  # type: ignore[import-untyped]  # it ships no types

from console.app import create_app
from console.commands.database import database, said_plainly
from deadletter.errors import BadInput, RedriveError
from deadletter.settings import Settings
from deadletter.store import upgrade as upgrade_store

log = logging.getLogger("redrive")
_THREADS = 8


@click.command()
@click.option("--host", help="Address to listen on (REDRIVE_HOST, else 127.0.0.1).")
@click.option("--port", type=click.IntRange(0, 65535), help="Port (REDRIVE_PORT, else 8080); 0 takes a free one.")
def serve(*, host: str | None, port: int | None) -> None:
    """Serve the console's pages."""
    logging.basicConfig(format="%(asctime)s %(name)s %(levelname)s %(message)s")
    log.setLevel(logging.INFO)
    with database() as (settings, engine):
        host = host or settings.host
        port = settings.port if port is None else port
        check_host(host, settings)
        server = _listen(create_app(settings, engine), host, port)
        log.info("The console is at http://%s:%s", _in_url(host), server.effective_port)
        # waitress ends on SystemExit as on Ctrl-C: it closes its socket and lets running requests end.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        server.run()


def check_host(host: str, settings: Settings) -> None:
    """Raise BadInput for an address that others can reach, unless that is wanted."""
    if not _is_loopback(host) and not settings.allow_remote:
        raise BadInput(
            f"{host} can be reached by others, and the console has no sign-in yet: whoever reaches it can read "
            "payloads and redrive. Put something in front that signs people in, then set REDRIVE_ALLOW_REMOTE=1 and "
            "REDRIVE_ALLOWED_HOSTS."
        )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _listen(app: object, host: str, port: int) -> waitress.server.BaseWSGIServer:
    try:
        return waitress.create_server(app, host=host, port=port, threads=_THREADS, ident=None)
    except OSError as error:
        raise RedriveError(
            f"Cannot listen on {host}:{port}: {error.strerror}. Choose another --port or --host."
        ) from error


@click.command()
@click.option("--once", is_flag=True, help="Collect and redrive what there is now, then end.")
def work(*, once: bool) -> None:
    """Collect failures and carry out redrives.

    It ends on SIGTERM or Ctrl-C, once what it has in hand is safe.
    """
    with database():
        pass  # the schema, before anything else
    # The worker is a door of its own, which the console never imports: this process becomes it.
    program = [sys.executable, "-m", "worker", *(["--once"] if once else [])]
    sys.stdout.flush()
    os.execv(sys.executable, program)  # noqa: S606 - no shell is wanted


@click.group()
def db() -> None:
    """Look after the database."""


@db.command()
def upgrade() -> None:
    """Bring the database to the newest schema; nothing happens where it is there already."""
    with said_plainly():
        upgrade_store(Settings.from_env())
    click.echo("The database has the newest schema.")
