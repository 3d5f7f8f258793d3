"""Build the zip of our Lambda functions, the same bytes every time: `python terraform/build_zip.py arm64 x86_64`.

One zip holds all four functions: they share most of what is in it, and each imports only what it needs. What is in it
and why (measured on two cores, see bench):

- Dependencies for the function's own platform, by hash, from `requirements-lambda*.lock`; nothing is built here.
- boto3 too, although Lambda has one: its version changes under a function that nobody deployed, and our SQS adapters
  stand on what this version does. Of botocore's 28 MB of data only what we call stays, so it costs little.
- `.pyc` files, checked neither by time nor by hash: without them a cold import takes 2.5 times as long. Dependencies
  are there as `.pyc` alone, without docstrings: a stack trace has their files and lines, and no text of theirs.
- Our own packages with the templates and migrations, and nothing of the sandbox, the tests or the bench.

The installed dependencies are kept in `build-lambda/`, by the lock's hash, so that a second build takes a few seconds.
"""

from __future__ import annotations

import compileall
import hashlib
import os
import py_compile
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
CACHE = ROOT / "build-lambda"
DIST = ROOT / "dist"
LOCKS = {"arm64": ROOT / "requirements-lambda-arm64.lock", "x86_64": ROOT / "requirements-lambda.lock"}
MAX_BYTES = 20_000_000

OURS = ("console", "deadletter", "migrations", "templates", "worker")
MACHINES = {"arm64": "aarch64", "x86_64": "x86_64"}
GLIBC = range(17, 27)
"""Lambda's python3.11 runs on Amazon Linux 2, whose C library is 2.26: a wheel for a newer one would not load.

For arm64, psycopg has none from 3.3 on (its Kerberos library wants 2.27), so that lock has the 3.2 before it.
"""

SERVICES = frozenset({
    "dynamodb", "dynamodbstreams", "events", "iam", "kinesis", "kms", "lambda", "pipes", "s3", "scheduler",
    "secretsmanager", "sns", "sqs", "sts",
})  # fmt: skip
"""What our code makes clients of; a test compares."""

# A web server and its debugger, a parser of C and the Python half of cffi (libraries need `_cffi_backend` alone), parts
# of Powertools, databases that are not ours, certificates that certifi has; and what developers need.
_NOT_NEEDED = (
    "waitress", "pycparser", "aws_lambda_powertools/event_handler", "aws_lambda_powertools/utilities/parser",
    "aws_lambda_powertools/utilities/auth_alpha", "zstandard/_cffi.*", "dialects/mysql", "dialects/oracle",
    "dialects/mssql", "sqlalchemy/ext/asyncio", "dateutil-zoneinfo.tar.gz", "integrations/django_*",
    "integrations/starlette_client", "integrations/httpx_client", "htmx-4*", "htmax-4*", "htmx-2.js",
    "cffi", "zstandard/backend_cffi.py", "werkzeug/debug", "jsonpatch_cli.py", "*-stubs",
    "botocore/cacert.pem", "boto3/data", "aws_lambda_powertools/utilities/kafka", "utilities/feature_flags",
    "utilities/data_masking", "utilities/streaming", "examples-1.json.gz", "*.pyi", "tests", "test", "testing",
    "examples", "__pycache__", "RECORD", "INSTALLER",
    "REQUESTED", "direct_url.json", "licenses", "*.c", "*.pxd", "*.pyx", "bin",
)  # fmt: skip
_EPOCH = (1980, 1, 1, 0, 0, 0)


def build(architecture: str, target: Path | None = None, *, effort: int = 9) -> Path:
    """Build one zip and return its path. *effort* is zlib's, up to 9: the smallest zip, and three times the work of 6.

    Raises:
        SystemExit: The dependencies cannot be installed, or the zip is too large; the text says which.
    """
    target = target or DIST / f"redrive-{architecture}.zip"
    target.parent.mkdir(parents=True, exist_ok=True)
    dependencies = _dependencies(architecture)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        tree = Path(folder) / "task"
        shutil.copytree(dependencies, tree, symlinks=True)
        for name in OURS:
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        _compile([tree / name for name in OURS], tree)
        _zip(tree, target, effort)
    if target.stat().st_size > MAX_BYTES:
        raise SystemExit(f"{target} has {target.stat().st_size:,} bytes, and may have at most {MAX_BYTES:,}.")
    return target


def _dependencies(architecture: str) -> Path:
    """Return the folder of the installed, pruned and compiled dependencies; anew for another lock or pruning."""
    known = hashlib.sha256(
        LOCKS[architecture].read_bytes() + Path(__file__).read_bytes() + repr(sys.version_info[:3]).encode()
    ).hexdigest()[:16]
    folder = CACHE / f"packages-{architecture}-{known}"
    if not folder.exists():
        making = CACHE / f"making-{architecture}-{os.getpid()}"
        shutil.rmtree(making, ignore_errors=True)
        _install(architecture, making)
        _prune(making)
        _compile([making], making, alone=True)
        making.rename(folder)
    return folder


