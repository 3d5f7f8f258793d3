"""Stack traces as Lambda's runtimes write them, down to the frames of the function's own code."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

MAX_FRAMES = 50
_MAX_LINES = 2000
_LONGEST_LINE = 2000
_REMEMBERED_CHARS = 8_000
_REMEMBERED_ENTRY = 1_000
"""Longer traces and entries are not kept in memory: all that are stay under some megabytes."""

_PYTHON = re.compile(r' {0,2}File "(?P<path>[^"\n]+)", line \d+(?:, in (?P<name>.+))?')
_NODE = re.compile(
    r"\s*at (?:async )?(?:(?P<name>\S[^()\n]*?) )?\(?(?:file://)?(?P<path>(?:/|node:)[^()\n]*?):\d+:\d+\)?"
)
_JAVA = re.compile(r"\s*(?:at )?(?P<name>[\w$.<>/]+)\((?P<path>[\w$-]+\.(?:java|kt|scala|groovy))(?::\d+)?\)")
_SYNTAXES = (_PYTHON, _NODE, _JAVA)

_TASK_ROOT = "/var/task/"
_RUNTIME_ROOTS = ("/var/runtime/", "/var/lang/", "/opt/", "<", "node:")
_LIBRARIES = re.compile(
    r"(?:^|/)(?:site-packages|dist-packages|node_modules|_?vendor(?:ed)?|lib(?:64)?/python[\d.]*)/"
    # Installed beside the function's own code, as `pip install --target` does.
    r"|^(?:aws_lambda_powertools|aws_xray_sdk|awslambdaric|boto3|botocore|s3transfer|jmespath|urllib3|requests|certifi|httpx"
    r"|httpcore|anyio|aiohttp|pydantic|pydantic_core|sqlalchemy|psycopg2?|pymysql|redis|wrapt|ddtrace|datadog_lambda"
    r"|sentry_sdk|opentelemetry|mangum|fastapi|starlette|flask|django|numpy|pandas)/"
)
_JAVA_LIBRARIES = (
    "java.", "javax.", "jdk.", "sun.", "com.sun.", "kotlin.", "kotlinx.", "scala.", "lambdainternal.",
    "com.amazonaws.", "software.amazon.", "org.springframework.", "java.base/",
)  # fmt: skip
_MADE_UP = re.compile(r"\d+|0x[0-9a-f]+")


def in_app_frames(stack_trace: Sequence[str] | None) -> tuple[str, ...]:
    """Return the frames of the function's own code, in the trace's order: ``("app.py handler", "app.py reserve")``.

    A frame is a file, relative to the task root, and a function; line numbers move with every release. A recursion's
    repeats count once. Only the first syntax that is seen (Python, Node.js, Java) counts, and only at a line's start,
    so that source lines and messages inside the trace are not taken for frames.
    """
    if not stack_trace:
        return ()
    trace = tuple(stack_trace)
    small = sum(map(len, trace)) <= _REMEMBERED_CHARS
    return (_in_app if small else _in_app.__wrapped__)(trace)


@lru_cache(maxsize=512)
def _in_app(trace: tuple[str, ...]) -> tuple[str, ...]:
    frames = dict.fromkeys(frame for frame in _frames(trace) if frame)
    return tuple(islice(frames, MAX_FRAMES))


def _frames(stack_trace: Sequence[str]) -> Iterator[str | None]:
    syntax, left = None, _MAX_LINES
    for entry in islice(stack_trace, _MAX_LINES):
        read = _read if len(entry) <= _REMEMBERED_ENTRY else _read.__wrapped__
        found = read(entry, syntax, left if entry.count("\n") >= left else _MAX_LINES)
        yield from found.frames
        syntax, left = found.syntax, left - found.lines
        if left <= 0:
            break


class _Found(NamedTuple):
    """The frames of an entry (None: not the function's own), the syntax from there on, and how many lines it took."""

    frames: tuple[str | None, ...]
    syntax: re.Pattern[str] | None
    lines: int


# The traces of one cause, and of one function, are made of the same entries: each is read once.
@lru_cache(maxsize=4096)
def _read(entry: str, syntax: re.Pattern[str] | None, most: int) -> _Found:
    """Read at most *most* lines of one entry of a trace."""
    frames, lines = [], entry[: _LONGEST_LINE * MAX_FRAMES].split("\n")[:most]
    for line in lines:
        for candidate in (syntax,) if syntax else _SYNTAXES:
            if match := candidate.match(line[:_LONGEST_LINE]):
                syntax = candidate
                frames.append(_READERS[candidate](match))
                break
    return _Found(tuple(frames), syntax, len(lines))


def _from_file(match: re.Match[str]) -> str | None:
    """Return ``file function`` of a frame that names its file, or None for a library's."""
    path = match["path"]
    if path.startswith(_RUNTIME_ROOTS):
        return None
    inside = path.removeprefix(_TASK_ROOT)
    if _LIBRARIES.search(inside):
        return None
    # Outside of Lambda nobody knows the root, and folders differ from run to run: the file's own name must do.
    file = inside if inside is not path else path.rsplit("/", 1)[-1]
    return f"{file} {match['name'] or '<module>'}"


def _from_class(match: re.Match[str]) -> str | None:
    """Return ``file class.method`` of a Java frame; numbers in made-up names (lambdas, proxies) vary by build."""
    name = match["name"]
    return None if name.startswith(_JAVA_LIBRARIES) else f"{match['path']} {_MADE_UP.sub('', name)}"


_READERS: dict[re.Pattern[str], Callable[[re.Match[str]], str | None]] = {
    _PYTHON: _from_file,
    _NODE: _from_file,
    _JAVA: _from_class,
}
