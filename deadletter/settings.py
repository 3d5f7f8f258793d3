"""The settings, read once.

This module and `lambda_settings` alone read the environment (boto3 reads its own `AWS_*` by itself).
"""

from __future__ import annotations

import getpass
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from deadletter.allowed import read_patterns
from deadletter.approval import ApprovalRules
from deadletter.errors import BadInput
from deadletter.secret_rules import NO_RULES, SecretRules, read_rules


class SignIn(StrEnum):
    """How people come in.

    `link`: by a link that works once, printed where the console is started; on this machine only. `accounts`: by
    password or by the sign-in provider. `off`: whoever reaches the console on this machine may do everything.
    """

    LINK = "link"
    ACCOUNTS = "accounts"
    OFF = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Oidc:
    """The sign-in provider (OpenID Connect); `roles` says which of its groups brings which role (see `role_map`)."""

    issuer: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    roles: str = ""
    groups_claim: str = "groups"
    scope: str = "openid email profile"


_REGION = r"[a-z]{2,8}(?:-[a-z]{2,16}){1,3}-\d{1,2}"
_ROLE = re.compile(rf"(arn:aws[a-z-]*:iam::(\d{{12}}):role/[\w+=,.@/-]+?)(?:@({_REGION}(?:\+{_REGION})*))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Role:
    """A role by which another account is reached, and the Regions there to discover (none: that which boto3 finds)."""

    arn: str
    account: str
    regions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be chosen, with a default that needs no thought.

    Times are in seconds, rates in events per second. `settle_s` overrides how long a sent event is watched before
    silence counts as success (None: derived from the target). `hold_after` is how often an event may fail again before
    a redrive of many leaves it out. `lease_s` is how long a worker may be silent before
    what it was sending counts as `unknown`. `share` is the most of a function's reserved concurrency that redrives
    take, 0 to 1. `processes` are how many a worker may use to collect, itself included; `stop_within_s` is how long it
    may take to finish what it has in hand. `roles` are taken for everything in their accounts, and `allowed_accounts`
    may be redriven to beside the account of the source; `allowed_targets` are patterns of ARNs that may be
    sent to beside what is discovered and what sources are given. `metrics_token` lets monitoring on other machines read
    `/metrics`. `public_url` is the console's address as browsers know it, where something stands in front of it.
    `session_hours` is how long a browser stays signed in. `admin_password` is that of the user `admin`, who is added
    where there is none yet.
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
    processes: int = 1
    stop_within_s: float = 25.0
    rate: float = 20.0
    concurrency: int = 8
    share: float = 0.5
    settle_s: float | None = None
    hold_after: int = 3
    lease_s: float = 30.0
    secrets: SecretRules = NO_RULES
    allowed_accounts: frozenset[str] = field(default_factory=frozenset)
    allowed_targets: tuple[str, ...] = ()
    roles: tuple[Role, ...] = ()
    metrics_token: str = field(default="", repr=False)
    sign_in: SignIn = SignIn.LINK
    session_hours: float = 12.0
    public_url: str = ""
    oidc: Oidc | None = None
    admin_password: str = field(default="", repr=False)
    encryption_keys: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    approval: ApprovalRules = field(default_factory=ApprovalRules)

    @property
    def url(self) -> str:
        """The database's URL: SQLite in the data folder unless `DATABASE_URL` names another."""
        return self.database_url or f"sqlite:///{self.data_dir / 'redrive.db'}"

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Settings:
        """Read the settings from *env* (the process's own by default); a variable that is empty is one not set.

        Raises:
            BadInput: A value is not a number, out of range, or not a yes or no; the message names the variable.
        """
        env = os.environ if env is None else env
        roles = _roles(env.get("REDRIVE_ROLES", ""))
        return cls(
            data_dir=Path(env.get("REDRIVE_DATA_DIR") or "data"),
            database_url=_database_url(env.get("DATABASE_URL") or _content(env, "DATABASE_URL_FILE")),
            host=env.get("REDRIVE_HOST") or "127.0.0.1",
            port=_whole(env, "REDRIVE_PORT", 8080, least=0, most=65535),
            allowed_hosts=_names(env.get("REDRIVE_ALLOWED_HOSTS") or "127.0.0.1,localhost,[::1]"),
            operator=env.get("REDRIVE_OPERATOR") or _login(),
            account_label=_label(env),
            receivers=_whole(env, "REDRIVE_RECEIVERS", 4, least=1, most=64),
            receive_wait_s=_number(env, "REDRIVE_RECEIVE_WAIT_S", 10.0, least=0, most=20),
            processes=_whole(env, "REDRIVE_PROCESSES", _cores(), least=1, most=32),
            stop_within_s=_number(env, "REDRIVE_STOP_WITHIN_S", 25.0, least=1, most=900),
            rate=_number(env, "REDRIVE_RATE", 20.0, least=0.01, most=10_000),
            concurrency=_whole(env, "REDRIVE_CONCURRENCY", 8, least=1, most=200),
            share=_number(env, "REDRIVE_SHARE", 0.5, least=0.01, most=1),
            settle_s=_optional_number(env, "REDRIVE_SETTLE_S", least=0, most=86_400),
            hold_after=_whole(env, "REDRIVE_HOLD_AFTER", 3, least=1, most=1000),
            lease_s=_number(env, "REDRIVE_LEASE_S", 30.0, least=0.5, most=3600),
            secrets=_secrets(env),
            allowed_accounts=_names(env.get("REDRIVE_ALLOWED_ACCOUNTS", "")) | {role.account for role in roles},
            allowed_targets=read_patterns(_words(env.get("REDRIVE_ALLOWED_TARGETS", "")), "REDRIVE_ALLOWED_TARGETS"),
            roles=roles,
            metrics_token=env.get("REDRIVE_METRICS_TOKEN", ""),
            sign_in=_sign_in(env),
            session_hours=_number(env, "REDRIVE_SESSION_HOURS", 12.0, least=0.1, most=720),
            public_url=_public_url(env),
            oidc=_oidc(env),
            admin_password=_secret(env, "REDRIVE_ADMIN_PASSWORD"),
            encryption_keys=_keys(_secret(env, "REDRIVE_ENCRYPTION_KEYS")),
            approval=_approval(env),
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


def _whole(env: Mapping[str, str], name: str, default: int, *, least: int, most: int) -> int:
    value = _number(env, name, default, least=least, most=most)
    if value % 1:
        raise BadInput(f"{name} is {env[name]!r}, and must be a whole number.")
    return int(value)


def _sign_in(env: Mapping[str, str]) -> SignIn:
    text = env.get("REDRIVE_SIGN_IN", "").strip().lower() or SignIn.LINK
    if text not in set(SignIn):
        raise BadInput(f"REDRIVE_SIGN_IN is {text[:40]!r}, and must be one of: {', '.join(SignIn)}.")
    return SignIn(text)


def _keys(text: str) -> tuple[tuple[str, str], ...]:
    """Read ``2026-11=BASE64, 2026-05=kms:BASE64``: names and keys, the one that seals first."""
    pairs = [part.strip().partition("=") for part in text.replace("\n", ",").split(",") if part.strip()]
    for name, sign, key in pairs:
        if not (sign and key.strip() and 0 < len(name.strip()) <= 40):  # noqa: PLR2004 - a name's length is one byte
            raise BadInput("REDRIVE_ENCRYPTION_KEYS has a part that is not NAME=KEY, as in 2026-11=BASE64.")
    return tuple((name.strip(), key.strip()) for name, _, key in pairs)


def _approval(env: Mapping[str, str]) -> ApprovalRules:
    return ApprovalRules(
        above=_whole(env, "REDRIVE_APPROVAL_ABOVE", 0, least=0, most=10**9),
        targets=tuple(sorted(_words(env.get("REDRIVE_APPROVAL_TARGETS", "")))),
        hours=_number(env, "REDRIVE_APPROVAL_HOURS", 24.0, least=0.1, most=720),
    )


def _public_url(env: Mapping[str, str]) -> str:
    url = env.get("REDRIVE_PUBLIC_URL", "").strip().rstrip("/")
    if url and not url.startswith(("https://", "http://")):
        raise BadInput(f"REDRIVE_PUBLIC_URL is {url[:80]!r}, and must be like https://redrive.example.com.")
    return url


def _oidc(env: Mapping[str, str]) -> Oidc | None:
    issuer, client_id = (env.get(name, "").strip() for name in ("REDRIVE_OIDC_ISSUER", "REDRIVE_OIDC_CLIENT_ID"))
    if not issuer:
        return None
    if not client_id:
        raise BadInput(
            "REDRIVE_OIDC_ISSUER is set and REDRIVE_OIDC_CLIENT_ID is not: the provider has to know who asks."
        )
    return Oidc(
        issuer=issuer,
        client_id=client_id,
        client_secret=_secret(env, "REDRIVE_OIDC_CLIENT_SECRET"),
        roles=env.get("REDRIVE_OIDC_ROLES", ""),
        groups_claim=env.get("REDRIVE_OIDC_GROUPS_CLAIM") or "groups",
        scope=env.get("REDRIVE_OIDC_SCOPE") or "openid email profile",
    )


def _secret(env: Mapping[str, str], name: str) -> str:
    """Return a secret from its variable, or from the file that `NAME_FILE` names, as containers mount them."""
    path = env.get(f"{name}_FILE", "")
    if not path:
        return env.get(name, "")
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{name}_FILE names {path}, which cannot be read ({error}).") from error


def _optional_number(env: Mapping[str, str], name: str, *, least: float, most: float) -> float | None:
    return _number(env, name, 0, least=least, most=most) if env.get(name) else None


def _names(text: str) -> frozenset[str]:
    return frozenset(name.strip().lower() for name in text.split(",") if name.strip())


def _secrets(env: Mapping[str, str]) -> SecretRules:
    names, values = (_secret(env, name) for name in ("REDRIVE_SECRET_KEY_PATTERNS", "REDRIVE_SECRET_VALUES"))
    return read_rules(_names(env.get("REDRIVE_SECRET_KEYS", "")), names, values)


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _roles(text: str) -> tuple[Role, ...]:
    roles = tuple(_role(entry) for entry in text.split())
    accounts = [role.account for role in roles]
    for account in accounts:
        if accounts.count(account) > 1:
            raise BadInput(f"REDRIVE_ROLES has two roles for account {account}: one is enough, with all its Regions.")
    return roles


def _role(entry: str) -> Role:
    match = _ROLE.fullmatch(entry)
    if match is None:
        raise BadInput(
            f"REDRIVE_ROLES has {entry[:120]!r}, which is no role. It takes roles between spaces, each "
            "with its Regions after an @: arn:aws:iam::111122223333:role/redrive@eu-west-1+us-east-1."
        )
    arn, account, regions = match.groups()
    return Role(arn, account, tuple(regions.split("+")) if regions else ())


def _database_url(url: str) -> str:
    """Say which driver is meant: SQLAlchemy takes a bare `postgresql://` for one that is not installed here."""
    kind, _, rest = url.partition("://")
    if kind in {"postgres", "postgresql", "postgresql+psycopg"}:
        return f"postgresql+psycopg://{rest}"
    if url and not (kind == "sqlite" and rest.strip("/") not in {"", ":memory:"}):
        # Not the URL itself: it may hold a password.
        raise BadInput("DATABASE_URL must be like postgresql://user@host/name or sqlite:///folder/redrive.db.")
    return url


def _content(env: Mapping[str, str], name: str) -> str:
    """Return what stands in the file that the variable names: a secret, as containers are handed them."""
    if not env.get(name):
        return ""
    try:
        return Path(env[name]).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise BadInput(f"{name} names {env[name]}, which cannot be read: {reason}.") from None


def _label(env: Mapping[str, str]) -> str:
    names = ("REDRIVE_LABEL", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION")
    return next((env[name] for name in names if env.get(name)), "")


def _cores() -> int:
    """Return how many processes collect where nobody says: one for each core, up to four."""
    return min(4, os.cpu_count() or 1)


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "operator"
