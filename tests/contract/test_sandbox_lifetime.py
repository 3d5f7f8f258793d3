"""The sandbox is there at once, listens on this machine only, and leaves nothing behind however it ends."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import boto3
import pytest
import requests

from sandbox.__main__ import main
from sandbox.emulator import free_port
from tests.worker.conftest import wait_until

pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="reads /proc to see which processes are left")


class Running:
    """``python -m sandbox`` in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.lambda_port = free_port()
        ports = ["--port", str(free_port()), "--lambda-port", str(self.lambda_port)]
        command = [sys.executable, "-m", "sandbox", "--data", str(folder), *ports]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        self.said = list(iter(self.process.stdout.readline, "\n"))  # an empty line stands before the variables
        self.env = dict(self.process.stdout.readline().removeprefix("export ").strip().split("=", 1) for _ in range(7))

    def client(self, service: str) -> Any:
        url = self.env["AWS_ENDPOINT_URL_LAMBDA" if service == "lambda" else "AWS_ENDPOINT_URL"]
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.client(service, endpoint_url=url, region_name=self.env["AWS_REGION"], **keys)

    def tell(self, *arguments: str) -> int:
        return main(["--lambda-port", str(self.lambda_port), *arguments])

    def end(self, number: int) -> None:
        self.process.send_signal(number)
        self.process.wait(10)
        assert self.process.stdout
        self.process.stdout.close()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    started = Running(tmp_path_factory.mktemp("running"))
    yield started
    started.end(signal.SIGINT)


def family(pid: int) -> set[int]:
    """Return the processes that come from *pid*, itself too."""
    parents = {child: parent_of(child) for child in (int(each.name) for each in Path("/proc").glob("[1-9]*"))}
    found, size = {pid}, 0
    while size < len(found):
        size = len(found)
        found |= {child for child, parent in parents.items() if parent in found}
    return found


def parent_of(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def is_gone(pid: int) -> bool:
    """Wait until *pid* is no more (or a zombie whose new parent has not looked yet)."""
    deadline = time.monotonic() + 5
    stat = Path(f"/proc/{pid}/stat")
    while time.monotonic() < deadline:
        try:
            if stat.read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.02)  # the end of a process that is not our child tells nobody
    return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_however_it_ends(number: int, tmp_path: Path) -> None:
    running = Running(tmp_path)
    client = running.client("lambda")
    client.invoke(FunctionName="orders-notify", InvocationType="Event", Payload=b"{}")
    client.invoke(FunctionName="orders-capture", Payload=b"{}")
    client.close()
    processes = family(running.process.pid)
    assert len(processes) >= 5, "the sandbox, the emulator, the zygote, a keeper and a handler"
    running.end(number)
    assert [pid for pid in processes if not is_gone(pid)] == []


def test_it_says_when_it_is_ready_and_where(running: Running) -> None:
    assert running.said[0].startswith(f"The sandbox is ready: http://127.0.0.1:{running.lambda_port}/ has its page.")


def test_it_listens_on_this_machine_only(running: Running) -> None:
    """No process of it does otherwise, also none of the listeners that the emulator brings up late."""
    wait_until(lambda: requests.get(f"{running.env['AWS_ENDPOINT_URL']}/_ministack/ready", timeout=5).ok)
    theirs = {inode for pid in family(running.process.pid) for inode in sockets(pid)}
    rows = [row.split() for table in ("tcp", "tcp6") for row in Path("/proc/net", table).read_text().splitlines()[1:]]
    listening = [row[1].rpartition(":")[0] for row in rows if row[3] == "0A" and row[9] in theirs]
    assert len(listening) >= 2, "the emulator's and Lambda's"
    assert set(listening) == {socket.inet_aton("127.0.0.1")[::-1].hex().upper()}


def sockets(pid: int) -> set[str]:
    """Return the inodes of a process's sockets."""
    links = [str(each.readlink()) for each in Path(f"/proc/{pid}/fd").iterdir() if each.is_symlink()]
    return {link.removeprefix("socket:[").rstrip("]") for link in links if link.startswith("socket:")}


def test_the_printed_variables_lead_boto3_to_it(running: Running) -> None:
    client = running.client("lambda")
    names = [function["FunctionName"] for function in client.list_functions()["Functions"]]
    client.close()
    assert {"orders-capture", "orders-fulfil", "orders-notify"} <= set(names)
    assert running.env["AWS_EC2_METADATA_DISABLED"] == "true"


