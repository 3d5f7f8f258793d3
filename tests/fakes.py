"""A fake for each port, kept true by the contract tests that the real adapters pass too."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from deadletter.errors import ObjectRefused
from deadletter.event import ObjectRef, ReceivedMessage
from deadletter.ports import Answer, Outgoing, Skip, SourceState, TargetFacts

_numbers = itertools.count(1)


@dataclass
class FakeClock:
    """Time that stands still until it is told to go on."""

    at: datetime = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass
class FakeSource:
    """A queue in memory: what is received is hidden until it is deleted, or until `reappear`."""

    visible: list[ReceivedMessage] = field(default_factory=list)
    hidden: dict[str, ReceivedMessage] = field(default_factory=dict)
    error: Exception | None = None
    keep: frozenset[str] = frozenset()
    """Message ids that it will not delete."""
    receives: int = 0
    _lock: threading.Condition = field(default_factory=threading.Condition)

    def put(self, *messages: ReceivedMessage) -> None:
        with self._lock:
            self.visible.extend(messages)
            self._lock.notify_all()

    def receive(self, *, most: int, wait_s: float, hide_s: int | None = None) -> Sequence[ReceivedMessage]:
        assert hide_s is None or 0 < hide_s <= 43_200
        with self._lock:
            self.receives += 1
            if self.error:
                raise self.error
            self._lock.wait_for(lambda: self.visible, wait_s)
            taken = [replace(message, receipt_handle=f"handle-{next(_numbers)}") for message in self.visible[:most]]
            del self.visible[:most]
            self.hidden.update({message.receipt_handle: message for message in taken})
            return taken

    def delete(self, messages: Sequence[ReceivedMessage]) -> Sequence[str]:
        with self._lock:
            left = [message.message_id for message in messages if message.message_id in self.keep]
            for message in messages:
                if message.message_id not in self.keep:
                    self.hidden.pop(message.receipt_handle, None)
            return left

    def release(self, messages: Sequence[ReceivedMessage], *, after_s: int = 0) -> None:
        with self._lock:
            for message in messages if after_s == 0 else ():
                if hidden := self.hidden.pop(message.receipt_handle, None):
                    self.visible.append(hidden)
            self._lock.notify_all()

    def reappear(self) -> None:
        """Let what was received and not deleted be visible again, as a visibility timeout does."""
        with self._lock:
            self.visible.extend(self.hidden.values())
            self.hidden.clear()
            self._lock.notify_all()

    def state(self) -> SourceState:
        with self._lock:
            if self.error:
                raise self.error
            return SourceState(depth=len(self.visible), in_flight=len(self.hidden), retention_s=345_600)


@dataclass
class FakeObjects:
    """A prefix of a bucket in memory, which counts how often each key was fetched."""

    contents: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    """Sizes that a listing says, where they are not those of the contents."""
    refused: set[str] = field(default_factory=set)
    fetched: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    listed_after: list[str] = field(default_factory=list)
    etags: dict[str, str] = field(default_factory=dict)
    """What stands for their contents, where it is not `e1`."""

    def list_after(self, key: str, *, most: int = 1_000) -> Sequence[ObjectRef]:
        self.listed_after.append(key)
        keys = [each for each in sorted(self.contents) if each > key][:most]
        return [self._ref(each) for each in keys]

    def _ref(self, key: str) -> ObjectRef:
        size = self.sizes.get(key, len(self.contents[key]))
        return ObjectRef("bucket", key, size, self.etags.get(key, "e1"))

    def current(self, key: str) -> ObjectRef | None:
        return self._ref(key) if key in self.contents else None

    def fetch(self, ref: ObjectRef) -> ReceivedMessage | Skip | None:
        self.fetched.append(ref.key)
        if ref.key in self.refused:
            raise ObjectRefused(f"The permission s3:GetObject on {ref.key} is missing. Grant it to us.")
        if ref.size is not None and ref.size > 1_000_000:
            return Skip(ref, f"It has {ref.size:,} bytes: it was not fetched.")
        if ref.key not in self.contents:
            return None
        return ReceivedMessage(ref.message_id, self.contents[ref.key], {"Key": ref.key})

    def delete(self, refs: Sequence[ObjectRef]) -> None:
        for ref in refs:
            self.deleted.append(ref.key)
            self.contents.pop(ref.key, None)


Behaviour = Callable[[Outgoing], Answer | Exception]


def takes(outgoing: Outgoing) -> Answer:
    """Answer as a queue, or as a function invoked by `Event`: it is taken, and that is all."""
    return Answer(key=outgoing.key, sent_id=f"sent-{next(_numbers)}", finished=False)


def succeeds(outgoing: Outgoing) -> Answer:
    """Answer as a function that did its work."""
    evidence = "The function answered without an error."
    return Answer(key=outgoing.key, sent_id=f"sent-{next(_numbers)}", finished=True, evidence=evidence)


def fails(error_type: str | None = "PaymentError", error_message: str | None = "card was declined") -> Behaviour:
    """Answer as a function that raises."""

    def answer(outgoing: Outgoing) -> Answer:
        return replace(succeeds(outgoing), failed=True, error_type=error_type, error_message=error_message)

    return answer


@dataclass
class FakeTarget:
    """A target that counts what it gets, and answers as told; thread-safe, as several workers send to it at once."""

    behaviour: Behaviour = takes
    batch_size: int = 10
    settle_s: float | None = None
    received: list[Outgoing] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    """When each event came, by `time.monotonic`."""
    sizes: list[int] = field(default_factory=list)
    """How many events each call carried."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def send(self, batch: Sequence[Outgoing]) -> Sequence[Answer | Exception]:
        with self._lock:
            self.received.extend(batch)
            self.sizes.append(len(batch))
            self.times.extend([time.monotonic()] * len(batch))
        return [self.behaviour(outgoing) for outgoing in batch]

    def facts(self) -> TargetFacts:
        return TargetFacts(settle_s=self.settle_s, batch_size=self.batch_size)

    @property
    def counts(self) -> Mapping[int, int]:
        """How often each key came."""
        with self._lock:
            keys = [outgoing.key for outgoing in self.received]
        return {key: keys.count(key) for key in keys}
