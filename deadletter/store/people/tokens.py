"""API tokens: made, used, listed, revoked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from deadletter.access import Principal, Role, capped
from deadletter.errors import BadInput, NotFound
from deadletter.store.models import ApiToken, User
from deadletter.store.people.secrets import hash_of, new_secret
from deadletter.store.people.users import clean_name, principal_of

PREFIX = "rdv_"
"""So that people, and scanners of repositories, know one when they see it."""

LONGEST = timedelta(days=366)
_NOTED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A token as pages list it: never the token itself."""

    id: int
    owner: str
    name: str
    role: Role
    added_at: datetime
    expires_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None


def add_token(  # noqa: PLR0913 - what is kept of it, each by its name
    session: Session, user_id: int, name: str, *, role: Role, lasts: timedelta, now: datetime
) -> str:
    """Make a token of a person's; return it. It is shown this once and never again.

    Raises:
        BadInput: Its name is none, or it would live for less than a minute or more than a year.
    """
    if not timedelta(minutes=1) <= lasts <= LONGEST:
        raise BadInput(f"A token lives for at most {LONGEST.days} days and at least a minute. Make a new one in time.")
    token = new_secret(PREFIX)
    session.add(
        ApiToken(
            user_id=user_id,
            name=clean_name(name),
            token_hash=hash_of(token),
            role=role.value,
            added_at=now,
            expires_at=now + lasts,
        )
    )
    return token


def who_has(session: Session, token: str, *, now: datetime) -> tuple[Principal, int, bool] | None:
    """Return whose token it is (as one who may do no more than the token), its id, and whether its use is to be noted.

    None where it was revoked, has expired, never was, or its owner is disabled.
    """
    found = session.execute(
        select(User, ApiToken)
        .join(ApiToken, ApiToken.user_id == User.id)
        .where(ApiToken.token_hash == hash_of(token), ApiToken.revoked_at.is_(None), ApiToken.expires_at > now)
        .where(User.disabled_at.is_(None))
    ).first()
    if found is None:
        return None
    user, kept = found
    owner = principal_of(user, f"token {kept.name}")
    stale = kept.used_at is None or now - kept.used_at >= _NOTED_EVERY
    return Principal(owner.name, capped(owner.grants, Role(kept.role)), owner.via, user.id), kept.id, stale


def note_use(session: Session, token_id: int, *, now: datetime) -> None:
    """Note that a token was used: once a minute is enough to find those that nobody uses."""
    session.execute(update(ApiToken).where(ApiToken.id == token_id).values(used_at=now))


def list_tokens(session: Session, user_id: int | None = None) -> Sequence[TokenRow]:
    """Return a person's tokens (everybody's where None), the newest first."""
    query = select(ApiToken, User.name).join(User, User.id == ApiToken.user_id).order_by(ApiToken.id.desc())
    if user_id is not None:
        query = query.where(ApiToken.user_id == user_id)
    return [_row(token, owner) for token, owner in session.execute(query)]


def revoke(session: Session, token_id: int, *, of: int | None, now: datetime) -> TokenRow:
    """Let a token in no more; *of* its owner, or anybody's where None. Raises NotFound."""
    query = select(ApiToken, User.name).join(User, User.id == ApiToken.user_id).where(ApiToken.id == token_id)
    found = session.execute(query if of is None else query.where(ApiToken.user_id == of)).first()
    if found is None:
        raise NotFound(f"There is no token {token_id} of yours.")
    token, owner = found
    token.revoked_at = token.revoked_at or now
    return _row(token, owner)


def _row(token: ApiToken, owner: str) -> TokenRow:
    return TokenRow(
        token.id,
        owner,
        token.name,
        Role(token.role),
        token.added_at,
        token.expires_at,
        token.used_at,
        token.revoked_at,
    )
