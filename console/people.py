"""People and their tokens, as the People page and the API change them: each change is written down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from flask import url_for
from sqlalchemy.orm import Session

from console import context
from deadletter import store
from deadletter.access import Grant, Role
from deadletter.store import audit
from deadletter.store.people import sign_ins, tokens, users
from deadletter.store.people.tokens import TokenRow
from deadletter.store.people.users import UserRow


def add(name: str, grants: Sequence[Grant], password: str | None) -> tuple[UserRow, str | None]:
    """Add a person; return them, and the key of the link that signs them in once where they have no password."""
    with store.write(context.engine()) as writing:
        user = users.add_user(writing, name, grants=grants, password=password, now=context.now())
        _note(writing, "add", user)
        key = None if user.by_password else sign_ins.make_link(writing, user.id, now=context.now())
    return user, key


def grant(name: str, grants: Sequence[Grant]) -> UserRow:
    """Say what a person may do from now on."""
    with store.write(context.engine()) as writing:
        return _note(writing, "grant", users.set_grants(writing, name, grants))


def disable(name: str) -> UserRow:
    """Let a person in no more."""
    with store.write(context.engine()) as writing:
        return _note(writing, "disable", users.disable(writing, name, now=context.now()))


def enable(name: str) -> UserRow:
    """Let a person in again."""
    with store.write(context.engine()) as writing:
        return _note(writing, "enable", users.enable(writing, name))


def link(name: str) -> tuple[UserRow, str]:
    """Make a link that signs a person in once; return whom, and its key, which is shown this once."""
    with store.write(context.engine()) as writing:
        user = users.row_of(users.find_user(writing, name))
        key = sign_ins.make_link(writing, user.id, now=context.now())
        _note(writing, "link", user)
    return user, key


def address_of(key: str) -> str:
    """Return the address that signs in with *key*."""
    return url_for("sign_in.link", key=key, _external=True)


def add_token(owner: str, name: str, role: Role, lasts: timedelta) -> str:
    """Make a token of a person's; return it, which is shown this once."""
    with store.write(context.engine()) as writing:
        user = users.find_user(writing, owner)
        made = tokens.add_token(writing, user.id, name, role=role, lasts=lasts, now=context.now())
        said = {"owner": user.name, "role": role.value, "days": lasts.days}
        _write_down(writing, "add", "token", name, said)
    return made


def revoke_token(token_id: int) -> TokenRow:
    """Let a token of anybody's in no more."""
    with store.write(context.engine()) as writing:
        row = tokens.revoke(writing, token_id, of=None, now=context.now())
        _write_down(writing, "revoke", "token", row.name, {"owner": row.owner})
    return row


def _note(writing: Session, verb: str, user: UserRow) -> UserRow:
    _write_down(writing, verb, "user", user.name, {"roles": [str(grant) for grant in user.grants]})
    return user


def _write_down(writing: Session, verb: str, kind: str, subject: str, details: Mapping[str, object]) -> None:
    audit.note(writing, context.actor(), verb, kind, subject, details=details, now=context.now())
