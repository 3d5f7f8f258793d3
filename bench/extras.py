"""What ours is measured against and is no part of it: installed beside, by hash, into an environment of its own."""

from __future__ import annotations

import subprocess
import sys
import venv
from importlib import import_module
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[1]
PLACE = ROOT / ".venv-bench"
LOCK = Path(__file__).with_name("requirements.lock")


def extra(name: str) -> ModuleType | None:
    """Return a module out of `requirements.lock`; None, said on stderr, where it cannot be installed."""
    packages = _packages()
    if packages is None:
        return None
    if str(packages) not in sys.path:
        sys.path.append(str(packages))  # last: what both have is ours
    return import_module(name)


def _packages() -> Path | None:
    stamp = PLACE / LOCK.name
    if not stamp.exists() or stamp.read_text() != LOCK.read_text():
        venv.create(PLACE, with_pip=True, clear=True)
        install = [str(PLACE / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        try:
            subprocess.run([*install, "--require-hashes", "--no-deps", "-r", str(LOCK)], check=True, timeout=300)
        except subprocess.SubprocessError as error:
            sys.stderr.write(f"What is in {LOCK.name} could not be installed, so it is not measured: {error}\n")
            return None
        stamp.write_text(LOCK.read_text())
    return next((PLACE / "lib").glob("python*/site-packages"))
