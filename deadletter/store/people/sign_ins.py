"""Browsers that are signed in, the links that sign one in, and sign-ins that are on their way to the provider."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from deadletter.access import Principal
from deadletter.store.models import SignIn, SignInLink, SignInStart, User
from deadletter.store.people.secrets import hash_of, new_secret
from deadletter.store.people.users import principal_of

LINK_FOR = timedelta(minutes=15)
"""How long a one-time link may wait for its one use."""

START_FOR = timedelta(minutes=10)
"""How long a person may take at the sign-in provider."""


@dataclass(frozen=True, slots=True)
class Start:
    """What has to fit when a sign-in comes back: `state`, `nonce`, PKCE's `verifier`; and where to go on."""

    state: str
    nonce: str
    verifier: str
    back: str


@dataclass(frozen=True, slots=True)
class SignInRow:
    """A browser that is signed in, as its owner's page lists it."""

    via: str
    came_from: str
    began_at: datetime
    expires_at: datetime
    this_one: bool


def sign_in(  # noqa: PLR0913 - what is kept of it, each by its name
    session: Session, user_id: int, *, via: str, came_from: str, lasts: timedelta, now: datetime
) -> str:
    """Sign a browser in; return the secret that its cookie holds from now on. Forgets what has expired."""
    session.execute(delete(SignIn).where(SignIn.expires_at <= now))
    session.get_one(User, user_id).signed_in_at = now
    secret = new_secret()
    session.add(
        SignIn(
            token_hash=hash_of(secret),
            user_id=user_id,
            via=via,
            came_from=came_from,
            began_at=now,
            expires_at=now + lasts,
        )
    )
    return secret


def who_is(session: Session, secret: str, *, now: datetime) -> Principal | None:
    """Return who signed in with the browser that holds *secret*; None where it expired, ended or never was."""
    found = session.execute(
        select(User, SignIn.via)
        .join(SignIn, SignIn.user_id == User.id)
        .where(SignIn.token_hash == hash_of(secret), SignIn.expires_at > now, User.disabled_at.is_(None))
    ).first()
    return principal_of(*found) if found else None


def sign_out(session: Session, secret: str) -> None:
    """End what the browser that holds *secret* signed in to."""
    session.execute(delete(SignIn).where(SignIn.token_hash == hash_of(secret)))


def list_sign_ins(session: Session, user_id: int, *, secret: str, now: datetime) -> Sequence[SignInRow]:
    """Return where a person is signed in, the latest first; *secret* is what the asking browser holds."""
    ours = hash_of(secret)
    mine = select(SignIn).where(SignIn.user_id == user_id, SignIn.expires_at > now).order_by(SignIn.began_at.desc())
    return [
        SignInRow(one.via, one.came_from, one.began_at, one.expires_at, one.token_hash == ours)
        for one in session.scalars(mine)
    ]


def make_link(session: Session, user_id: int, *, now: datetime) -> str:
    """Return the secret of a link that signs the person in, once, within `LINK_FOR`."""
    session.execute(delete(SignInLink).where(SignInLink.expires_at <= now))
    secret = new_secret()
    session.add(SignInLink(token_hash=hash_of(secret), user_id=user_id, expires_at=now + LINK_FOR))
    return secret


def use_link(session: Session, secret: str, *, now: datetime) -> int | None:
    """Use a link up; return whom it signs in, or None where it was used, has expired, or never was."""
    used = delete(SignInLink).where(SignInLink.token_hash == hash_of(secret), SignInLink.expires_at > now)
    return session.scalar(used.returning(SignInLink.user_id))


def start_sign_in(session: Session, start: Start, *, now: datetime) -> str:
    """Remember a sign-in that goes off to the provider; return the secret that binds it to this browser."""
    session.execute(delete(SignInStart).where(SignInStart.expires_at <= now))
    secret = new_secret()
    session.add(
        SignInStart(
            token_hash=hash_of(secret),
            state=start.state,
            nonce=start.nonce,
            verifier=start.verifier,
            back=start.back,
            expires_at=now + START_FOR,
        )
    )
    return secret


def finish_sign_in(session: Session, secret: str, *, now: datetime) -> Start | None:
    """Return what the browser that holds *secret* went off with, once; None where it never did, or too long ago."""
    used = delete(SignInStart).where(SignInStart.token_hash == hash_of(secret), SignInStart.expires_at > now)
    columns = (SignInStart.state, SignInStart.nonce, SignInStart.verifier, SignInStart.back)
    found = session.execute(used.returning(*columns)).first()
    return Start(*found) if found else None