def _install(architecture: str, folder: Path) -> None:
    machine = MACHINES[architecture]
    tags = [f"manylinux2014_{machine}", *(f"manylinux_2_{minor}_{machine}" for minor in GLIBC)]
    platforms = [word for tag in tags for word in ("--platform", tag)]
    command = [
        sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes",
        "--no-deps", "--no-compile", "--only-binary", ":all:", "--implementation", "cp", "--python-version", "3.11",
        "--abi", "cp311", "--abi", "abi3", "--abi", "none", *platforms, "--target", str(folder),
        "-r", str(LOCKS[architecture]),
    ]  # fmt: skip
    done = subprocess.run(command, check=False, stdout=sys.stderr)  # noqa: S603 - pip, as the make file runs it
    if done.returncode:
        raise SystemExit(
            f"The dependencies for {architecture} could not be installed: pip ended with {done.returncode}."
        )


def _prune(folder: Path) -> None:
    for path in sorted(_matching(folder, _NOT_NEEDED), reverse=True):
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
    for path in folder.glob("*.dist-info/METADATA"):  # its version is asked for; below the headers stands a README
        path.write_text(path.read_text("utf-8").partition("\n\n")[0] + "\n", "utf-8")
    for path in (folder / "botocore" / "data").iterdir():
        if path.is_dir() and path.name not in SERVICES:
            shutil.rmtree(path)
    for path in [*folder.rglob("*.so"), *folder.rglob("*.so.*")]:
        path.write_bytes(without_debugging(path.read_bytes()))


def without_debugging(library: bytes) -> bytes:
    """Return an ELF library with zeros where only a debugger looks, in sections that are not loaded: they pack well.

    Some wheels come with several megabytes of these. `strip` would do the same, if it were on every machine that
    builds, and of one version. (The layout is that of a 64-bit little-endian ELF file: see elf(5).)
    """
    if library[:6] != b"\x7fELF\x02\x01":
        return library
    table, size, count, names_at = (*struct.unpack_from("<Q", library, 40), *struct.unpack_from("<HHH", library, 58))
    headers = [struct.unpack_from("<IIQQQQ", library, table + n * size) for n in range(count)]
    cleaned = bytearray(library)
    for n, (_, kind, flags, _, start, length) in enumerate(headers):
        if kind != _NO_BYTES and not flags & _LOADED and n != names_at and start:
            cleaned[start : start + length] = bytes(length)
    return bytes(cleaned)


_NO_BYTES, _LOADED = 8, 2  # SHT_NOBITS, SHF_ALLOC


def _matching(folder: Path, patterns: Iterable[str]) -> Iterator[Path]:
    for pattern in patterns:
        yield from folder.rglob(pattern)


def _compile(folders: Iterable[Path], root: Path, *, alone: bool = False) -> None:
    """Compile for `/var/task`, where Lambda unpacks it; never looked at again, so that no time stands in the file.

    *alone*: in the source's place, and without docstrings.
    """
    for folder in folders:
        compileall.compile_dir(
            folder,
            quiet=2,
            stripdir=str(root),
            prependdir="/var/task",
            workers=1,
            legacy=alone,
            optimize=2 if alone else -1,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
        for source in sorted(folder.rglob("*.py")) if alone else ():
            if source.with_suffix(".pyc").exists():
                source.unlink()


def _zip(tree: Path, target: Path, effort: int) -> None:
    files = sorted(path for path in tree.rglob("*") if path.is_file())
    with zipfile.ZipFile(target, "w") as archive:
        for path in files:
            entry = zipfile.ZipInfo(path.relative_to(tree).as_posix(), date_time=_EPOCH)
            entry.external_attr = (0o100755 if path.suffix == ".so" else 0o100644) << 16
            entry.create_system = 3
            archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED, effort)


def main(architectures: list[str]) -> int:
    """Build each zip twice, and print what it is.

    Raises:
        SystemExit: The two differ.
    """
    for architecture in architectures or sorted(MACHINES):
        path = build(architecture)
        again = build(architecture, CACHE / f"again-{architecture}.zip")
        first, second = (hashlib.sha256(each.read_bytes()).hexdigest() for each in (path, again))
        if first != second:
            raise SystemExit(f"Two builds for {architecture} differ: {first} and {second}.")
        sys.stdout.write(f"{path.relative_to(ROOT)}  {path.stat().st_size:,} bytes  sha256 {first}, twice\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
