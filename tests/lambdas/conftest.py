"""Our own Lambda functions, out of the built zip, in the sandbox."""

from __future__ import annotations

import fcntl
import hashlib
import itertools
import platform
import runpy
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from deadletter.settings import Settings
from sandbox.functions import Function, QueueMapping
from sandbox.local import Sandbox
from tests.factories import ANYWHERE
from tests.sandbox_fixture import MakeQueue

ROOT = Path(__file__).parents[2]
BUILD: dict[str, Any] = runpy.run_path(str(ROOT / "terraform" / "build_zip.py"))
HERE = "arm64" if platform.machine() in {"aarch64", "arm64"} else "x86_64"

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def unpacked() -> Path:
    """The zip for this machine, as Lambda unpacks it. Built once for each state of our code, whoever asks first.

    The first build of a lock downloads its dependencies, which takes a minute; `make lambda` does so beforehand.
    """
    cache: Path = BUILD["CACHE"]
    cache.mkdir(exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = cache / f"unpacked-{HERE}-{_state()}"
        if not folder.exists():
            try:
                archive = BUILD["build"](HERE, cache / f"tests-{HERE}.zip", effort=6)
            except SystemExit as error:
                pytest.fail(f"The zip of the Lambda functions could not be built: {error}", pytrace=False)
            with zipfile.ZipFile(archive) as packed:
                packed.extractall(folder)
    return folder


def _state() -> str:
    """Return a digest of everything that goes into the zip."""
    files = [ROOT / "requirements-lambda.lock", ROOT / "terraform" / "build_zip.py"]
    for name in BUILD["OURS"]:
        files += sorted(path for path in (ROOT / name).rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    digest = hashlib.sha256()
    for path in files:
        digest.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return digest.hexdigest()[:16]


@dataclass
class Stack:
    """Our functions and their queues on the sandbox, with a database of the test's own."""

    sandbox: Sandbox
    code: Path
    settings: Settings
    work_arn: str
    table: str
    names: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)

    def deploy(self, name: str, handler: str, **settings: Any) -> Function:
        """Deploy one function of the zip."""
        variables = {
            "REDRIVE_DATA_DIR": str(self.settings.data_dir),
            "REDRIVE_WORK_QUEUE_URL": self.sandbox.clients.queue_url(self.work_arn),
            "REDRIVE_IDEMPOTENCY_TABLE": self.table,
            "REDRIVE_SETTLE_S": "0",
            "REDRIVE_ALLOWED_TARGETS": " ".join(ANYWHERE),
            "REDRIVE_LEASE_S": "1",
            "POWERTOOLS_SERVICE_NAME": "redrive",
            "POWERTOOLS_TRACE_DISABLED": "true",  # nobody takes segments here
        }
        settings = {"timeout_s": 30.0, "memory_mb": 512, "environment": variables | self.environment} | settings
        self.names[name] = f"ours-{next(_numbers)}-{name}"
        function = Function(name=self.names[name], handler=handler, code=self.code, **settings)
        return self.sandbox.lambda_service.functions.put(function)

    def attach(self, queue_arn: str, name: str, **settings: Any) -> None:
        """Make a queue the event source of one of our functions."""
        mapping = QueueMapping(queue_arn=queue_arn, function_name=self.names[name], **settings)
        self.sandbox.lambda_service.add_mapping(mapping)

    def log_of(self, name: str) -> str:
        """Return everything that a function has logged."""
        return "".join(
            path.read_text() for path in sorted((self.sandbox.data_dir / "logs" / self.names[name]).glob("*.log"))
        )


MakeStack = Callable[..., Stack]


@pytest.fixture
def stack(sandbox: Sandbox, unpacked: Path, settings: Settings, make_queue: MakeQueue) -> Stack:
    """The functions that send: `redrive` behind the work queue, and `tick`."""
    table = f"ours-{next(_numbers)}"
    sandbox.clients("dynamodb").create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    work = make_queue(VisibilityTimeout="8")
    return Stack(sandbox, unpacked, replace(settings, lease_s=1.0, settle_s=0.0), work, table)
