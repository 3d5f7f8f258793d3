"""Secrets, read from Secrets Manager and kept for a few minutes: they are rotated under whoever uses them."""

from __future__ import annotations

import json
from collections.abc import Callable
from time import monotonic

from deadletter.aws.clients import Purpose, client
from deadletter.aws.trouble import ERRORS
from deadletter.errors import NetworkError

KEPT_S = 300.0
"""How long an answer is used, unless it is refused. After a rotation, connections that are open stay open."""


class Secret:
    """One secret by its ARN. *monotonic* tells the seconds."""

    def __init__(self, arn: str, *, now: Callable[[], float] = monotonic) -> None:
        self._arn = arn
        self._now = now
        self._text = ""
        self._until = float("-inf")

    def text(self) -> str:
        """Return what it holds.

        Raises:
            NetworkError: It cannot be read; the message names the permission.
        """
        if self._now() >= self._until:
            self._text = self._read()
            self._until = self._now() + KEPT_S
        return self._text

    def forget(self) -> None:
        """Ask anew the next time: what it was used for did not take it, so it may have been rotated just now."""
        self._until = float("-inf")

    def user_and_password(self) -> tuple[str, str]:
        """Return a name and a password, of a secret as RDS makes it: JSON with `username` and `password`."""
        held = json.loads(self.text())
        return str(held["username"]), str(held["password"])

    def _read(self) -> str:
        region = self._arn.split(":")[3]
        try:
            answer = client("secretsmanager", region, Purpose.READ).get_secret_value(SecretId=self._arn)
        except ERRORS as error:
            raise NetworkError(
                f"The secret {self._arn} cannot be read: {error}. The function's role needs "
                "secretsmanager:GetSecretValue on it, and kms:Decrypt on its key."
            ) from error
        return str(answer["SecretString"])
