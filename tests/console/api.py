"""A program that talks to the API of a console that people sign in to."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from werkzeug.test import TestResponse

from deadletter.access import Role
from deadletter.store import write
from deadletter.store.people.tokens import add_token
from tests.console.people import Door


class Program:
    """Somebody's program: it brings a token, and reads and writes JSON."""

    def __init__(self, door: Door, name: str, *grants: str) -> None:
        user_id = door.add(name, *grants, password=None)
        with write(door.engine) as session:
            made = add_token(
                session, user_id, "a program", role=Role.ADMIN, lasts=timedelta(days=1), now=door.clock.now()
            )
        self.headers = {"Authorization": f"Bearer {made}"}
        self.browser = door.browser()

    def get(self, path: str) -> TestResponse:
        return self.browser.get(f"/api/v1{path}", headers=self.headers)

    def post(self, path: str, body: Any = None, *, key: str | None = None) -> TestResponse:
        headers = self.headers | ({"Idempotency-Key": key} if key else {})
        text = body if isinstance(body, bytes) else json.dumps({} if body is None else body)
        return self.browser.post(f"/api/v1{path}", data=text, headers=headers, content_type="application/json")
