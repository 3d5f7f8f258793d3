"""JMESPath as handlers use it, with the functions that Powertools adds. Computes, touches nothing; never runs away.

The one place that imports jmespath. A key that differs from the handler's by one character protects nobody, so the
functions are those of Powertools for Python 3.37 (`utilities/jmespath_utils`), but for one bound: what is packed in
gzip may not unfold without end.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import zlib
from collections.abc import Callable
from functools import lru_cache

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions, signature

from deadletter.errors import BadInput, RedriveError
from deadletter.event import Json

MAX_EXPRESSION = 4_000
"""Characters that an expression may have."""

MAX_UNPACKED = 16 * 1024 * 1024
"""Bytes that one gzip value may unfold to: a Lambda event has at most 6 MB."""

Expression = Callable[[Json], Json]
"""A compiled expression: from an event to what it finds there. Raises `CannotApply`."""

_FAILURES = (
    JMESPathError, ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError, OSError,
    EOFError, zlib.error,
)  # fmt: skip


class CannotApply(RedriveError):
    """An expression cannot be applied to this event: the handler, which applies it too, would raise."""


@lru_cache(maxsize=256)
def compile_expression(text: str) -> Expression:
    """Return *text* compiled.

    Raises:
        BadInput: It is no JMESPath; the message names the place.
    """
    if len(text) > MAX_EXPRESSION:
        raise BadInput(f"The expression has {len(text):,} characters, and at most {MAX_EXPRESSION:,} are taken.")
    try:
        compiled = jmespath.compile(text)
    except (JMESPathError, ValueError, RecursionError) as error:
        raise BadInput(f"{text[:200]!r} is no JMESPath expression: {first_line(error)}") from error
    options = jmespath.Options(custom_functions=_PowertoolsFunctions())

    def search(event: Json) -> Json:
        try:
            return compiled.search(event, options=options)
        except _FAILURES as error:
            raise CannotApply(f"{text[:200]} cannot be applied to it: {first_line(error)}") from error

    return search


def first_line(error: Exception) -> str:
    """Return what *error* says, on one line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


class _PowertoolsFunctions(Functions):
    """The functions that Powertools adds to JMESPath."""

    @signature({"types": ["string"]})
    def _func_powertools_json(self, value: str) -> Json:
        return json.loads(value)

    @signature({"types": ["string"]})
    def _func_powertools_base64(self, value: str) -> str:
        return base64.b64decode(value).decode()

    @signature({"types": ["string"]})
    def _func_powertools_base64_gzip(self, value: str) -> str:
        with gzip.GzipFile(fileobj=io.BytesIO(base64.b64decode(value))) as packed:
            unpacked = packed.read(MAX_UNPACKED + 1)
        if len(unpacked) > MAX_UNPACKED:
            message = f"what it unpacks is larger than {MAX_UNPACKED:,} bytes"
            raise ValueError(message)
        return unpacked.decode()
