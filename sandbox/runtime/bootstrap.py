"""One execution environment: load the handler once, then answer invocations until the parent hangs up.

Talks JSON over a `multiprocessing` connection. First the parent's settings ``{"handler", "task_root", "env",
"memory_mb"}``, answered by ``{}`` or ``{"fault"}``; then ``{"request_id", "arn", "deadline_ms", "client_context",
"payload"}``, each answered by ``{"payload", "error"}``.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from sandbox.runtime.context import LambdaContext, client_context
from sandbox.runtime.fault import Fault, RuntimeFault, as_on_aws, fault_of, set_task_root
from sandbox.runtime.memory import limit_memory, running

Handler = Callable[[Any, LambdaContext], Any]


def run(parent: Connection[Any, Any]) -> None:
    """Be an execution environment until *parent* closes the connection."""
    with suppress(EOFError):
        handler = _start(parent)
        while True:
            request = json.loads(parent.recv_bytes())
            with running():
                answer = invoke(handler, request)
            _send(parent, answer)


def _start(parent: Connection[Any, Any]) -> Handler:
    settings = json.loads(parent.recv_bytes())
    os.environ.clear()
    os.environ.update(settings["env"])
    time.tzset()
    root = Path(settings["task_root"])
    set_task_root(root)
    sys.path.insert(0, str(root))
    os.chdir(root)
    try:
        handler = load(settings["handler"])
    except Exception as error:
        _send(parent, {"fault": _reported(fault_of(error))})
        raise EOFError from error
    limit_memory(settings["memory_mb"])
    _send(parent, {})
    return handler


def load(name: str) -> Handler:
    """Import the handler called *name* (``module.function``).

    Raises:
        RuntimeFault: It cannot be imported; worded as AWS's runtime words it.
    """
    module_name, dot, function_name = name.rpartition(".")
    if not dot:
        reason = "not enough values to unpack (expected 2, got 1)"
        raise RuntimeFault("MalformedHandlerName", f"Bad handler '{name}': {reason}")
    module = _import(module_name)
    try:
        handler: Handler = getattr(module, function_name)
    except AttributeError:
        raise RuntimeFault("HandlerNotFound", f"Handler '{function_name}' missing on module '{module_name}'") from None
    return handler


def _import(name: str) -> Any:  # noqa: ANN401 - a user's module
    try:
        return importlib.import_module(name.replace("/", "."))
    except ImportError as error:
        raise RuntimeFault("ImportModuleError", f"Unable to import module '{name}': {error}") from error
    except SyntaxError as error:
        trace = [f'  File "{as_on_aws(error.filename or "")}" Line {error.lineno}\n    {error.text}']
        raise RuntimeFault("UserCodeSyntaxError", f"Syntax error in module '{name}': {error}", trace) from error


def invoke(handler: Handler, request: dict[str, Any]) -> dict[str, Any]:
    """Run *handler* once; return ``{"payload": JSON text, "error": whether it failed}``.

    `SystemExit` goes through: it ends the environment, as on AWS.
    """
    try:
        context = _context(request)
        answer = _marshal(handler(json.loads(request["payload"]), context))
    except Exception as error:  # noqa: BLE001 - every exception of a handler is an answer
        fault = _reported(fault_of(error, request["request_id"]))
        return {"payload": json.dumps(fault), "error": True}
    finally:
        sys.stdout.flush()
    return {"payload": answer, "error": False}


def _context(request: dict[str, Any]) -> LambdaContext:
    return LambdaContext(
        aws_request_id=request["request_id"],
        invoked_function_arn=request["arn"],
        deadline_ms=request["deadline_ms"],
        client_context=client_context(request.get("client_context")),
    )


def _marshal(answer: object) -> str:
    try:
        return json.dumps(answer, default=_plain)
    except Exception as error:
        raise RuntimeFault("MarshalError", f"Unable to marshal response: {error}") from error


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return float(value)
    message = f"Object of type {type(value).__name__} is not JSON serializable"
    raise TypeError(message)


def _reported(fault: Fault) -> Fault:
    """Write *fault* to the log as AWS's runtime does, and return it."""
    lines = [f"[ERROR] {fault['errorType']}: {fault['errorMessage']}", "Traceback (most recent call last):"]
    lines += [line for frame in fault["stackTrace"] for line in frame.splitlines()]
    print("\r".join(lines), flush=True)  # noqa: T201 - the log of a function is its standard output
    return fault


def _send(parent: Connection[Any, Any], message: dict[str, Any]) -> None:
    parent.send_bytes(json.dumps(message).encode())
