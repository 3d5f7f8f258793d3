"""The zygote: ``python -m sandbox.runtime FD`` forks an environment for every three descriptors that arrive at FD.

The descriptors are the environment's connection, the pipe for its exit status, and its log. Each environment is two
processes: a keeper, which leads their process group and reports how the other one ended, and the one that runs the
handler. All of them end when the sandbox does, however it ends: the zygote sees its socket close, and the kernel
kills the children of who is gone.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import signal
import socket
import sys
import traceback
from contextlib import suppress
from functools import cache
from multiprocessing.connection import Connection

from sandbox.runtime.bootstrap import run

PRELOADED = (
    "boto3",
    "aws_lambda_powertools.metrics",
    "aws_lambda_powertools.utilities.batch",
    "aws_lambda_powertools.utilities.idempotency",
)
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


def main() -> None:
    """Fork until the sandbox closes its end of the socket."""
    for name in PRELOADED:
        with suppress(ImportError):
            importlib.import_module(name)
    with suppress(ImportError):
        _read_descriptions()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # keepers need no waiting for
    with socket.socket(fileno=int(sys.argv[1])) as sandbox:
        while fds := socket.recv_fds(sandbox, 1, 3)[1]:
            pid = _fork_keeper(sandbox, *fds)
            sandbox.sendall(pid.to_bytes(4))


def _read_descriptions() -> None:
    """Let botocore read its descriptions of services here, once: half of what a cold start takes is reading them."""
    import boto3  # noqa: PLC0415 - preloaded, where it is installed
    from botocore.loaders import JSONFileLoader  # noqa: PLC0415

    read = cache(JSONFileLoader().load_file)
    JSONFileLoader.load_file = lambda _self, path: read(path)  # type: ignore[method-assign, assignment]
    session = boto3.Session("x", "x", region_name="us-east-1")  # not the default one: that is the handlers' own
    session.resource("dynamodb", endpoint_url="http://127.0.0.1:9")


def _fork_keeper(sandbox: socket.socket, connection: int, status: int, log: int) -> int:
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        sandbox.close()
        _die_with(parent)
        _keep(connection, status, log)
    for fd in (connection, status, log):
        os.close(fd)
    return pid


def _keep(connection: int, status: int, log: int) -> None:
    """Run the handler in a process of its own, and say how it ended: its exit status, or minus the signal."""
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    keeper = os.getpid()
    pid = os.fork()
    if pid == 0:
        os.close(status)
        _die_with(keeper)
        _be_environment(connection, log)
    os.close(connection)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.write(status, str(code).encode())
    os._exit(0)


def _be_environment(connection: int, log: int) -> None:
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    code = 0
    try:
        run(Connection(connection))
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except BaseException:  # noqa: BLE001 - the last frame of the process
        traceback.print_exc()
        code = 1
    finally:
        with suppress(OSError):
            sys.stdout.flush()
        os._exit(code)


def _die_with(parent: int) -> None:
    """Be killed when *parent* ends. Elsewhere than on Linux, end when the connection closes instead."""
    if sys.platform == "linux":
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


if __name__ == "__main__":
    main()
