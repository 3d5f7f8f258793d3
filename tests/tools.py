"""What to do when a program that a test needs is not there."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest


def require_tool(name: str, found: object) -> None:
    """Skip the test, loudly, unless *found*; with REDRIVE_REQUIRE_TOOLS=1 (as `.ci/run` sets it) fail it instead."""
    if found:
        return
    sentence = f"{name} was not found on this machine. Install it to run this test."
    if os.environ.get("REDRIVE_REQUIRE_TOOLS") == "1":
        pytest.fail(f"{sentence} REDRIVE_REQUIRE_TOOLS=1 makes that a failure.", pytrace=False)
    pytest.skip(f"NOT RUN: {sentence}")


def postgres_programs() -> Path | None:
    """Return the folder of PostgreSQL's programs: the newest of Debian's, else the one on PATH; None without any."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if debian:
        return debian[-1].parent
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None
