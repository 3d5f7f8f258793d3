"""Taking a message that was left in its queue, just before it is sent: receive until it comes, send, then delete.

Where it does not come, the redrive says so instead of sending a copy of what somebody else may have dealt with. For
objects, see `taking_objects`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from deadletter.errors import SourceError
from deadletter.event import BUCKET_ARN, ObjectRef, ReceivedMessage, name_of
from deadletter.outcome import Outcome
from deadletter.ports import ObjectSource, ObservedSource
from deadletter.redrive.answers import unsent
from deadletter.redrive.taking_objects import ObjectTakers
from deadletter.store import read, write
from deadletter.store.left import Left, left_messages, note_taken
from deadletter.store.redrives.claims import Claimed
from deadletter.store.redrives.outcomes import Report

log = logging.getLogger(__name__)

HIDE_S = 60
"""How long, at least, what comes before the message in question is hidden while it is looked for."""

SEND_S = 960
"""How long a message is hidden while it is sent: more than the longest function runs."""

MOST_TRIES = 10
"""How often a message that somebody else has in hand is looked for."""

_NO_DATABASE = "The database did not say where its message was left, just before sending; the log has the reason."
_KEPT_S = 3.0
_A_SECOND = 100
_BATCH = 10


@dataclass(slots=True)
class _Queue:
    """One queue: what was received from it in passing, by message id, and until when that is hidden."""

    source: ObservedSource
    passing: dict[str, tuple[ReceivedMessage, float]] = field(default_factory=dict)
    out: int = 0
    """How many of its messages are being sent."""
    used_at: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Takers:
    """Takes what was left. Any number of threads call `send`; one calls `tidy` now and then.

    Args:
        engine: The database.
        open_observed: Makes a queue from its ARN.
        open_objects: Makes a prefix of a bucket from its ARN.
        ticks: Seconds that only go forward.
        wait_s: The long poll of each receive, in seconds.
    """

    def __init__(
        self,
        engine: Engine,
        open_observed: Callable[[str], ObservedSource],
        open_objects: Callable[[str], ObjectSource],
        ticks: Callable[[], float] = time.monotonic,
        *,
        wait_s: float = 1.0,
    ) -> None:
        self._engine = engine
        self._open = open_observed
        self._objects = ObjectTakers(open_objects)
        self._ticks = ticks
        self._wait_s = wait_s
        self._queues: dict[str, _Queue] = {}
        self._tries: Counter[int] = Counter()
        self._lock = threading.Lock()

    def send(self, claims: Sequence[Claimed], do: Callable[[Sequence[Claimed]], list[Report]]) -> list[Report]:
        """Let *do* send *claims*, once each message that was left in a queue is in hand; never raises by itself.

        What was sent is deleted from its queue then, and what was not, or failed again at once, is left where it lay.
        """
        if not any(claimed.left for claimed in claims):
            return do(claims)
        try:
            with read(self._engine) as session:
                left = left_messages(session, [claimed.event_id for claimed in claims])
        except SQLAlchemyError:
            log.warning("where events were left cannot be read", exc_info=True)
            return [unsent(claimed, because=_NO_DATABASE) for claimed in claims]
        taken: dict[int, ReceivedMessage | ObjectRef] = {}
        reports = [report for arn, some in _by_source(claims, left).items() for report in self._take(arn, some, taken)]
        held_up = {report.event_id for report in reports}
        done = do([claimed for claimed in claims if claimed.event_id not in held_up])
        self._settle(done, taken, left)
        return [*reports, *done]

    def tidy(self, *, ending: bool = False) -> None:
        """Let what was received in passing be seen again, where nothing was looked for lately; *ending*: all of it."""
        for arn, queue in list(self._queues.items()):
            if queue.passing and (ending or self._ticks() - queue.used_at > _KEPT_S) and queue.lock.acquire(timeout=1):
                try:
                    self._let_pass(arn, queue)
                finally:
                    queue.lock.release()

    def _let_pass(self, arn: str, queue: _Queue) -> None:
        messages = [message for message, until in queue.passing.values() if until > self._ticks()]
        queue.passing.clear()
        try:
            for start in range(0, len(messages), _BATCH):
                queue.source.release(messages[start : start + _BATCH])
        except SourceError as error:
            log.info("messages come again by themselves", extra={"arn": arn, "error": str(error)})

    def _take(
        self, arn: str, wanted: Sequence[tuple[Claimed, Left]], taken: dict[int, ReceivedMessage | ObjectRef]
    ) -> list[Report]:
        """Take what was left in one place into *taken*, by event; report on what cannot be sent."""
        if BUCKET_ARN.fullmatch(arn):
            objects, reports = self._objects.find(arn, wanted)
            taken.update(objects)
            return reports
        messages, reports = self._take_messages(arn, {left.message_id: claimed for claimed, left in wanted})
        taken.update(messages)
        return reports

    def _take_messages(
        self, arn: str, wanted: Mapping[str, Claimed]
    ) -> tuple[dict[int, ReceivedMessage], list[Report]]:
        """Take the messages of one queue; see `_take`."""
        try:
            queue = self._queue(arn)
            with queue.lock:
                found = self._search(queue, wanted.keys())
                others = 0 if len(found) == len(wanted) else queue.source.state().in_flight - queue.out
                others -= len(queue.passing)
        except SourceError as error:
            return {}, [unsent(claimed, because=str(error)) for claimed in wanted.values()]
        missing = [claimed for message_id, claimed in wanted.items() if message_id not in found]
        messages = {wanted[message_id].event_id: message for message_id, message in found.items()}
        return messages, [self._missing(arn, claimed, elsewhere=others > 0) for claimed in missing]

    def _queue(self, arn: str) -> _Queue:
        with self._lock:
            if arn not in self._queues:
                self._queues[arn] = _Queue(self._open(arn))
            return self._queues[arn]

    def _search(self, queue: _Queue, wanted: Collection[str]) -> dict[str, ReceivedMessage]:
        """Receive until all of *wanted* have come, or the queue is empty; keep what comes in passing for the next."""
        found: dict[str, ReceivedMessage] = {}
        queue.passing = {name: held for name, held in queue.passing.items() if held[1] > self._ticks() + HIDE_S / 4}
        for message_id in wanted & queue.passing.keys():
            found[message_id] = queue.passing.pop(message_id)[0]
        if len(found) < len(wanted):
            self._receive(queue, wanted, found)
        if found:
            queue.source.release(list(found.values()), after_s=SEND_S)
        queue.out += len(found)
        queue.used_at = self._ticks()
        return found

    def _receive(self, queue: _Queue, wanted: Collection[str], found: dict[str, ReceivedMessage]) -> None:
        hide_s = min(SEND_S, HIDE_S + queue.source.state().depth // _A_SECOND)
        ends_at = self._ticks() + hide_s * 0.8  # before the first of them comes again by itself
        while len(found) < len(wanted) and self._ticks() < ends_at:
            messages = queue.source.receive(most=_BATCH, wait_s=self._wait_s, hide_s=hide_s)
            if not messages:
                break
            for message in messages:
                if message.message_id in wanted:
                    found[message.message_id] = replace(message, body="")
                else:
                    queue.passing[message.message_id] = (replace(message, body=""), self._ticks() + hide_s)

    def _missing(self, arn: str, claimed: Claimed, *, elsewhere: bool) -> Report:
        self._tries[claimed.event_id] += 1
        if elsewhere and self._tries[claimed.event_id] < MOST_TRIES:
            return unsent(claimed)
        del self._tries[claimed.event_id]
        reason = _IN_HAND if elsewhere else _BEHIND if arn.endswith(".fifo") else _GONE
        return Report(
            position=claimed.position,
            event_id=claimed.event_id,
            outcome=Outcome.SKIPPED,
            reason=reason.format(queue=name_of(arn), arn=arn),
        )

    def _settle(
        self, reports: Sequence[Report], taken: Mapping[int, ReceivedMessage | ObjectRef], left: Mapping[int, Left]
    ) -> None:
        """Delete what was sent from where it lay, and let everybody see the rest again."""
        sent = {each.event_id for each in reports if each.outcome in {Outcome.SENT, Outcome.SUCCEEDED}}
        by_source: defaultdict[str, dict[int, ReceivedMessage | ObjectRef]] = defaultdict(dict)
        for event_id, each in taken.items():
            by_source[left[event_id].source_arn][event_id] = each
        for arn, some in by_source.items():
            try:
                self._settle_source(arn, some, sent & some.keys())
            except (SourceError, SQLAlchemyError):
                log.warning("sent, and perhaps left there", exc_info=True, extra={"arn": arn, "events": list(some)})

    def _settle_source(self, arn: str, taken: Mapping[int, ReceivedMessage | ObjectRef], sent: Collection[int]) -> None:
        objects = {event_id: each for event_id, each in taken.items() if isinstance(each, ObjectRef)}
        messages = {event_id: each for event_id, each in taken.items() if isinstance(each, ReceivedMessage)}
        if objects and sent:
            self._objects.delete(arn, [objects[event_id] for event_id in sent])
        if messages:
            self._settle_queue(self._queue(arn), messages, sent)
        if sent:
            with write(self._engine) as session:
                note_taken(session, sent)
        kept = [message for event_id, message in messages.items() if event_id not in sent]
        if kept:
            self._queue(arn).source.release(kept)

    def _settle_queue(self, queue: _Queue, messages: Mapping[int, ReceivedMessage], sent: Collection[int]) -> None:
        with queue.lock:
            queue.out -= len(messages)
        if sent:
            queue.source.delete([messages[event_id] for event_id in sent])


def _by_source(claims: Sequence[Claimed], left: Mapping[int, Left]) -> Mapping[str, Sequence[tuple[Claimed, Left]]]:
    """Return the claims of what was left where it lay, with what was left, by the source that it is in."""
    found: defaultdict[str, list[tuple[Claimed, Left]]] = defaultdict(list)
    for claimed in claims:
        if where := left.get(claimed.event_id):
            found[where.source_arn].append((claimed, where))
    return found


_OUR_COPY = "To send our copy all the same, let the source be collected: redrive sources add {arn} --collect."
_GONE = "Its message has gone from {queue}: somebody else took it, or it expired. Nothing was sent. " + _OUR_COPY
_BEHIND = (
    "Its message has gone from {queue}, or lies there behind others of its group, which have to go first. Nothing was "
    "sent. " + _OUR_COPY
)
_IN_HAND = (
    "Its message did not come from {queue}, where somebody else has messages in hand. Nothing was sent: redrive it "
    "again once they are done."
)
