"""A server that answers wrongly, or not at all: what a network does between us and AWS."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, repeat


@contextmanager
def answering(answer: bytes, *later: bytes, hung_up: threading.Semaphore | None = None) -> Iterator[str]:
    """Read every request to its end, send *answer* as it stands, and hang up; yield the URL.

    Requests after the first get what is given *later*, in its order, and the last of it over and over.
    *hung_up* is released each time that a connection is closed.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_serve, args=[server, [answer, *later], hung_up], daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


def http(status: str, body: bytes, *, length: int | None = None, headers: str = "") -> bytes:
    """Return an answer as bytes; *length* may lie about how long the body is."""
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\nContent-Length: {size}\r\n{headers}\r\n".encode() + body


def _serve(server: socket.socket, answers: list[bytes], hung_up: threading.Semaphore | None) -> None:
    for answer in chain(answers, repeat(answers[-1])):
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection:
            _read_request(connection)
            connection.sendall(answer)
        if hung_up:
            hung_up.release()


def _read_request(connection: socket.socket) -> None:
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65_536)
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line.partition(b":")[2] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")]
    while len(body) < int(lengths[0] if lengths else 0):
        body += connection.recv(65_536)
