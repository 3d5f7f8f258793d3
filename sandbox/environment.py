"""One execution environment, seen from outside: start it, invoke it, notice how it ends."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from sandbox.functions import LATEST, REGION, Function
from sandbox.runtime.fault import PYTHON
from sandbox.zygote import Child, Zygote

INIT_TIMEOUT_S = 10.0
"""How long importing a handler may take; it does not count towards the function's own timeout."""
LOG_TAIL = 4096
"""Bytes of log that an invocation with LogType=Tail answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """One invocation: `payload` is the caller's JSON text as it came, `arn` the function as the caller named it."""

    payload: str
    arn: str
    request_id: str = field(default_factory=lambda: str(uuid4()))
    client_context: object = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of an invocation: the answer or the fault as JSON text, and the end of its log."""

    payload: str
    failed: bool
    log_tail: bytes = b""


class Environment:
    """A child process that runs one function's handler, one invocation at a time."""

    def __init__(self, function: Function, zygote: Zygote, logs: Path, endpoints: dict[str, str]) -> None:
        self.function = function
        self.alive = True
        self._stream = f"{datetime.now(UTC):%Y/%m/%d}/[{LATEST}]{uuid4().hex}"
        self._log = logs / function.name / (self._stream.replace("/", "-") + ".log")
        self._log.parent.mkdir(parents=True, exist_ok=True)
        self._child: Child = zygote.fork(self._log)
        self._started = False
        self._settings = {
            "handler": function.handler,
            "task_root": str(function.code),
            "memory_mb": function.memory_mb,
            "env": self._variables() | endpoints | dict(function.environment),
        }

    def invoke(self, invocation: Invocation) -> Result:
        """Run *invocation* and return its result. A timeout or a dead process leaves the environment not `alive`."""
        begin = self._log.stat().st_size
        started = time.perf_counter()
        self._write(f"START RequestId: {invocation.request_id} Version: {LATEST}\n")
        payload, failed = self._run(invocation)
        self._write(self._report(invocation, (time.perf_counter() - started) * 1000))
        with self._log.open("rb") as log:
            log.seek(begin)
            return Result(payload=payload, failed=failed, log_tail=log.read()[-LOG_TAIL:])

    def close(self) -> None:
        """End the process and whatever it started."""
        self.alive = False
        with suppress(ProcessLookupError, PermissionError):  # PermissionError: macOS's word for a group of zombies
            os.killpg(self._child.group, signal.SIGKILL)
        self._child.connection.close()
        with suppress(OSError):
            os.close(self._child.status)

    def _run(self, invocation: Invocation) -> tuple[str, bool]:
        try:
            fault = self._start()
            payload, failed = (json.dumps(fault), True) if fault else self._call(invocation)
            self.alive = fault is None
        except TimeoutError as error:
            self.alive = False
            payload, failed = _platform_fault("Sandbox.Timedout", f"{error}", invocation), True
        except (EOFError, OSError):
            self.alive = False
            payload, failed = _platform_fault("Runtime.ExitError", self._how_it_ended(), invocation), True
        return payload, failed

    def _start(self) -> Any:  # noqa: ANN401 - a fault, as JSON
        """Load the handler, once; return its fault if it cannot be loaded."""
        if self._started:
            return None
        self._started = True
        return self._ask(self._settings, INIT_TIMEOUT_S).get("fault")

    def _call(self, invocation: Invocation) -> tuple[str, bool]:
        timeout = self.function.timeout_s
        request = {
            "request_id": invocation.request_id,
            "arn": invocation.arn,
            "client_context": invocation.client_context,
            "payload": invocation.payload,
            "deadline_ms": int((time.time() + timeout) * 1000),
        }
        answer = self._ask(request, timeout)
        return answer["payload"], answer["error"]

    def _ask(self, message: dict[str, Any], timeout_s: float) -> Any:  # noqa: ANN401 - JSON
        connection = self._child.connection
        connection.send_bytes(json.dumps(message).encode())
        if not connection.poll(timeout_s):
            text = f"Task timed out after {timeout_s:.2f} seconds"
            raise TimeoutError(text)
        return json.loads(connection.recv_bytes())

    def _how_it_ended(self) -> str:
        """Say what AWS says of a runtime process that is gone; waits for the keeper's word, which comes at once."""
        code = int(os.read(self._child.status, 16) or b"0")
        if code < 0:
            return f"Runtime exited with error: signal: {_signal_name(-code)}"
        return f"Runtime exited with error: exit status {code}" if code else "Runtime exited without providing a reason"

    def _report(self, invocation: Invocation, duration_ms: float) -> str:
        request, memory = f"RequestId: {invocation.request_id}", self.function.memory_mb
        return f"END {request}\nREPORT {request}\tDuration: {duration_ms:.2f} ms\tMemory Size: {memory} MB\n"

    def _write(self, line: str) -> None:
        with self._log.open("a") as log:
            log.write(line)

    def _variables(self) -> dict[str, str]:
        """Return the variables that every function finds (Lambda's defined runtime environment variables)."""
        name = self.function.name
        return {
            "AWS_LAMBDA_FUNCTION_NAME": name,
            "AWS_LAMBDA_FUNCTION_VERSION": LATEST,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self.function.memory_mb),
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": self._stream,
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{PYTHON}",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "_HANDLER": self.function.handler,
            "LAMBDA_TASK_ROOT": "/var/task",
            "LAMBDA_RUNTIME_DIR": "/var/runtime",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "PATH": os.defpath,
        }


def _signal_name(number: int) -> str:
    """Return a signal's name as AWS's platform spells it: `killed`, `terminated`, `segmentation fault`."""
    return (signal.strsignal(number) or str(number)).lower()


def _platform_fault(error_type: str, reason: str, invocation: Invocation) -> str:
    return json.dumps({"errorType": error_type, "errorMessage": f"RequestId: {invocation.request_id} Error: {reason}"})
