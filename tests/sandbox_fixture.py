"""A sandbox for the tests that need an AWS: one for the whole run, since it is the world outside.

Load it with ``pytest_plugins = ["tests.sandbox_fixture"]``. Queues and functions made by `make_queue` and `deploy` have
names of their own, so that tests sharing the sandbox do not meet.
"""

import itertools
import json
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from sandbox.functions import Function
from sandbox.local import Sandbox
from sandbox.shop import Shop

Deploy = Callable[..., Function]
MakeQueue = Callable[..., str]

EVENTS = Path(__file__).parent / "events"

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A started sandbox whose minute lasts 0.2 s."""
    with Sandbox(tmp_path_factory.mktemp("sandbox")) as box:
        yield box


@pytest.fixture(scope="session")
def shop(sandbox: Sandbox) -> Shop:
    """The shop, opened on the sandbox. Whoever deploys the fix rolls it back."""
    return Shop(sandbox)


@pytest.fixture
def aws_env(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The sandbox is what boto3 finds in this process."""
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    for name, value in sandbox.env.items():
        monkeypatch.setenv(name, value)
    return sandbox.env


@pytest.fixture(scope="session")
def lambda_client(sandbox: Sandbox) -> Iterator[Any]:
    """A Lambda client that shows every answer: it never retries."""
    client = boto3.client(
        "lambda",
        endpoint_url=sandbox.lambda_endpoint,
        region_name=sandbox.region,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )
    yield client
    client.close()


@pytest.fixture
def deploy(sandbox: Sandbox, tmp_path: Path) -> Deploy:
    """Deploy a function from source text: ``deploy(source, **settings)``; its handler is ``app.handler``."""

    def make(source: str, **settings: Any) -> Function:
        number = next(_numbers)
        code = tmp_path / f"code-{number}"
        code.mkdir()
        (code / "app.py").write_text(textwrap.dedent(source))
        settings = {"name": f"function-{number}", "handler": "app.handler", "code": code, **settings}
        return sandbox.lambda_service.functions.put(Function(**settings))

    return make


@pytest.fixture
def make_queue(sandbox: Sandbox) -> MakeQueue:
    """Make a queue of its own: ``make_queue(**attributes)`` returns its ARN."""

    def make(**attributes: str) -> str:
        sqs = sandbox.clients("sqs")
        url = sqs.create_queue(QueueName=f"queue-{next(_numbers)}", Attributes=attributes)["QueueUrl"]
        return str(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"])

    return make


def receive(sandbox: Sandbox, queue_arn: str, wait_s: int = 10) -> dict[str, Any]:
    """Take one message from a queue, with everything it carries; wait for it at most *wait_s* seconds."""
    answer = sandbox.clients("sqs").receive_message(
        QueueUrl=sandbox.clients.queue_url(queue_arn),
        WaitTimeSeconds=wait_s,
        MessageSystemAttributeNames=["All"],
        MessageAttributeNames=["All"],
    )
    messages = answer.get("Messages", [])
    assert len(messages) == 1, f"{queue_arn} has no message"
    return dict(messages[0])


def sample(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((EVENTS / name).read_text())
    return read


def shape(value: Any) -> Any:
    """Return what *value* is made of: its keys, its types, its nesting."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    return [shape(each) for each in value] if isinstance(value, list) else type(value).__name__
