"""What a view needs of its request: the settings, the time, the operator, and one read-only look at the database."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from flask import Flask, current_app, g, request
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from deadletter import aws, store
from deadletter.access import Forbidden, Permission, Principal, Verdict
from deadletter.actor import Actor
from deadletter.ports import Listeners, OpenRecords
from deadletter.preflight.discovery import Consumer
from deadletter.settings import Settings

_KEY = "redrive"
_NOBODY = "Nobody is signed in in this browser."


def utc_now() -> datetime:
    """Return the time now, aware, UTC."""
    return datetime.now(tz=UTC)


@dataclass(frozen=True, slots=True)
class Wiring:
    """What the composition point hands to every request."""

    settings: Settings
    engine: Engine
    clock: Callable[[], datetime]
    open_records: OpenRecords = aws.open_records
    read_consumer: Callable[[str], Consumer] = aws.read_consumer
    open_listeners: Callable[[], Listeners] = aws.open_listeners


def register(app: Flask, wiring: Wiring) -> None:
    """Hand *wiring* to every request of *app*, and close what a request opened when it ends."""
    app.extensions[_KEY] = wiring
    app.teardown_request(_close)


def settings() -> Settings:
    """Return the settings."""
    return _wiring().settings


def operator() -> str:
    """Return who acts, by the name that the record calls them. Raises Forbidden where nobody is signed in."""
    return principal().name


def where() -> str:
    """Return where this request comes from: the address of whoever is connected."""
    return request.remote_addr or "unknown address"


def actor() -> Actor:
    """Return who acts, and from where: what every change says to the audit trail."""
    return Actor(operator(), where())


def engine() -> Engine:
    """Return the engine, for the use cases, which open transactions of their own."""
    return _wiring().engine


def open_records() -> OpenRecords:
    """Return what opens handlers' idempotency records."""
    return _wiring().open_records


def listeners() -> Listeners:
    """Return what knows who listens to buses and topics."""
    return _wiring().open_listeners()


def consumer(function_arn: str) -> Consumer:
    """Return what a function says of itself. Raises SourceError."""
    return _wiring().read_consumer(function_arn)


def now() -> datetime:
    """Return the time of this request: the same one however often it is asked."""
    if "now" not in g:
        g.now = _wiring().clock()
    return cast("datetime", g.now)


def principal_or_none() -> Principal | None:
    """Return who is asking; None where nobody is signed in."""
    return cast("Principal | None", g.get("principal"))


def principal() -> Principal:
    """Return who is asking. Raises Forbidden where nobody is signed in."""
    found = principal_or_none()
    if found is None:
        raise Forbidden(_NOBODY)
    return found


def may(permission: Permission, source_arn: str | None = None) -> Verdict:
    """Return whether who is asking may do something, and where not, why not."""
    found = principal_or_none()
    return found.may(permission, source_arn) if found else Verdict(allowed=False, reason=_NOBODY)


def session() -> Session:
    """Return this request's read-only session: one snapshot, so that the numbers of a page agree with each other."""
    if "reading" not in g:
        g.reading = store.read(engine())
        g.session = g.reading.__enter__()
    return cast("Session", g.session)


def forget_session() -> None:
    """Look anew from now on: for the answer to a request that changed what it shows."""
    _close(None)
    g.pop("session", None)


def _wiring() -> Wiring:
    return cast("Wiring", current_app.extensions[_KEY])


def _close(error: BaseException | None) -> None:
    reading: AbstractContextManager[Session] | None = g.pop("reading", None)
    if reading is not None:
        reading.__exit__(type(error) if error else None, error, error.__traceback__ if error else None)
