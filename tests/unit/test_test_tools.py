"""The tests' own promises: no network but this machine, and no test that is skipped in silence."""

import socket

import pytest

from tests.tools import require_tool


@pytest.mark.parametrize("address", ["192.0.2.1", "169.254.169.254", "2001:db8::1"])
def test_an_address_beyond_this_machine_is_refused_before_the_first_packet(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as connection, pytest.raises(PermissionError, match="Tests talk to"):
        connection.connect((address, 80))


def test_a_name_is_not_even_looked_up() -> None:
    with pytest.raises(PermissionError, match=r"sqs\.eu-west-1\.amazonaws\.com"):
        socket.getaddrinfo("sqs.eu-west-1.amazonaws.com", 443)


def test_this_machine_can_be_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as connection:
        assert connection.getpeername() == server.getsockname()


def test_a_missing_tool_skips_loudly_or_fails_where_it_must_not_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REDRIVE_REQUIRE_TOOLS", raising=False)
    with pytest.raises(pytest.skip.Exception, match="NOT RUN: Chromium was not found"):
        require_tool("Chromium", None)
    monkeypatch.setenv("REDRIVE_REQUIRE_TOOLS", "1")
    with pytest.raises(pytest.fail.Exception, match="REDRIVE_REQUIRE_TOOLS=1 makes that a failure"):
        require_tool("Chromium", None)
    require_tool("Chromium", "/usr/bin/chromium")
