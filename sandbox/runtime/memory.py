"""The memory limit: who grows beyond it is killed, as the kernel kills on AWS."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from pathlib import Path

_STATM = Path("/proc/self/statm")
_CHECK_S = 0.02


def limit_memory(megabytes: int) -> None:
    """Kill this process as soon as it holds more than *megabytes* beyond what it holds now.

    Only where `/proc` is (Linux). Counted from here on because a forked environment shares what the zygote has loaded.
    """
    with suppress(OSError):
        limit = _resident() + megabytes * 1024 * 1024
        threading.Thread(target=_watch, args=(limit,), daemon=True, name="memory-limit").start()


def _resident() -> int:
    return int(_STATM.read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _watch(limit: int) -> None:
    never = threading.Event()
    while not never.wait(_CHECK_S):
        if _resident() > limit:
            os.kill(os.getpid(), signal.SIGKILL)
