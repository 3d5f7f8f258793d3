"""The settings, read once.

This is the only module that reads the environment (boto3 reads its own `AWS_*` by itself).
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deadletter.errors import BadInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be chosen, with a default that needs no thought.

    Times are in seconds, rates in events per second. `settle_s` overrides how long a sent event is watched before
    silence counts as success (None: derived from the target). `lease_s` is how long a worker may be silent before
    what it was sending counts as `unknown`.
    """

    data_dir: Path = Path("data")
    database_url: str = ""
    host: str = "127.0.0.1"
    port: int = 8080
    allowed_hosts: frozenset[str] = frozenset({"127.0.0.1", "localhost", "[::1]"})
    operator: str = "operator"
    account_label: str = ""
    receivers: int = 4
    receive_wait_s: float = 10.0
    rate: float = 20.0
    concurrency: int = 8
    settle_s: float | None = None
    lease_s: float = 30.0
    secret_keys: frozenset[str] = field(default_factory=frozenset)

    @property
    def url(self) -> str:
        """The database's URL: SQLite in the data folder unless `DATABASE_URL` names another."""
        return self.database_url or f"sqlite:///{self.data_dir / 'redrive.db'}"

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Settings:
        """Read the settings from *env* (the process's own by default).

        Raises:
            BadInput: A value is not a number, or out of range; the message names the variable.
        """
        env = os.environ if env is None else env
        return cls(
            data_dir=Path(env.get("REDRIVE_DATA_DIR", "data")),
            database_url=_database_url(env.get("DATABASE_URL", "")),
            host=env.get("REDRIVE_HOST", "127.0.0.1"),
            port=int(_number(env, "REDRIVE_PORT", 8080, least=0, most=65535)),
            allowed_hosts=_names(env.get("REDRIVE_ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]")),
            operator=env.get("REDRIVE_OPERATOR") or _login(),
            account_label=env.get("REDRIVE_LABEL") or env.get("AWS_PROFILE") or env.get("AWS_REGION", ""),
            receivers=int(_number(env, "REDRIVE_RECEIVERS", 4, least=1, most=64)),
            receive_wait_s=_number(env, "REDRIVE_RECEIVE_WAIT_S", 10.0, least=0, most=20),
            rate=_number(env, "REDRIVE_RATE", 20.0, least=0.01, most=10_000),
            concurrency=int(_number(env, "REDRIVE_CONCURRENCY", 8, least=1, most=200)),
            settle_s=_optional_number(env, "REDRIVE_SETTLE_S", least=0, most=86_400),
            lease_s=_number(env, "REDRIVE_LEASE_S", 30.0, least=0.5, most=3600),
            secret_keys=_names(env.get("REDRIVE_SECRET_KEYS", "")),
        )


def _number(env: Mapping[str, str], name: str, default: float, *, least: float, most: float) -> float:
    text = env.get(name, "")
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not least <= value <= most:
        message = f"{name} is {text!r}, and must be a number from {least:g} to {most:g}."
        raise BadInput(message)
    return value


def _optional_number(env: Mapping[str, str], name: str, *, least: float, most: float) -> float | None:
    return _number(env, name, 0, least=least, most=most) if env.get(name) else None


def _names(text: str) -> frozenset[str]:
    return frozenset(name.strip().lower() for name in text.split(",") if name.strip())


def _database_url(url: str) -> str:
    """Say which driver is meant: SQLAlchemy takes a bare `postgresql://` for one that is not installed here."""
    for bare in ("postgres://", "postgresql://"):
        if url.startswith(bare):
            return "postgresql+psycopg://" + url.removeprefix(bare)
    return url


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "operator"
