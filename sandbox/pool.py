"""The execution environments: reuse a warm one, start one where none is free, keep within reserved concurrency."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sandbox.environment import Environment, Invocation, Result
from sandbox.functions import Function, Registry
from sandbox.zygote import Zygote

KEPT_WARM = 24
"""Idle environments kept in all; the one unused for longest goes first. Few, since each is a process."""
MOST_AT_ONCE = 24
"""Invocations that run at once, all functions together; the rest wait. On AWS the account's limit answers 429."""


class Throttled(Exception):
    """All of the function's reserved concurrency is in use (or it has none)."""


class Pool:
    """Runs invocations in environments, at most *most_at_once*. Safe to use from many threads."""

    def __init__(
        self,
        registry: Registry,
        zygote: Zygote,
        logs: Path,
        endpoints: dict[str, str],
        *,
        most_at_once: int = MOST_AT_ONCE,
    ) -> None:
        self._registry = registry
        self._zygote = zygote
        self._logs = logs
        self._endpoints = endpoints
        self._idle: list[Environment] = []
        self._busy: Counter[str] = Counter()
        self.ran: Counter[str] = Counter()
        """Invocations by function, since the start."""
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(most_at_once)

    def run(self, function: Function, invocation: Invocation) -> Result:
        """Run *invocation* in an environment of *function* and wait for its end.

        Raises:
            Throttled: The function's reserved concurrency is used up.
        """
        with self._concurrency(function), self._slots:
            environment = self._take(function)
            try:
                return environment.invoke(invocation)
            finally:
                self._give_back(environment)

    def close(self) -> None:
        """End the idle environments. (The busy ones end with the zygote.)"""
        with self._lock:
            idle, self._idle = self._idle, []
        for environment in idle:
            environment.close()

    @contextmanager
    def _concurrency(self, function: Function) -> Iterator[None]:
        """Count the invocation as running."""
        with self._lock:
            reserved = function.reserved_concurrency
            if reserved is not None and self._busy[function.name] >= reserved:
                raise Throttled(function.name)
            self._busy[function.name] += 1
            self.ran[function.name] += 1
        try:
            yield
        finally:
            with self._lock:
                self._busy[function.name] -= 1

    def _take(self, function: Function) -> Environment:
        with self._lock:
            for warm in reversed(self._idle):
                if warm.function.revision == function.revision:
                    self._idle.remove(warm)
                    return warm
        return Environment(function, self._zygote, self._logs, self._endpoints)

    def _give_back(self, environment: Environment) -> None:
        """Keep *environment* for the next invocation, and end those that are dead, outdated or too many."""
        with self._lock:
            self._idle.append(environment)
            kept = [each for each in self._idle if self._is_current(each)][-KEPT_WARM:]
            gone = [each for each in self._idle if each not in kept]
            self._idle = kept
        for each in gone:
            each.close()

    def _is_current(self, environment: Environment) -> bool:
        deployed = self._registry.find(environment.function.name)
        return environment.alive and deployed is not None and deployed.revision == environment.function.revision
