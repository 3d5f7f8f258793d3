"""The emulator that the sandbox stands on: ministack, in a child process that ends when its parent does."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Self

from sandbox.functions import ACCOUNT, REGION

HOST = "127.0.0.1"
START_TIMEOUT_S = 15.0
_PAUSE_S = 0.02
_LAMBDA, _SCALE = "SANDBOX_LAMBDA_ENDPOINT", "SANDBOX_SCALE"


class Emulator:
    """ministack. Use as a context manager: entered, it answers; left, it is gone and so is what it held."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        self._folder = folder
        self._port = port or free_port()
        self._settings: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        """Where it answers."""
        return f"http://{HOST}:{self._port}"

    def start(self, lambda_endpoint: str = "", scale: float = 1.0) -> None:
        """Start the process without waiting for it.

        Args:
            lambda_endpoint: Where the functions are that topics and rules call; without it they reach none.
            scale: How many seconds a second of AWS lasts, between retries of such calls.
        """
        self._settings = {_LAMBDA: lambda_endpoint, _SCALE: str(scale)}
        with (self._folder / "ministack.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "sandbox.emulator"],
                env=self._env(),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                process_group=0,  # Ctrl-C is for the sandbox alone, which ends the rest in order
            )

    def __enter__(self) -> Self:
        """Start it if `start` has not, and wait until it answers."""
        if self._process is None:
            self.start()
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            if time.monotonic() > deadline or (self._process and self._process.poll() is not None):
                self.__exit__()
                message = f"ministack did not start on port {self._port}; {self._folder / 'ministack.log'} says why."
                raise RuntimeError(message)
            time.sleep(_PAUSE_S)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process and self._process.stdin:
            self._process.stdin.close()
            self._process.kill()
            self._process.wait()

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection(HOST, self._port, timeout=1)
        try:
            connection.request("GET", "/_ministack/health")
            return connection.getresponse().status == http.client.OK
        except OSError:
            return False
        finally:
            connection.close()

    def _env(self) -> dict[str, str]:
        """Return ministack's settings. Without `BIND_HOST` it would listen on every interface."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return ours | {
            "BIND_HOST": HOST,
            "GATEWAY_PORT": str(self._port),
            "MINISTACK_HOST": HOST,
            "MINISTACK_REGION": REGION,
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "AWS_ENDPOINT_URL": self.endpoint,
            "S3_DATA_DIR": str(self._folder / "s3"),
            "STATE_DIR": str(self._folder / "state"),
            "TMPDIR": str(self._folder),
            "LOG_LEVEL": "WARNING",
            "IOT_MTLS_ENABLED": "0",  # a broker on every interface, whose certificate takes most of a start
            "SFTP_ENABLED": "0",
            **self._settings,
        }


def free_port() -> int:
    """Return a port of 127.0.0.1 that nothing listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _end_with_parent() -> None:
    """End when standard input closes: the parent holds its other end, and the kernel closes it if the parent dies."""
    sys.stdin.buffer.read()
    os._exit(0)


def main() -> None:
    """Be ministack."""
    from ministack.app import main as serve  # type: ignore[import-untyped]  # noqa: PLC0415 - heavy, and needed here only

    threading.Thread(target=_end_with_parent, daemon=True).start()
    if lambda_endpoint := os.environ.get(_LAMBDA):
        _reach_functions(lambda_endpoint)
    serve()


def _reach_functions(lambda_endpoint: str) -> None:
    """Let topics and rules call the functions at *lambda_endpoint*."""
    from sandbox.clients import Clients  # noqa: PLC0415 - needed in the child only
    from sandbox.fanout import Fanout, install  # noqa: PLC0415

    clients = Clients(os.environ["AWS_ENDPOINT_URL"], lambda_endpoint)
    install(Fanout(clients, float(os.environ[_SCALE])))


if __name__ == "__main__":
    main()
