from pathlib import Path

import pytest

from deadletter.approval import ApprovalRules
from deadletter.errors import BadInput
from deadletter.secret_rules import SecretRules
from deadletter.settings import Oidc, Settings, SignIn


def test_an_empty_environment_gives_the_defaults_but_for_who_is_logged_in() -> None:
    settings = Settings.from_env({})
    assert settings == Settings(operator=settings.operator, processes=settings.processes)
    assert 1 <= settings.processes <= 4
    assert settings.operator


def test_a_variable_set_to_nothing_is_one_not_set() -> None:
    names = ("DATA_DIR", "HOST", "PORT", "ALLOWED_HOSTS", "RATE", "SETTLE_S", "SIGN_IN", "OPERATOR", "LABEL")
    env = {f"REDRIVE_{name}": "" for name in names} | {"DATABASE_URL": ""}
    assert Settings.from_env(env) == Settings.from_env({})


def test_every_variable_is_read() -> None:
    env = {
        "REDRIVE_DATA_DIR": "/srv/redrive",
        "REDRIVE_HOST": "::1",
        "REDRIVE_PORT": "9000",
        "REDRIVE_ALLOWED_HOSTS": "Redrive.example.com, 10.0.0.1 ,",
        "REDRIVE_OPERATOR": "ada",
        "REDRIVE_LABEL": "shop-prod",
        "REDRIVE_RECEIVERS": "2",
        "REDRIVE_RECEIVE_WAIT_S": "0.5",
        "REDRIVE_PROCESSES": "3",
        "REDRIVE_RATE": "0.01",
        "REDRIVE_CONCURRENCY": "1",
        "REDRIVE_SETTLE_S": "0",
        "REDRIVE_LEASE_S": "5",
        "REDRIVE_SECRET_KEYS": "IBAN, tax_id",
        "REDRIVE_METRICS_TOKEN": "metrics-token",
        "REDRIVE_SIGN_IN": "Accounts",
        "REDRIVE_SESSION_HOURS": "1",
        "REDRIVE_PUBLIC_URL": "https://redrive.example.com/",
        "REDRIVE_APPROVAL_ABOVE": "500",
        "REDRIVE_APPROVAL_TARGETS": "*:payments-*, *:ledger",
        "REDRIVE_APPROVAL_HOURS": "2",
        "REDRIVE_ENCRYPTION_KEYS": "new=kms:AAEC, old=AwQF",
        "REDRIVE_ADMIN_PASSWORD": "at least twelve",
        "REDRIVE_OIDC_ISSUER": "https://id.example.com",
        "REDRIVE_OIDC_CLIENT_ID": "redrive",
        "REDRIVE_OIDC_CLIENT_SECRET": "s3cret",
        "REDRIVE_OIDC_ROLES": "sre=operator",
        "REDRIVE_OIDC_GROUPS_CLAIM": "teams",
        "REDRIVE_OIDC_SCOPE": "openid teams",
    }
    assert Settings.from_env(env) == Settings(
        data_dir=Path("/srv/redrive"),
        host="::1",
        port=9000,
        allowed_hosts=frozenset({"redrive.example.com", "10.0.0.1"}),
        operator="ada",
        account_label="shop-prod",
        receivers=2,
        receive_wait_s=0.5,
        processes=3,
        rate=0.01,
        concurrency=1,
        settle_s=0.0,
        lease_s=5.0,
        secrets=SecretRules(frozenset({"iban", "tax_id"})),
        metrics_token="metrics-token",
        sign_in=SignIn.ACCOUNTS,
        session_hours=1.0,
        public_url="https://redrive.example.com",
        encryption_keys=(("new", "kms:AAEC"), ("old", "AwQF")),
        approval=ApprovalRules(above=500, targets=("*:ledger", "*:payments-*"), hours=2.0),
        admin_password="at least twelve",
        oidc=Oidc(
            issuer="https://id.example.com",
            client_id="redrive",
            client_secret="s3cret",
            roles="sre=operator",
            groups_claim="teams",
            scope="openid teams",
        ),
    )


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("REDRIVE_PORT", "http", "REDRIVE_PORT is 'http', and must be a number from 0 to 65535."),
        ("REDRIVE_PORT", "65536", "REDRIVE_PORT is '65536', and must be a number from 0 to 65535."),
        ("REDRIVE_PORT", "8080.5", "REDRIVE_PORT is '8080.5', and must be a whole number."),
        ("REDRIVE_RATE", "0", "REDRIVE_RATE is '0', and must be a number from 0.01 to 10000."),
        ("REDRIVE_RATE", "nan", "REDRIVE_RATE is 'nan', and must be a number"),
        ("REDRIVE_RATE", "inf", "REDRIVE_RATE is 'inf', and must be a number"),
        ("REDRIVE_SETTLE_S", "-1", "REDRIVE_SETTLE_S is '-1', and must be a number from 0 to 86400."),
        ("REDRIVE_SIGN_IN", "perhaps", "REDRIVE_SIGN_IN is 'perhaps', and must be one of: link, accounts, off."),
        (
            "REDRIVE_PUBLIC_URL",
            "ftp://x",
            "REDRIVE_PUBLIC_URL is 'ftp://x', and must be like https://redrive.example.com.",
        ),
    ],
)
def test_a_value_out_of_range_names_its_variable_and_the_range(name: str, value: str, sentence: str) -> None:
    with pytest.raises(BadInput) as refused:
        Settings.from_env({name: value})
    assert sentence in str(refused.value)


