"""What one process in production compiles once, compiled once in a run of the tests too.

There an engine and a console live as long as their process. Tests make hundreds of both, and compiling the same
statements and the same routes anew for each took a third of the tests' time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy import create_engine as make_of_its_own
from werkzeug.routing import Rule

from deadletter.store import engine as engines

_first: dict[str, Engine] = {}
_builders: dict[tuple[object, ...], Callable[..., tuple[str, str]]] = {}
_compile_builder = Rule._compile_builder  # noqa: SLF001 - werkzeug has no cache of its own


def compile_once() -> None:
    """Let all engines share their compiled statements, and all consoles the functions that build their addresses."""
    engines.create_engine = create_engine  # type: ignore[attr-defined] # it is imported there, and read at each call
    Rule._compile_builder = _builder_of  # type: ignore[method-assign, assignment]  # noqa: SLF001 - as above


def create_engine(*address: Any, **options: Any) -> Engine:
    """Make an engine with the dialect and the compiled statements of the first that connected to such a database."""
    engine = make_of_its_own(*address, **options)
    kind = engine.dialect.name
    if kind in _first:
        # SQLAlchemy keeps what it has compiled per dialect object.
        engine.dialect, engine._compiled_cache = _first[kind].dialect, _first[kind]._compiled_cache  # noqa: SLF001 - no public way
    else:
        # Only once it has connected does a dialect know its database's version.
        event.listen(engine, "first_connect", lambda *_: _first.setdefault(kind, engine))
    return engine


def _builder_of(rule: Rule, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:  # noqa: FBT001, FBT002 - werkzeug's
    defaults = tuple(sorted((rule.defaults or {}).items()))
    key = (rule.rule, rule.host, rule.subdomain, rule.merge_slashes, defaults, append_unknown)
    if key not in _builders:
        _builders[key] = _compile_builder(rule, append_unknown)
    return _builders[key]
