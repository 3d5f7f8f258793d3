"""`redrive serve`, `redrive work` and `redrive db`: what runs for long, and what it stands on."""

from __future__ import annotations

import ipaddress
import logging
import os
import signal
import sys

import click
import waitress  # type: ignore[import-untyped]  # it ships no types
from sqlalchemy import Engine

from console.app import create_app
from console.commands.database import actor, database, said_plainly, utc_now
from console.commands.output import print_json
from console.commands.people import new_link
from console.plain import plain
from deadletter.access import Grant, Role
from deadletter.checking import check as recheck
from deadletter.checking import repair_all
from deadletter.errors import BadInput, RedriveError
from deadletter.settings import Settings, SignIn
from deadletter.store import audit, read, write
from deadletter.store import upgrade as upgrade_store
from deadletter.store.check import MOST
from deadletter.store.people import users
from deadletter.store.reseal import reseal as reseal_store

log = logging.getLogger("redrive")
_THREADS = 8
_MOST_TOLD = 50


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
        add_first_admin(settings, engine)
        check_host(host, settings, engine)
        server = _listen(create_app(settings, engine), host, port)
        address = f"http://{_in_url(host)}:{server.effective_port}"
        log.info("The console is at %s", address)
        if settings.sign_in is SignIn.LINK:
            log.info("Sign in, once, by %s", new_link(settings, engine, address=address))
        # waitress ends on SystemExit as on Ctrl-C: it closes its socket and lets running requests end.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        server.run()


def add_first_admin(settings: Settings, engine: Engine) -> None:
    """Add the user `admin` where the settings have a password for one and there is none yet; never change one."""
    if not settings.admin_password:
        return
    with write(engine) as session:
        if users.by_name(session, "admin") is None:
            grants, now = [Grant(Role.ADMIN)], utc_now()
            users.add_user(session, "admin", grants=grants, password=settings.admin_password, now=now)
            audit.note(session, actor(settings), "add", "user", "admin", details={"roles": ["admin"]}, now=now)


def check_host(host: str, settings: Settings, engine: Engine) -> None:
    """Raise BadInput for an address that others can reach, unless everybody has to sign in there by an account."""
    if _is_loopback(host):
        return
    if settings.sign_in is not SignIn.ACCOUNTS:
        raise BadInput(
            f"Others can reach {host}, and REDRIVE_SIGN_IN is {settings.sign_in}, which is for this machine only. "
            "Set REDRIVE_SIGN_IN=accounts, add somebody by `redrive users add NAME --role admin --password-stdin` or "
            "name a sign-in provider by REDRIVE_OIDC_ISSUER, and say the console's own names in REDRIVE_ALLOWED_HOSTS."
        )
    with read(engine) as session:
        if not settings.oidc and not users.anybody_can_sign_in(session):
            raise BadInput(
                "Nobody could sign in: there is no sign-in provider, and no user has a password. Name a provider by "
                "REDRIVE_OIDC_ISSUER, or run `redrive users add NAME --role admin --password-stdin`."
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


@db.command()
def reseal() -> None:
    """Store every payload as the settings say it today: sealed under the first key, or not sealed where there is none.

    Run it after a change of REDRIVE_ENCRYPTION_KEYS; everything else goes on meanwhile, and it can be stopped and run
    again. Once it says 0, the old key can go.
    """
    with database() as (settings, engine):
        changed = reseal_store(engine)
        with write(engine) as session:
            audit.note(session, actor(settings), "reseal", "database", "", details={"count": changed}, now=utc_now())
    click.echo(f"{changed:,} payloads were stored anew.")


@db.command()
@click.option("--repair", is_flag=True, help="Set right what differs. Whoever writes waits meanwhile; pages do not.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def check(*, repair: bool, as_json: bool) -> int:
    """Count every counter again; the exit code is 1 where one differs from its rows (with --repair: still does)."""
    with database() as (settings, engine):
        repaired = repair_all(engine, by=actor(settings), now=utc_now()) if repair else None
        found = repaired.left if repaired else recheck(engine)
    if as_json:
        print_json({"repaired": repaired and dict(repaired.counts), "differences": [plain(each) for each in found]})
    else:
        for what, count in sorted(repaired.counts.items() if repaired else ()):
            click.echo(f"Set right {count:,} times: {what}.")
        for each in found[:_MOST_TOLD]:
            click.echo(str(each))
        click.echo(_verdict(len(found), repaired=repair))
    return 1 if found else 0


def _verdict(count: int, *, repaired: bool) -> str:
    if not count:
        return "Every counter equals its rows."
    if repaired:
        return f"{count:,} differ still: these are rows, not counters, and no program may guess what became of them."
    many = f"{count:,}" if count < MOST else f"{MOST:,} or more"
    return f"{many} differ (at most {_MOST_TOLD} are listed). Set them right by `redrive db check --repair`."
