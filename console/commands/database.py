"""The settings and the database, as every command that needs them opens them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from deadletter import store
from deadletter.actor import Actor
from deadletter.errors import RedriveError
from deadletter.settings import Settings


def utc_now() -> datetime:
    """Return the time now, aware, UTC."""
    return datetime.now(tz=UTC)


def actor(settings: Settings) -> Actor:
    """Return who acts at the command line, for the audit trail."""
    return Actor(settings.operator, "command line")


@contextmanager
def database() -> Iterator[tuple[Settings, Engine]]:
    """Yield the settings and an engine whose database has the newest schema.

    SQLite is brought there: it needs no set-up. PostgreSQL may be others' too, so it is migrated only by
    `redrive db upgrade`.

    Raises:
        RedriveError: The database cannot be used, or PostgreSQL's schema is not the newest.
    """
    settings = Settings.from_env()
    _take_roles(settings)
    _take_keys(settings)
    with said_plainly():
        engine = store.make_engine(settings)
        try:
            _bring_up_to_date(settings, engine)
            yield settings, engine
        finally:
            engine.dispose()


@contextmanager
def said_plainly() -> Iterator[None]:
    """Turn what the database says within into a sentence. Raises RedriveError."""
    try:
        yield
    except SQLAlchemyError as error:
        reason = " ".join(str(getattr(error, "orig", None) or error).split())
        raise RedriveError(f"The database cannot be used: {reason}. See DATABASE_URL and REDRIVE_DATA_DIR.") from error


def _take_roles(settings: Settings) -> None:
    if settings.roles:
        from deadletter.aws import use_roles  # noqa: PLC0415 - boto3 takes half a second, and most commands need none

        use_roles({role.account: role.arn for role in settings.roles})


def _take_keys(settings: Settings) -> None:
    if settings.encryption_keys:
        from deadletter.keys import use_keys  # noqa: PLC0415 - the same: KMS unwraps some of them

        use_keys(settings)


def _bring_up_to_date(settings: Settings, engine: Engine) -> None:
    if store.is_current(engine):
        return
    if store.is_newer(engine):
        raise RedriveError(
            "The database's schema is newer than this version of redrive knows: it was upgraded by a newer one. "
            "Install that version here, too."
        )
    if engine.dialect.name != "sqlite":
        raise RedriveError("The database does not have the newest schema. Run `redrive db upgrade`, then try again.")
    store.upgrade(settings)
