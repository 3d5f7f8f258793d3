"""People: added, granted, disabled, found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from deadletter.access import Grant, Permission, Principal, parse_grants
from deadletter.errors import BadInput, IllegalMove, NotFound
from deadletter.event import storable
from deadletter.store.models import ApiToken, SignIn, User
from deadletter.store.people.secrets import hash_password

LONGEST_NAME = 120


@dataclass(frozen=True, slots=True)
class UserRow:
    """A person as pages list them."""

    id: int
    name: str
    grants: tuple[Grant, ...]
    by_password: bool
    by_provider: bool
    added_at: datetime
    signed_in_at: datetime | None
    disabled_at: datetime | None


def clean_name(text: str) -> str:
    """Return a name as it is kept: in lower case, on one line. Raises BadInput."""
    name = " ".join(storable(text).split()).lower()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise BadInput(f"A name has 1 to {LONGEST_NAME} characters that can be seen, and this is {text[:40]!r}.")
    return name


def add_user(
    session: Session, name: str, *, grants: Sequence[Grant], password: str | None = None, now: datetime
) -> UserRow:
    """Add a person who signs in by password, or (without one) by a link or a token of theirs.

    Raises:
        BadInput: The name is none or taken, or the password too short.
    """
    name = clean_name(name)
    if session.scalar(select(User.id).where(User.name == name)) is not None:
        raise BadInput(f"There is a user {name} already. Grant them something else, or choose another name.")
    kept = None if password is None else hash_password(password)
    user = User(name=name, grants=_texts(grants), password_hash=kept, added_at=now)
    session.add(user)
    session.flush()
    return row_of(user)


def ensure_user(session: Session, name: str, *, grants: Sequence[Grant], now: datetime) -> UserRow:
    """Return the person of that name, added with *grants* where there was none. Raises BadInput."""
    found = session.scalar(select(User).where(User.name == clean_name(name)))
    return row_of(found) if found else add_user(session, name, grants=grants, now=now)


def from_provider(session: Session, subject: str, name: str, grants: Sequence[Grant], *, now: datetime) -> UserRow:
    """Return the person whom the sign-in provider knows as *subject*, with the name and roles that it says today.

    A name that a person with another way in has already is not taken over: the provider's own subject is put behind it.
    """
    user = session.scalar(select(User).where(User.subject == subject))
    if user is None:
        user = User(subject=subject, name=_free(session, clean_name(name), subject), added_at=now)
        session.add(user)
    user.grants = _texts(grants)
    session.flush()
    return row_of(user)


def set_grants(session: Session, name: str, grants: Sequence[Grant]) -> UserRow:
    """Say what a person may do from now on. Raises NotFound; IllegalMove where nobody could manage people any more."""
    user = find_user(session, name)
    user.grants = _texts(grants)
    _keep_an_admin(session)
    return row_of(user)


def set_password(session: Session, name: str, password: str) -> UserRow:
    """Give a person another password, and end what is signed in with the old one. Raises NotFound, BadInput."""
    user = find_user(session, name)
    user.password_hash = hash_password(password)
    end_all(session, user.id)
    return row_of(user)


def disable(session: Session, name: str, *, now: datetime) -> UserRow:
    """Let a person in no more: sessions end, tokens are revoked. Raises NotFound, IllegalMove."""
    user = find_user(session, name)
    user.disabled_at = user.disabled_at or now
    _keep_an_admin(session)
    end_all(session, user.id)
    for token in session.scalars(select(ApiToken).where(ApiToken.user_id == user.id, ApiToken.revoked_at.is_(None))):
        token.revoked_at = now
    return row_of(user)


def enable(session: Session, name: str) -> UserRow:
    """Let a disabled person in again; their tokens stay revoked. Raises NotFound."""
    user = find_user(session, name)
    user.disabled_at = None
    return row_of(user)


def end_all(session: Session, user_id: int) -> int:
    """Sign a person out everywhere; return how many browsers that were."""
    signed_in = list(session.scalars(select(SignIn).where(SignIn.user_id == user_id)))
    for one in signed_in:
        session.delete(one)
    return len(signed_in)


def find_user(session: Session, name: str) -> User:
    """Return the person of that name. Raises NotFound."""
    user = session.scalar(select(User).where(User.name == clean_name(name)))
    if user is None:
        raise NotFound(f"There is no user {name[:LONGEST_NAME]!r}. `redrive users` lists them.")
    return user


def by_name(session: Session, name: str) -> User | None:
    """Return the person of that name, for whoever must not say that there is none."""
    return session.scalar(select(User).where(User.name == " ".join(storable(name).split()).lower()))


def list_users(session: Session) -> Sequence[UserRow]:
    """Return everybody, by name."""
    return [row_of(user) for user in session.scalars(select(User).order_by(User.name))]


def anybody_can_sign_in(session: Session) -> bool:
    """Return whether there is a person with a password who is not disabled."""
    ready = select(func.count()).where(User.password_hash.is_not(None), User.disabled_at.is_(None))
    return bool(session.scalar(ready))


def principal_of(user: User, via: str) -> Principal:
    """Return the person as one who acts."""
    return Principal(user.name, parse_grants(user.grants), via, user.id)


def row_of(user: User) -> UserRow:
    """Return the person as pages list them."""
    return UserRow(
        user.id,
        user.name,
        parse_grants(user.grants),
        user.password_hash is not None,
        user.subject is not None,
        user.added_at,
        user.signed_in_at,
        user.disabled_at,
    )


def _keep_an_admin(session: Session) -> None:
    """Refuse to leave a console that has accounts without anybody who can manage them."""
    session.flush()
    left = session.scalars(select(User).where(User.disabled_at.is_(None)))
    if not any(principal_of(user, "").everywhere(Permission.MANAGE) for user in left):
        raise IllegalMove("Nobody could say any more who may do what. Make somebody else an admin first.")


def _free(session: Session, name: str, subject: str) -> str:
    taken = session.scalar(select(User.id).where(User.name == name)) is not None
    return clean_name(f"{name} ({subject})") if taken else name


def _texts(grants: Sequence[Grant]) -> list[str]:
    return [str(grant) for grant in dict.fromkeys(grants)]