def test_the_database_is_a_file_in_the_data_folder_unless_named() -> None:
    assert Settings(data_dir=Path("/srv/redrive")).url == "sqlite:////srv/redrive/redrive.db"


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_a_postgresql_url_names_the_driver_that_is_installed(scheme: str) -> None:
    settings = Settings.from_env({"DATABASE_URL": f"{scheme}://redrive@db/redrive"})
    assert settings.url == "postgresql+psycopg://redrive@db/redrive"


@pytest.mark.parametrize(
    "url", ["nonsense", "mysql://ada:hunter2@db/shop", "http://db", "sqlite://", "sqlite:///:memory:"]
)
def test_a_database_of_another_kind_is_refused_without_telling_its_password(url: str) -> None:
    with pytest.raises(BadInput, match="DATABASE_URL must be like postgresql://user@host/name") as caught:
        Settings.from_env({"DATABASE_URL": url})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("env", "label"),
    [
        ({"REDRIVE_LABEL": "prod", "AWS_PROFILE": "p", "AWS_REGION": "r"}, "prod"),
        ({"AWS_PROFILE": "p", "AWS_REGION": "r"}, "p"),
        ({"AWS_REGION": "r", "AWS_DEFAULT_REGION": "d"}, "r"),
        ({"AWS_DEFAULT_REGION": "d"}, "d"),
        ({}, ""),
    ],
)
def test_the_account_is_labelled_by_the_best_name_there_is(env: dict[str, str], label: str) -> None:
    assert Settings.from_env(env).account_label == label


def test_roles_are_named_with_their_regions() -> None:
    text = "arn:aws:iam::111122223333:role/ops/redrive@eu-west-1+us-east-1 arn:aws:iam::444455556666:role/redrive"
    first, second = Settings.from_env({"REDRIVE_ROLES": text}).roles
    assert (first.arn, first.account) == ("arn:aws:iam::111122223333:role/ops/redrive", "111122223333")
    assert first.regions == ("eu-west-1", "us-east-1")
    assert (second.account, second.regions) == ("444455556666", ())


@pytest.mark.parametrize("text", ["redrive", "arn:aws:iam::1:role/x", "arn:aws:iam::111122223333:user/x"])
def test_a_role_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match=r"REDRIVE_ROLES has .*, which is no role\.") as refused:
        Settings.from_env({"REDRIVE_ROLES": text})
    assert "@eu-west-1+us-east-1" in str(refused.value)


def test_two_roles_for_one_account_are_refused() -> None:
    role = "arn:aws:iam::111122223333:role/{}"
    with pytest.raises(BadInput, match="two roles for account 111122223333"):
        Settings.from_env({"REDRIVE_ROLES": f"{role.format('a')} {role.format('b')}"})
