"""Our Terraform, parsed: blocks as plain Python, so that tests can ask what the stack promises."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import hcl2

ROOT = Path(__file__).parents[2] / "terraform"
STACK = ROOT
FAILURE_HOME = ROOT / "modules" / "failure-home"


@dataclass(frozen=True)
class Block:
    """One resource or data source. `body` is what python-hcl2 makes of it; `text` its source."""

    kind: str
    type: str
    name: str
    body: dict[str, Any]
    text: str

    def value(self, name: str) -> Any:
        """Return an argument as it is written, without quotes and the marks of an expression."""
        return plain(self.body[name])

    def inner(self, name: str) -> dict[str, Any]:
        """Return the one nested block of that name."""
        (found,) = self.body[name]
        return {key: plain(value) for key, value in found.items() if not key.startswith("__")}


def plain(value: Any) -> Any:
    if isinstance(value, str):
        return value.removeprefix("${").removesuffix("}") if value.startswith("${") else value.strip('"')
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return {plain(key): plain(each) for key, each in value.items() if not key.startswith("__")}
    return value


@cache
def blocks(folder: Path) -> list[Block]:
    """Return every resource and data source of a module."""
    found = []
    for path in sorted(folder.glob("*.tf")):
        source = path.read_text(encoding="utf-8")
        for kind in ("resource", "data"):
            for each in hcl2.loads(source).get(kind, []):
                for of_type, named in each.items():
                    for name, body in named.items():
                        text = re.search(rf"^{kind} {of_type} {name} {{.*?^}}", source, re.MULTILINE | re.DOTALL)
                        found.append(Block(kind, of_type.strip('"'), name.strip('"'), body, text[0] if text else ""))
    return found


def of_type(folder: Path, name: str) -> dict[str, Block]:
    """Return the blocks of one type, by name."""
    return {block.name: block for block in blocks(folder) if block.type == name}


@cache
def local(folder: Path, name: str) -> Any:
    """Return a local value."""
    for path in sorted(folder.glob("*.tf")):
        for each in hcl2.loads(path.read_text(encoding="utf-8")).get("locals", []):
            if name in each:
                return plain(each[name])
    raise KeyError(name)


def statements(block: Block) -> list[dict[str, Any]]:
    """Return the statements of a policy document, also those that are there only sometimes."""
    found = list(block.body.get("statement", []))
    for each in block.body.get("dynamic", []):
        found += [content for inner in each.values() if isinstance(inner, dict) for content in inner["content"]]
    return [{key: plain(value) for key, value in each.items() if not key.startswith("__")} for each in found]
