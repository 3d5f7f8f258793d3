"""Secrets Manager and KMS, as the sandbox has them: rotated passwords, and data keys that KMS wraps."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from deadletter import lambda_base
from deadletter.aws import clients
from deadletter.aws.secrets import KEPT_S, Secret
from deadletter.errors import BadInput, NetworkError
from deadletter.keys import use_keys
from deadletter.settings import Settings
from deadletter.store import sealing
from sandbox.local import Sandbox

pytest_plugins = ["tests.sandbox_fixture"]


class Refused(Exception):
    """What a database's library raises for a wrong password."""


class Database:
    """A database's dialect, that takes one password."""

    class loaded_dbapi:  # noqa: N801 - SQLAlchemy's name
        OperationalError = Refused

    def __init__(self, password: str) -> None:
        self.password = password
        self.tried: list[str] = []

    def connect(self, *, user: str, password: str) -> str:
        self.tried.append(password)
        if password != self.password:
            raise Refused
        return user


@pytest.fixture(autouse=True)
def fresh(aws_env: dict[str, str]) -> Iterator[None]:
    assert aws_env
    clients.forget()
    yield
    clients.forget()


@pytest.fixture
def secret(sandbox: Sandbox) -> Iterator[str]:
    """The ARN of a secret as RDS makes them."""
    client = sandbox.clients("secretsmanager")
    arn = client.create_secret(Name="redrive/database", SecretString=held("first"))["ARN"]
    yield arn
    client.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)


def held(password: str) -> str:
    return json.dumps({"username": "redrive", "password": password})


def rotate(sandbox: Sandbox, arn: str, password: str) -> None:
    sandbox.clients("secretsmanager").put_secret_value(SecretId=arn, SecretString=held(password))


def test_a_secret_is_read_again_after_a_while(sandbox: Sandbox, secret: str) -> None:
    seconds = [0.0]
    ours = Secret(secret, now=lambda: seconds[0])
    assert ours.user_and_password() == ("redrive", "first")
    rotate(sandbox, secret, "second")
    assert ours.user_and_password() == ("redrive", "first")
    seconds[0] = KEPT_S
    assert ours.user_and_password() == ("redrive", "second")


def test_a_password_that_was_rotated_just_now_is_taken_without_a_restart(
    sandbox: Sandbox, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = Secret(secret)
    monkeypatch.setattr(lambda_base, "_secret", lambda: ours)
    database = Database("first")
    connect: Any = lambda_base._with_password  # noqa: SLF001 - what SQLAlchemy calls
    assert connect(database, None, (), {}) == "redrive"
    rotate(sandbox, secret, "second")
    database.password = "second"
    assert connect(database, None, (), {}) == "redrive"
    assert database.tried == ["first", "first", "second"]
    database.password = "another that the secret does not hold"
    with pytest.raises(Refused):
        connect(database, None, (), {})


def test_a_secret_that_cannot_be_read_names_the_permission() -> None:
    gone = "arn:aws:secretsmanager:eu-west-1:000000000000:secret:gone"
    with pytest.raises(NetworkError, match="needs secretsmanager:GetSecretValue on it"):
        Secret(gone).text()


@pytest.fixture
def keys(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Two data keys, each wrapped by a key of KMS's own, as the settings have them."""
    monkeypatch.setattr(sealing, "_ring", {})
    monkeypatch.setattr(sealing, "_first", [])
    kms = sandbox.clients("kms")
    made = []
    for name in ("2026-05", "2026-11"):
        key_id = kms.create_key()["KeyMetadata"]["KeyId"]
        blob = kms.generate_data_key(KeyId=key_id, KeySpec="AES_256")["CiphertextBlob"]
        made.append((name, "kms:" + base64.b64encode(blob).decode()))
    return made


def test_a_key_that_kms_wrapped_seals_and_another_takes_its_place(keys: list[tuple[str, str]]) -> None:
    old, new = keys
    use_keys(Settings(encryption_keys=(old,)))
    sealed = sealing.seal(b"payload")
    assert b"payload" not in sealed
    use_keys(Settings(encryption_keys=(new, old)))
    assert sealing.unseal(sealed) == b"payload"
    assert not sealing.is_current(sealed)
    assert sealing.is_current(sealing.seal(sealing.unseal(sealed)))


def test_what_kms_never_wrapped_is_refused_with_what_is_needed(keys: list[tuple[str, str]]) -> None:
    assert keys
    bad = ("k", "kms:" + base64.b64encode(b"never wrapped").decode())
    with pytest.raises((NetworkError, BadInput), match="the key that payloads are sealed under refused it"):
        use_keys(Settings(encryption_keys=(bad,)))
