"""microburst between a worker and the sandbox: calls that are lost, cut short, or turned away, as rules say."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tests.worker.conftest import wait_until

Rule = Mapping[str, Any]

LOST: Rule = {"response": {"abort_bytes": 1}}
"""The call is carried out, and the connection breaks before its answer is there."""

CUT_SHORT: Rule = {"response": {"truncate_frac": 0.3}}
"""The call is carried out, and a third of its answer comes, in a whole envelope."""


class Burst:
    """One microburst, in front of one endpoint."""

    def __init__(self, url: str) -> None:
        self.url = url

    def become(self, *rules: Rule) -> None:
        """Let these rules hold from now on, and no others; each acts on every service unless it names one."""
        self._ask("/_microburst/rules", [{"service": "*"} | dict(rule) for rule in rules], method="POST")
        self._ask("/_microburst/fired", method="DELETE")

    def fired(self) -> list[dict[str, Any]]:
        """Return what it did since the last `become`."""
        found: list[dict[str, Any]] = self._ask("/_microburst/fired")
        return found

    def _ask(self, path: str, body: Any = None, method: str = "GET") -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, method=method)  # noqa: S310 - our own, on this machine
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return json.loads(answer.read() or b"null")


@contextmanager
def bursts(*upstreams: str) -> Iterator[list[Burst]]:
    """Run a microburst in front of each of *upstreams*; yield them once they answer."""
    ports = [_free_port() for _ in upstreams]
    processes = [_start(upstream, port) for upstream, port in zip(upstreams, ports, strict=True)]
    try:
        wait_until(lambda: all(_listens(port) for port in ports), 60.0)
        yield [Burst(f"http://127.0.0.1:{port}") for port in ports]
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _start(upstream: str, port: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "microburst", "--upstream", upstream, "--host", "127.0.0.1", "--port", str(port)]
    null = subprocess.DEVNULL
    return subprocess.Popen(command, stdin=null, stdout=null, stderr=null)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
