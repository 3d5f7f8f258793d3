"""Asynchronous invocation: Lambda's own queue, with its retries and ages.

The queue lives in memory. It is the world outside of the product, so what it holds may be lost when the sandbox is
killed.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from uuid import uuid4

from sandbox.environment import Invocation, Result
from sandbox.functions import LATEST, Function, FunctionName, Registry
from sandbox.pool import Pool, Throttled
from sandbox.records import Condition, GivenUp

WORKERS = 8
"""Attempts that run at once. Few cores: more would make healthy functions time out."""
AWS_WAITS_S = (60.0, 120.0)
"""What AWS waits before the second and the third attempt (Developer Guide, "How Lambda handles errors and retries")."""
_FIRST_BACKOFF_S, _LAST_BACKOFF_S = 1.0, 300.0
_LEAST_BACKOFF_S = 0.05


@dataclass(slots=True, kw_only=True)
class AsyncEvent:
    """An event in the queue. `accepted_at` is on the monotonic clock. The request id is the same in all attempts."""

    target: FunctionName
    payload: str
    request_id: str = field(default_factory=lambda: str(uuid4()))
    accepted_at: float = field(default_factory=time.monotonic)
    attempts: int = 0
    throttles: int = 0
    last: Result | None = None


class AsyncQueue:
    """Runs accepted events until they succeed or are given up on.

    Args:
        registry: Where functions are looked up, at every attempt anew.
        pool: Where attempts run.
        give_up: Called with each event that failed for good.
        retry_waits_s: Seconds before the second and the third attempt. The queue's other times (event age, back-off)
            shrink by the same measure: AWS's minute lasts as long as the first wait.
    """

    def __init__(
        self, registry: Registry, pool: Pool, give_up: Callable[[GivenUp], None], retry_waits_s: Sequence[float]
    ) -> None:
        self._registry = registry
        self._pool = pool
        self._give_up = give_up
        self._waits_s = retry_waits_s
        self._scale = retry_waits_s[0] / AWS_WAITS_S[0]
        self._due: list[tuple[float, int, AsyncEvent]] = []
        self._order = itertools.count()
        self._running = 0
        self._stopped = False
        self._changed = threading.Condition()
        self._workers = [threading.Thread(target=self._work, name=f"async-{n}", daemon=True) for n in range(WORKERS)]

    def start(self) -> None:
        """Start the workers."""
        for worker in self._workers:
            worker.start()

    def stop(self) -> None:
        """Start no more attempts, and drop what waits."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def join(self) -> None:
        """Wait for the attempts that run."""
        for worker in self._workers:
            worker.join()

    def put(self, event: AsyncEvent, wait_s: float = 0.0) -> None:
        """Accept *event*; its next attempt is due after *wait_s* seconds."""
        with self._changed:
            heapq.heappush(self._due, (time.monotonic() + wait_s, next(self._order), event))
            self._changed.notify_all()

    def wait_until_idle(self, timeout_s: float) -> bool:
        """Wait until no event is left; return whether that came to be within *timeout_s* seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._due and not self._running, timeout_s)

    def _work(self) -> None:
        while event := self._take():
            try:
                self._attempt(event)
            finally:
                with self._changed:
                    self._running -= 1
                    self._changed.notify_all()

    def _take(self) -> AsyncEvent | None:
        """Wait for an event to be due; None when the queue is stopped."""
        with self._changed:
            while not self._stopped:
                wait_s = self._due[0][0] - time.monotonic() if self._due else None
                if wait_s is not None and wait_s <= 0:
                    self._running += 1
                    return heapq.heappop(self._due)[2]
                self._changed.wait(wait_s)
        return None

    def _attempt(self, event: AsyncEvent) -> None:
        function = self._registry.find(event.target.name)
        if function is None:
            return  # deleted meanwhile: the event goes with it
        if function.reserved_concurrency == 0:
            self._end(event, function, Condition.ZERO_RESERVED_CONCURRENCY)
            return
        invocation = Invocation(
            payload=event.payload, arn=function.arn_of(event.target.qualifier), request_id=event.request_id
        )
        try:
            result = self._pool.run(function, invocation)
        except (Throttled, OSError):  # no concurrency left, or no process to be had: neither is the event's fault
            self._back_off(event, function)
            return
        event.attempts += 1
        if result.failed and not self._stopped:  # a sandbox that ends kills its environments: no failure of theirs
            event.last = result
            self._retry(event, function)

    def _retry(self, event: AsyncEvent, function: Function) -> None:
        if event.attempts > function.maximum_retry_attempts:
            self._end(event, function, Condition.RETRIES_EXHAUSTED)
        else:
            self._again(event, function, self._waits_s[event.attempts - 1])

    def _back_off(self, event: AsyncEvent, function: Function) -> None:
        """Put a throttled event back. It uses up no retry; the pause doubles from 1 s to 5 min."""
        pause_s = min(_LAST_BACKOFF_S, _FIRST_BACKOFF_S * 2**event.throttles) * self._scale
        event.throttles += 1
        self._again(event, function, max(_LEAST_BACKOFF_S, pause_s))

    def _again(self, event: AsyncEvent, function: Function, wait_s: float) -> None:
        """Queue the next attempt, unless the event would be too old by then."""
        age_s = time.monotonic() - event.accepted_at
        if too_old(function, age_s / self._scale, wait_s / self._scale):
            self._end(event, function, Condition.EVENT_AGE_EXCEEDED)
        else:
            self.put(event, wait_s)

    def _end(self, event: AsyncEvent, function: Function, condition: Condition) -> None:
        self._give_up(
            GivenUp(
                function=function,
                qualifier=event.target.qualifier or LATEST,
                request_id=event.request_id,
                payload=event.payload,
                condition=condition,
                invoke_count=event.attempts,
                last=event.last,
            )
        )


def too_old(function: Function, age_s: float, wait_s: float) -> bool:
    """Say whether an event of *age_s* seconds will be past its function's limit in *wait_s*: Lambda looks ahead."""
    return age_s + wait_s > function.maximum_event_age_s
