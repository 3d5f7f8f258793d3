"""`redrive link`, `redrive users` and `redrive tokens`: who may use the console.

Whoever can run these has the database already, so nothing more is asked of them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import timedelta
from urllib.parse import urlencode

import click
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from console.commands.database import actor, database, utc_now
from console.commands.output import ID, print_json, print_table, when
from console.plain import plain
from deadletter.access import Grant, Role, parse_grants
from deadletter.settings import Settings
from deadletter.store import audit, read, write
from deadletter.store.people import sign_ins
from deadletter.store.people import tokens as kept
from deadletter.store.people import users as people

_ADMIN = (Grant(Role.ADMIN),)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document.")


@click.command()
@click.option("--user", help="Whom it signs in (REDRIVE_OPERATOR, else your login).")
def link(*, user: str | None) -> None:
    """Print a link that signs one person in, once, within 15 minutes."""
    with database() as (settings, engine):
        click.echo(new_link(settings, engine, user=user))


def new_link(settings: Settings, engine: Engine, *, user: str | None = None, address: str = "") -> str:
    """Return a one-time link. The operator of the settings is an admin; anybody else has to be there already."""
    address = settings.public_url or address or f"http://127.0.0.1:{settings.port}"
    with write(engine) as session:
        if user is None:
            person = people.ensure_user(session, settings.operator, grants=_ADMIN, now=utc_now())
        else:
            person = people.row_of(people.find_user(session, user))
        secret = sign_ins.make_link(session, person.id, now=utc_now())
    return f"{address}/sign-in/link?{urlencode({'key': secret})}"


@click.group(invoke_without_command=True)
@AS_JSON
@click.pass_context
def users(context: click.Context, *, as_json: bool) -> None:
    """List who may use the console; `add`, `grant`, `password`, `disable`, `enable` change it."""
    if context.invoked_subcommand:
        return
    with database() as (_, engine), read(engine) as session:
        found = people.list_users(session)
    if as_json:
        print_json([plain(person) | {"grants": [str(grant) for grant in person.grants]} for person in found])
        return
    rows = [(p.name, " ".join(map(str, p.grants)), when(p.signed_in_at), when(p.disabled_at)) for p in found]
    print_table(
        ("NAME", "ROLES", "SIGNED IN", "DISABLED"), rows, empty="Nobody yet. `redrive users add NAME` adds one."
    )


@users.command()
@click.argument("name")
@click.option("--role", "roles", multiple=True, default=("viewer",), help="role, or role:pattern of source ARNs.")
@click.option("--password-stdin", is_flag=True, help="Read a password from stdin, instead of printing a link.")
def add(*, name: str, roles: tuple[str, ...], password_stdin: bool) -> None:
    """Add a person; print the link that signs them in, unless they get a password."""
    password = _line() if password_stdin else None
    with database() as (settings, engine):
        with write(engine) as session:
            person = people.add_user(session, name, grants=parse_grants(roles), password=password, now=utc_now())
            _note(session, settings, "add", person.name, person.grants)
        click.echo(f"Added {person.name}." if password_stdin else new_link(settings, engine, user=person.name))


@users.command()
@click.argument("name")
@click.argument("roles", nargs=-1)
def grant(*, name: str, roles: tuple[str, ...]) -> None:
    """Say what a person may do from now on; without a role, nothing."""
    with database() as (settings, engine), write(engine) as session:
        person = people.set_grants(session, name, parse_grants(roles))
        _note(session, settings, "grant", person.name, person.grants)
    click.echo(f"{person.name} is {', '.join(map(str, person.grants)) or 'nothing'} from now on.")


@users.command()
@click.argument("name")
def password(*, name: str) -> None:
    """Give a person another password, read from stdin or asked for; whoever is signed in as them is signed out."""
    new = click.prompt("New password", hide_input=True, confirmation_prompt=True) if sys.stdin.isatty() else _line()
    with database() as (settings, engine), write(engine) as session:
        person = people.set_password(session, name, new)
        _note(session, settings, "password", person.name)
    click.echo(f"{person.name} has another password.")


@users.command()
@click.argument("name")
def disable(*, name: str) -> None:
    """Let a person in no more: their browsers are signed out, their tokens revoked."""
    with database() as (settings, engine), write(engine) as session:
        person = people.disable(session, name, now=utc_now())
        _note(session, settings, "disable", person.name)
    click.echo(f"{person.name} is disabled.")


@users.command()
@click.argument("name")
def enable(*, name: str) -> None:
    """Let a disabled person in again."""
    with database() as (settings, engine), write(engine) as session:
        person = people.enable(session, name)
        _note(session, settings, "enable", person.name)
    click.echo(f"{person.name} can sign in again.")


@click.group(invoke_without_command=True)
@AS_JSON
@click.pass_context
def tokens(context: click.Context, *, as_json: bool) -> None:
    """List the API tokens, which let programs in; `add` and `revoke` change them."""
    if context.invoked_subcommand:
        return
    with database() as (_, engine), read(engine) as session:
        rows = kept.list_tokens(session)
    if as_json:
        print_json(plain(rows))
        return
    lines = [(t.id, t.owner, t.name, t.role, when(t.used_at), when(t.expires_at), when(t.revoked_at)) for t in rows]
    print_table(("ID", "OWNER", "NAME", "AT MOST", "USED", "UNTIL", "REVOKED"), lines, empty="There is no token.")


@tokens.command("add")
@click.argument("name")
@click.option("--user", required=True, help="Whose token it is: it may do no more than they may.")
@click.option(
    "--role", type=click.Choice([role.value for role in Role]), default="viewer", help="The most that it may do."
)
@click.option("--days", type=click.IntRange(1, kept.LONGEST.days), default=90, help="How long it lives.")
def add_token(*, name: str, user: str, role: str, days: int) -> None:
    """Make a token, and print it this once."""
    with database() as (settings, engine), write(engine) as session:
        owner = people.find_user(session, user)
        made = kept.add_token(session, owner.id, name, role=Role(role), lasts=timedelta(days=days), now=utc_now())
        details = {"owner": owner.name, "role": role, "days": days}
        audit.note(session, actor(settings), "add", "token", name, details=details, now=utc_now())
    click.echo(made)


@tokens.command()
@click.argument("token_id", type=ID)
def revoke(*, token_id: int) -> None:
    """Let a token in no more."""
    with database() as (settings, engine), write(engine) as session:
        row = kept.revoke(session, token_id, of=None, now=utc_now())
        audit.note(session, actor(settings), "revoke", "token", row.name, details={"owner": row.owner}, now=utc_now())
    click.echo(f"Token {row.name} of {row.owner} lets nobody in any more.")


def _line() -> str:
    return sys.stdin.readline().rstrip("\n")


def _note(session: Session, settings: Settings, verb: str, name: str, grants: Iterable[Grant] | None = None) -> None:
    details = {} if grants is None else {"roles": [str(grant) for grant in grants]}
    audit.note(session, actor(settings), verb, "user", name, details=details, now=utc_now())
