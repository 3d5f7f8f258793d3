"""The Dockerfile and the compose file say what the README promises of them."""

import re
from pathlib import Path
from typing import Any

import yaml

from console.cli import cli
from console.commands.supervisor import SPARE_S
from deadletter.settings import Settings
from tests.container.dockerfile import ROOT, read_dockerfile, words

STAGES = read_dockerfile((ROOT / "Dockerfile").read_text())
BUILD, FINAL = STAGES
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]


def pins(name: str) -> dict[str, tuple[str, frozenset[str]]]:
    """Return version and hashes of every package that a lock names."""
    text = (ROOT / name).read_text()
    found = re.findall(r"^([a-z0-9._-]+)(?:\[[^\]]*\])?==(\S+)((?:.*\\\n.*--hash\S*)+)", text, re.MULTILINE)
    return {package: (version, frozenset(re.findall(r"sha256:\w+", hashes))) for package, version, hashes in found}


def test_what_is_installed_is_a_part_of_the_one_lock() -> None:
    whole = pins("requirements.lock")
    for name in ("requirements-service.lock", "requirements-lambda.lock"):
        part = pins(name)
        assert len(part) > 30
        assert {package: whole.get(package) for package in part} == part


def test_on_arm64_nothing_differs_but_the_driver() -> None:
    usual, other = pins("requirements-lambda.lock"), pins("requirements-lambda-arm64.lock")
    assert usual.keys() == other.keys()
    assert {name for name in usual if usual[name][0] != other[name][0]} == {"psycopg", "psycopg-binary"}


def test_nothing_that_only_developers_need_is_installed() -> None:
    assert not pins("requirements-service.lock").keys() & {
        "pytest",
        "mypy",
        "ruff",
        "ministack",
        "playwright",
        "django",
    }


def test_every_hash_is_checked_and_nothing_is_built() -> None:
    installs = [step for step in BUILD.all("RUN") if "install" in step]
    assert all("--require-hashes" in step and "--only-binary :all:" in step for step in installs)
    assert not [step for step in FINAL.all("RUN") if "pip" in step]


def test_it_copies_the_product_and_neither_the_sandbox_nor_the_tests() -> None:
    copied = {rest.split()[0] for rest in BUILD.all("COPY")}
    assert copied == {"requirements-service.lock", "console", "deadletter", "migrations", "templates", "worker"}
    assert all((ROOT / each).exists() for each in copied)
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert allowed == copied


def test_it_runs_as_a_user_who_is_not_root_and_by_number() -> None:
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", FINAL.last("USER"))
    position = [step.word for step in FINAL.steps].index("USER")
    assert not {"RUN", "COPY"} & {step.word for step in FINAL.steps[position:]}


def test_its_commands_are_commands() -> None:
    assert words(FINAL.last("ENTRYPOINT")) == ["redrive"]
    health = words(FINAL.last("HEALTHCHECK").partition("CMD ")[2])
    assert {*words(FINAL.last("CMD")), health[1]} <= set(cli.list_commands(None))  # type: ignore[arg-type] # unused


def test_every_stage_stands_on_the_same_base_with_a_version() -> None:
    assert {stage.base for stage in STAGES} == {"python:${PYTHON}"}
    assert re.search(r"^ARG PYTHON=3\.11-", (ROOT / "Dockerfile").read_text(), re.MULTILINE)


def test_nobody_kills_before_the_worker_has_had_its_time() -> None:
    grace = float(SERVICES["redrive"]["stop_grace_period"].removesuffix("s"))
    assert Settings().stop_within_s + SPARE_S < grace


def test_the_composed_service_can_write_nothing_and_gain_nothing() -> None:
    ours = SERVICES["redrive"]
    assert ours["read_only"] is True
    assert ours["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in ours["security_opt"]


def test_it_is_published_on_loopback_alone() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports == ["127.0.0.1:8080:8080"]


def test_no_secret_stands_in_an_environment_variable_or_in_the_repository() -> None:
    for service in SERVICES.values():
        for name, value in service["environment"].items():
            assert name.endswith("_FILE") or not re.search("PASSWORD|SECRET|TOKEN|URL", name), name
            assert "://" not in str(value)
    for secret in COMPOSE["secrets"].values():
        assert Path(secret["file"]).parent.name in (ROOT / ".gitignore").read_text()


def test_it_waits_for_a_database_that_answers() -> None:
    assert SERVICES["redrive"]["depends_on"]["database"]["condition"] == "service_healthy"
    assert "healthcheck" in SERVICES["database"]
