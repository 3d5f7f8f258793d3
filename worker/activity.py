"""What the threads of a worker do right now, and how much they get done: what the Workers page shows."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from deadletter.event import ReceivedMessage, name_of
from deadletter.ports import Answer, Outgoing, Source, SourceState, Target, TargetFacts

_MOST_THREADS = 100


class Activity:
    """Counts and words, from any thread; `snapshot` gives the rates since the one before."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._now = monotonic
        self._lock = threading.Lock()
        self._doing: dict[str, tuple[str, float]] = {}
        self._collected: Counter[str] = Counter()
        self._sent: Counter[str] = Counter()
        self._calls: Counter[str] = Counter()
        self._since = monotonic()

    @contextmanager
    def during(self, doing: str) -> Iterator[None]:
        """Say what this thread does, for as long as the block lasts."""
        thread = threading.current_thread().name
        self._doing[thread] = (doing, self._now())
        try:
            yield
        finally:
            self._doing.pop(thread, None)

    @contextmanager
    def sending(self, arn: str, events: int) -> Iterator[None]:
        """Say that this thread sends *events* to a target."""
        with self._lock:
            self._calls[arn] += 1
        try:
            with self.during(f"sending {events} to {name_of(arn)}"):
                yield
        finally:
            with self._lock:
                self._calls[arn] -= 1
                self._sent[arn] += events

    def collected(self, arn: str, messages: int) -> None:
        """Count messages that are stored and deleted from their source."""
        with self._lock:
            self._collected[arn] += messages

    @property
    def calls(self) -> dict[str, int]:
        """How many calls are out, by target."""
        with self._lock:
            return {arn: n for arn, n in sorted(self._calls.items()) if n}

    def snapshot(self) -> dict[str, Any]:
        """Return what is done now, as data: rates are events per second since the last snapshot, times seconds."""
        with self._lock:
            now = self._now()
            took_s = max(now - self._since, 0.001)
            collected, sent, calls = Counter(self._collected), Counter(self._sent), Counter(self._calls)
            self._collected.clear()
            self._sent.clear()
            self._since = now
        threads = sorted(self._doing.copy().items())[:_MOST_THREADS]
        return {
            "collecting": {arn: round(n / took_s, 1) for arn, n in sorted(collected.items())},
            "sending": {
                arn: {"per_second": round(sent[arn] / took_s, 1), "calls": calls[arn]}
                for arn in sorted(sent.keys() | calls.keys())
                if sent[arn] or calls[arn]
            },
            "threads": [
                {"name": name, "doing": what, "for_s": round(now - since, 1)} for name, (what, since) in threads
            ],
        }


class WatchedSource:
    """A source that says what is done with it."""

    def __init__(self, source: Source, arn: str, activity: Activity) -> None:
        self._source = source
        self._arn = arn
        self._activity = activity

    def receive(self, *, most: int, wait_s: float) -> Sequence[ReceivedMessage]:
        """See `Source.receive`."""
        with self._activity.during(f"receiving from {name_of(self._arn)}"):
            return self._source.receive(most=most, wait_s=wait_s)

    def delete(self, messages: Sequence[ReceivedMessage]) -> Sequence[str]:
        """See `Source.delete`."""
        with self._activity.during(f"deleting {len(messages)} from {name_of(self._arn)}"):
            left = self._source.delete(messages)
        self._activity.collected(self._arn, len(messages) - len(left))
        return left

    def state(self) -> SourceState:
        """See `Source.state`."""
        return self._source.state()


class WatchedTarget:
    """A target that says what is sent to it."""

    def __init__(self, target: Target, arn: str, activity: Activity) -> None:
        self._target = target
        self._arn = arn
        self._activity = activity
        self.batch_size = target.batch_size

    def send(self, batch: Sequence[Outgoing]) -> Sequence[Answer | Exception]:
        """See `Target.send`."""
        with self._activity.sending(self._arn, len(batch)):
            return self._target.send(batch)

    def facts(self) -> TargetFacts:
        """See `Target.facts`."""
        return self._target.facts()
