"""The tables of people and of what lets them in."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from deadletter.store.models.base import NEVER_REUSED, Base, Id


class User(Base):
    """A person, or a program that acts by itself. Never deleted: the audit trail names it."""

    __tablename__ = "users"
    __table_args__ = (UniqueConstraint("name"), UniqueConstraint("subject"), NEVER_REUSED)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    name: Mapped[str]
    """What the record calls them: a login or an e-mail address, in lower case."""
    subject: Mapped[str | None]
    """The sign-in provider's own name for them: its issuer, a space, and the `sub` that it never gives to another."""
    password_hash: Mapped[str | None]
    """Argon2id, with its parameters; None for those who sign in elsewhere."""
    grants: Mapped[list[str]] = mapped_column(JSON, default=list)
    """``role`` or ``role:pattern of source ARNs``, as `Grant.parse` reads them."""
    added_at: Mapped[datetime]
    signed_in_at: Mapped[datetime | None]
    disabled_at: Mapped[datetime | None]


class SignIn(Base):
    """A browser that is signed in, until it expires or is ended. (A session of the console, not of the database.)"""

    __tablename__ = "sign_ins"
    __table_args__ = (Index(None, "user_id"), Index(None, "expires_at"))

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    via: Mapped[str]
    came_from: Mapped[str]
    began_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class SignInLink(Base):
    """A link that signs one person in, once."""

    __tablename__ = "sign_in_links"

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    expires_at: Mapped[datetime]


class SignInStart(Base):
    """A sign-in that went off to the provider and has not come back yet, bound to one browser by its cookie."""

    __tablename__ = "sign_in_starts"

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str]
    nonce: Mapped[str]
    verifier: Mapped[str]
    back: Mapped[str]
    """The page to go to afterwards: one of ours."""
    expires_at: Mapped[datetime]


class SignInTries(Base):
    """How often a sign-in failed of late, by name and by address."""

    __tablename__ = "sign_in_tries"

    key: Mapped[str] = mapped_column(primary_key=True)
    n: Mapped[int]
    last_at: Mapped[datetime]


class ApiToken(Base):
    """What a program signs in with: shown once, kept as a hash, able to do less than its owner and never more."""

    __tablename__ = "api_tokens"
    __table_args__ = (UniqueConstraint("token_hash"), Index(None, "user_id"), NEVER_REUSED)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    name: Mapped[str]
    token_hash: Mapped[str]
    role: Mapped[str]
    """The most that it may do, whatever its owner may."""
    added_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
