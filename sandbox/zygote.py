"""The parent's side of the zygote: ask for execution environments, and end them all."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any, NamedTuple


class Child(NamedTuple):
    """A forked environment.

    Its process group, the connection to its handler, and the pipe that will say how it ended.
    """

    group: int
    connection: Connection[Any, Any]
    status: int


class Zygote:
    """A process that forks environments, from the moment it is made until `close`."""

    def __init__(self, log: Path) -> None:
        self._lock = threading.Lock()
        self._socket, theirs = socket.socketpair()
        fd = theirs.fileno()
        command = [sys.executable, "-P", "-m", "sandbox.runtime", str(fd)]
        with theirs, log.open("ab") as out:
            self._process = subprocess.Popen(  # noqa: S603 - ourselves
                command,
                pass_fds=[fd],
                stdout=out,
                stderr=out,
                process_group=0,  # Ctrl-C is for the sandbox alone, which ends the rest in order
            )

    def close(self) -> None:
        """End the process and everything that it forked."""
        self._socket.close()
        self._process.kill()
        self._process.wait()

    def fork(self, log: Path) -> Child:
        """Fork an environment whose standard output and errors go to the end of *log*.

        Raises:
            OSError: The zygote is gone: the sandbox is being stopped.
        """
        ours, theirs = Pipe()
        status, ending = os.pipe()
        with theirs, log.open("ab") as out, os.fdopen(ending, "wb") as end:
            group = self._ask([theirs.fileno(), end.fileno(), out.fileno()])
        return Child(group, ours, status)

    def _ask(self, fds: list[int]) -> int:
        with self._lock:
            socket.send_fds(self._socket, [b"f"], fds)
            answer = self._socket.recv(4)
        if not answer:
            message = "the zygote has ended"
            raise BrokenPipeError(message)
        return int.from_bytes(answer)
