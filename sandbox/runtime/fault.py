"""Faults exactly as AWS's Python runtime reports them (compared with `awslambdaric` by a test)."""

from __future__ import annotations

import site
import sys
import sysconfig
import traceback
from pathlib import Path
from traceback import FrameSummary
from types import TracebackType
from typing import Any

PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"

Fault = dict[str, Any]
"""``{"errorMessage", "errorType", "requestId", "stackTrace"}``, in this order."""


class RuntimeFault(Exception):
    """The handler cannot be loaded, or its answer cannot be sent: the runtime's own errors, `Runtime.<name>`."""

    def __init__(self, name: str, message: str, trace: list[str] | None = None) -> None:
        super().__init__(message)
        self.error_type = f"Runtime.{name}"
        self.trace = trace or []


def make_fault(message: str, error_type: str, trace: list[str], request_id: str = "") -> Fault:
    """Return the payload of a failed invocation."""
    return {"errorMessage": message, "errorType": error_type, "requestId": request_id, "stackTrace": trace}


def fault_of(error: BaseException, request_id: str = "") -> Fault:
    """Return the payload for *error*; its stack begins where the runtime's own frames end."""
    if isinstance(error, RuntimeFault):
        return make_fault(as_on_aws(str(error)), error.error_type, error.trace, request_id)
    return make_fault(as_on_aws(str(error)), type(error).__name__, _frames(error.__traceback__), request_id)


def _frames(tb: TracebackType | None) -> list[str]:
    """Return the stack as AWS writes it: one text a frame, none of the runtime's own, AWS's paths, no carets."""
    while tb and Path(tb.tb_frame.f_code.co_filename).parent == _RUNTIME:
        tb = tb.tb_next
    frames = traceback.extract_tb(tb)
    return traceback.format_list(FrameSummary(as_on_aws(f.filename), f.lineno, f.name, line=f.line) for f in frames)


def as_on_aws(text: str) -> str:
    """Return *text* with the paths that it would have on AWS: of the task, of a layer with the packages, of Python."""
    for here, there in _PLACES:
        text = text.replace(f"{here}/", f"{there}/")
    return text


def set_task_root(root: Path) -> None:
    """Make *root* be `/var/task` from now on."""
    _PLACES.insert(0, (str(root), "/var/task"))


_RUNTIME = Path(__file__).parent
_PLACES = [(folder, "/opt/python") for folder in site.getsitepackages()]
_PLACES.append((sysconfig.get_path("stdlib"), f"/var/lang/lib/{PYTHON}"))
