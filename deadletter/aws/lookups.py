"""AWS, asked for what records leave out; what was asked a moment ago is remembered."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from deadletter.aws.routes import find_route
from deadletter.aws.streams import read_range, retention_s, role_of
from deadletter.event import FailedEvent, StreamRange
from deadletter.ports import StreamPart
from deadletter.refetch import DYNAMODB_RETENTION_S, is_dynamodb
from deadletter.route import Route

T = TypeVar("T")

REMEMBERED_S = 60.0
"""For how long an answer about a subscription, rule, schedule, pipe, stream or function is used again."""


class AwsLookups:
    """See `Lookups`. For one thread."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._answers: dict[object, tuple[float, object]] = {}

    def fetch(self, where: StreamRange, function_arn: str | None) -> StreamPart:
        """Read a batch from its stream; see `Lookups.fetch`."""
        role = self._remembered(("role", function_arn), lambda: role_of(function_arn)) if function_arn else None
        return StreamPart(read_range(where), self.retention_s(where), role)

    def retention_s(self, where: StreamRange) -> int | None:
        """Return how long a stream keeps a record; see `Lookups.retention_s`."""
        if is_dynamodb(where):
            return DYNAMODB_RETENTION_S
        return self._remembered(("retention", where.stream_arn), lambda: retention_s(where))

    def route(self, event: FailedEvent) -> Route:
        """Return who was to get the event; see `Lookups.route`."""
        return self._remembered((event.producer, event.origin_arn, event.target), lambda: find_route(event))

    def _remembered(self, key: object, ask: Callable[[], T]) -> T:
        now = self._clock()
        self._answers = {known: told for known, told in self._answers.items() if now - told[0] < REMEMBERED_S}
        if key not in self._answers:
            self._answers[key] = (now, ask())
        return self._answers[key][1]  # type: ignore[return-value]
