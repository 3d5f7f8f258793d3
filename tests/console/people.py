"""A console that people sign in to, and people who did."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from flask.testing import FlaskClient
from sqlalchemy import Engine

from console.app import create_app
from deadletter.access import parse_grants
from deadletter.settings import Oidc, Settings, SignIn
from deadletter.store import write
from deadletter.store.people.sign_ins import make_link
from deadletter.store.people.users import add_user
from tests.fakes import FakeClock

NOW = datetime(2026, 11, 23, 3, 14, 7, tzinfo=UTC)
PASSWORD = "correct horse battery staple"
WRONG = "not the right one at all"


class Door:
    """The console of one database, with its door locked; each client is a browser of its own."""

    def __init__(
        self, settings: Settings, engine: Engine, *, way: SignIn = SignIn.ACCOUNTS, oidc: Oidc | None = None
    ) -> None:
        self.clock = FakeClock(NOW)
        self.engine = engine
        self.app = create_app(replace(settings, sign_in=way, oidc=oidc), engine, clock=self.clock.now)
        self.app.testing = False

    def browser(self) -> FlaskClient:
        return self.app.test_client()

    def add(self, name: str, *grants: str, password: str | None = PASSWORD) -> int:
        with write(self.engine) as session:
            return add_user(session, name, grants=parse_grants(grants), password=password, now=self.clock.now()).id

    def signed_in(self, name: str, *grants: str) -> FlaskClient:
        """Return the browser of somebody new who signed in by a link."""
        user_id = self.add(name, *grants, password=None)
        with write(self.engine) as session:
            key = make_link(session, user_id, now=self.clock.now())
        browser = self.browser()
        assert browser.post("/sign-in/link", data={"key": key}).status_code == 303
        return browser

    def wait(self, **time: float) -> None:
        self.clock.advance(timedelta(**time).total_seconds())
