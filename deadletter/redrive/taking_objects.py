"""Taking an object that was left in its bucket: see that it is still there as it was read, send, then delete it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence

from deadletter.errors import SourceError
from deadletter.event import ObjectRef, name_of
from deadletter.outcome import Outcome
from deadletter.ports import ObjectSource
from deadletter.redrive.answers import unsent
from deadletter.store.left import Left
from deadletter.store.redrives.claims import Claimed
from deadletter.store.redrives.outcomes import Report

GONE = (
    "Its object {key} has gone from {bucket}, or holds something else by now: somebody else dealt with it. Nothing was "
    "sent. To send our copy all the same, let the source be collected: redrive sources add {arn} --collect."
)


class ObjectTakers:
    """Takes objects. Any number of threads use it; nothing is hidden from anybody meanwhile, as S3 cannot do that.

    Args:
        open_objects: Makes a prefix of a bucket from its ARN.
    """

    def __init__(self, open_objects: Callable[[str], ObjectSource]) -> None:
        self._open = open_objects
        self._sources: dict[str, ObjectSource] = {}
        self._lock = threading.Lock()

    def find(self, arn: str, wanted: Iterable[tuple[Claimed, Left]]) -> tuple[dict[int, ObjectRef], list[Report]]:
        """Return the objects that are still as they were read, by event, and a report on each that cannot be sent."""
        found: dict[int, ObjectRef] = {}
        reports = []
        for claimed, left in wanted:
            was = _ref(arn, left)
            try:
                current = self._source(arn).current(was.key)
            except SourceError as error:
                reports.append(unsent(claimed, because=str(error)))
                continue
            if current is not None and was.etag in {"", current.etag}:  # a notification need not say its etag
                found[claimed.event_id] = was
            else:
                reports.append(_gone(arn, claimed, was))
        return found, reports

    def delete(self, arn: str, refs: Sequence[ObjectRef]) -> None:
        """Delete what was sent. Raises SourceError."""
        self._source(arn).delete(refs)

    def _source(self, arn: str) -> ObjectSource:
        with self._lock:
            if arn not in self._sources:
                self._sources[arn] = self._open(arn)
            return self._sources[arn]


def _ref(arn: str, left: Left) -> ObjectRef:
    """Return the object as it was read; its message's id is its key and, behind the last ``#``, what it held."""
    key, _, etag = left.message_id.rpartition("#")
    return ObjectRef(_bucket(arn), left.key or key, etag=etag)


def _bucket(arn: str) -> str:
    return name_of(arn).partition("/")[0]


def _gone(arn: str, claimed: Claimed, was: ObjectRef) -> Report:
    reason = GONE.format(key=was.key[:200], bucket=_bucket(arn), arn=arn)
    return Report(position=claimed.position, event_id=claimed.event_id, outcome=Outcome.SKIPPED, reason=reason)
