"""How long the sandbox and the whole story take."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.rows import Row, under
from bench.sizes import Size
from sandbox.local import Sandbox

MOST_READY_S = 3.0
MOST_STORY_S = 40.0


def measure(_size: Size) -> list[Row]:
    """Return the two rows."""
    return [
        under(MOST_READY_S, "sandbox ready", _ready_s(), "s"),
        under(MOST_STORY_S, "demo --once, all of it", _story_s(), "s"),
    ]


def _ready_s() -> float:
    with tempfile.TemporaryDirectory() as folder:
        at = time.perf_counter()
        with Sandbox(Path(folder)):
            return time.perf_counter() - at


def _story_s() -> float:
    """Return how long the demo takes from its command to its end, in seconds; raise if a check of it does not hold."""
    with tempfile.TemporaryDirectory() as folder:
        at = time.perf_counter()
        command = [sys.executable, "-m", "sandbox.demo", "--once", "--data", folder]
        subprocess.run(command, check=True, capture_output=True)
        return time.perf_counter() - at
