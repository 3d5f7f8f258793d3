"""What the README and docs/ tell a stranger is so: commands, settings, permissions, pictures, and where each is."""

import json
import re
from pathlib import Path

import click
import pytest

from console.cli import cli
from console.policy import COLLECT, REDRIVE
from deadletter.aws import discovery
from deadletter.aws.listing import Listing
from deadletter.settings import Settings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
THE_SETTINGS, THE_COMMANDS, THE_PERMISSIONS = (
    (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8") for name in ("settings", "commands", "permissions")
)
PAGES = ["README.md", "SECURITY.md", *(f"docs/{page.name}" for page in sorted((ROOT / "docs").glob("*.md")))]
SETTINGS = (ROOT / "deadletter" / "settings.py").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^redrive ((?:sources add|db upgrade|[a-z]+))", THE_COMMANDS, re.MULTILINE)


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_that_it_lists_is_there(words: str) -> None:
    command: click.Command | None = cli
    for word in words.split():
        assert isinstance(command, click.Group)
        command = command.get_command(click.Context(command), word)
    assert command is not None


def test_it_lists_every_command() -> None:
    assert {words.split()[0] for words in COMMANDS} == set(cli.list_commands(click.Context(cli)))


def test_it_lists_every_setting_and_none_besides() -> None:
    name = r"\b(?:REDRIVE_[A-Z_]+|DATABASE_URL)\b"
    table = THE_SETTINGS.partition("\n## ")[0]
    known = set(re.findall(rf'"({name})"', SETTINGS))
    assert set(re.findall(name, table)) == known


def test_its_settings_have_the_defaults_that_it_says() -> None:
    defaults = Settings.from_env({})
    assert f"| `REDRIVE_RATE`, `REDRIVE_CONCURRENCY` | `{defaults.rate:g}`, `{defaults.concurrency}` |" in THE_SETTINGS
    assert f"| `{defaults.receivers}`, `{defaults.receive_wait_s:g}` |" in THE_SETTINGS
    assert f"| `REDRIVE_LEASE_S` | `{defaults.lease_s:g}` |" in THE_SETTINGS


def test_its_policy_allows_what_the_code_calls_and_no_more() -> None:
    policy = json.loads(re.findall(r"```json\n(.*?)```", THE_PERMISSIONS, re.DOTALL)[0])
    allowed = {frozenset(statement["Action"]) for statement in policy["Statement"]}
    assert allowed == {frozenset(COLLECT), *map(frozenset, REDRIVE.values())}


def test_it_lists_every_permission_that_discovery_uses() -> None:
    paragraph = re.findall(
        r"^`redrive discover`, as the Discovery page, reads the account.*?\n\n",
        THE_PERMISSIONS,
        re.MULTILINE | re.DOTALL,
    )[0]
    used = {each.action for each in vars(discovery).values() if isinstance(each, Listing)}
    assert set(re.findall(r"`([a-z]+:[A-Z]\w+)`", paragraph)) == used


def test_its_pictures_are_there() -> None:
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README)
    assert len(pictures) == 2
    assert all((ROOT / picture).stat().st_size > 10_000 for picture in pictures)


@pytest.mark.parametrize("page", PAGES)
def test_every_link_of_a_page_leads_to_a_file(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text) if "://" not in link]
    assert [link for link in links if not (ROOT / page).parent.joinpath(link).exists()] == []


def test_the_readme_leads_to_every_page() -> None:
    linked = set(re.findall(r"\]\((docs/[a-z]+\.md)\)", README))
    assert linked == {page for page in PAGES if page.startswith("docs/")}