def test_commands_deploy_the_fix_roll_it_back_and_send_orders(
    running: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    def release() -> str:
        client = running.client("lambda")
        config = client.get_function_configuration(FunctionName="orders-capture")
        client.close()
        return str(config["Environment"]["Variables"]["SHOP_RELEASE"])

    releases = [release()]
    for command in ("fix", "rollback"):
        assert running.tell(command) == 0
        releases.append(release())
    assert releases == ["1", "2", "1"]
    assert running.tell("orders", "3") == 0
    assert running.tell("orders", "0") == 1
    assert "Send 1 to 1000 orders at a time." in capsys.readouterr().err


def test_a_command_without_a_sandbox_says_how_to_start_one(capsys: pytest.CaptureFixture[str]) -> None:
    port = str(free_port())
    assert main(["--lambda-port", port, "fix"]) == 1
    said = capsys.readouterr().err
    assert re.search(rf"No sandbox answers on port {port} .*Start one: python -m sandbox", said)


@pytest.mark.parametrize("waits", ["60", "0,1", "a,b", "1,-2"])
def test_waits_that_are_not_two_numbers_are_refused(
    waits: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SANDBOX_RETRY_WAITS", waits)
    with pytest.raises(SystemExit) as ended:
        main(["fix"])
    assert ended.value.code == 2
    assert f"{waits!r} is not two numbers of seconds above 0" in capsys.readouterr().err


def test_the_page_has_the_buttons_and_no_script(running: Running) -> None:
    with urlopen(f"http://127.0.0.1:{running.lambda_port}/", timeout=5) as answer:
        page = answer.read().decode()
    assert "Deployed: the bug" in page
    assert all(button in page for button in ("Deploy the fix", "Roll back", "Send 25 orders"))
    assert "orders-fulfil" in page
    assert "<script" not in page
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; form-action 'self'")


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://elsewhere.example"}, {"Origin": "null"}, {"Host": "rebound.example"}], ids=str
)
def test_another_site_cannot_press_the_buttons(headers: dict[str, str], running: Running) -> None:
    url = f"http://127.0.0.1:{running.lambda_port}/_sandbox/fix"
    with pytest.raises(HTTPError) as refused:
        urlopen(Request(url, b"", headers, method="POST"), timeout=5)
    with refused.value:
        assert refused.value.code == 403


def test_functions_and_mappings_can_be_deployed_over_http(running: Running, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("def handler(event, context): return event")
    settings = {"handler": "app.handler", "code": str(tmp_path), "aliases": ["live"], "timeout_s": 5}
    sqs = running.client("sqs")
    sqs.create_queue(QueueName="hello")
    sqs.close()
    made = put(running, "functions/hello", settings)
    changed = put(running, "functions/hello", {"memory_mb": 512})
    queue = "arn:aws:sqs:eu-west-1:000000000000:hello"
    mapping = put(running, "mappings", {"queue_arn": queue, "function_name": "hello"})
    assert (made["Timeout"], changed["Timeout"], changed["MemorySize"]) == (5, 5, 512)
    assert made["RevisionId"] != changed["RevisionId"]
    assert (mapping["EventSourceArn"], mapping["FunctionArn"]) == (queue, made["FunctionArn"])


@pytest.mark.parametrize(
    ("path", "settings", "code"),
    [
        ("functions/orders-capture", {"maximum_retry_attempts": 9}, 422),
        ("functions/orders-capture", {"nonsense": 1}, 422),
        ("mappings", {"queue_arn": "q", "function_name": "none"}, 404),
        ("mappings", {"stream_arn": "q", "function_name": "none"}, 422),
        ("mappings", {"stream_arn": "arn:aws:kinesis:eu-west-1:1:stream/s", "function_name": "none"}, 404),
    ],
)
def test_settings_that_are_wrong_are_refused(path: str, settings: dict[str, Any], code: int, running: Running) -> None:
    with pytest.raises(HTTPError) as refused:
        put(running, path, settings)
    with refused.value:
        assert refused.value.code == code


def put(running: Running, path: str, settings: dict[str, Any]) -> Any:
    url = f"http://127.0.0.1:{running.lambda_port}/_sandbox/{path}"
    request = Request(url, json.dumps(settings).encode(), {"Content-Type": "application/json"}, method="PUT")
    with urlopen(request, timeout=5) as answer:  # noqa: S310 - loopback
        return json.load(answer)
