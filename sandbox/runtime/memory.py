"""The memory limit: who grows beyond it is killed, as the kernel kills on AWS."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_STATM = Path("/proc/self/statm")
_CHECK_S = 0.02
_running = threading.Event()


def limit_memory(megabytes: int) -> None:
    """Kill this process as soon as it holds more than *megabytes* beyond what it holds now.

    Only where `/proc` is (Linux). Counted from here on because a forked environment shares what the zygote has loaded.
    """
    with suppress(OSError):
        limit = _resident() + megabytes * 1024 * 1024
        threading.Thread(target=_watch, args=(limit,), daemon=True, name="memory-limit").start()


@contextmanager
def running() -> Iterator[None]:
    """Say that an invocation runs: between two, an environment is frozen, and dozens of them cost nothing."""
    _running.set()
    try:
        yield
    finally:
        _running.clear()


def _resident() -> int:
    return int(_STATM.read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _watch(limit: int) -> None:
    never = threading.Event()
    while _running.wait():
        if _resident() > limit:
            os.kill(os.getpid(), signal.SIGKILL)
        never.wait(_CHECK_S)
