"""Emptying one source: several receivers, each of which deletes only what is durable."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial

from sqlalchemy import Engine

from deadletter.collect import Kept, Taken
from deadletter.errors import SourceError
from deadletter.event import ReceivedMessage
from deadletter.ports import Clock, Source
from deadletter.store.ailing import ailment
from deadletter.store.rows import SourceRow
from worker.committer import Committer
from worker.room import Room
from worker.threads import keep_doing
from worker.trouble import back_off

log = logging.getLogger(__name__)

BATCH = 10
MOST_IN_HAND = 10
"""Receives that one receiver may have under way into the database: 100 messages."""

_HELPER_WAIT_S = 0.5
_ROOM_WAIT_S = 0.5
_EMPTY_ENOUGH = 2

Hand = deque[tuple[Sequence[ReceivedMessage], Future[Kept]]]
"""What one receiver took and has not deleted yet, oldest first."""


class Collector:
    """Receivers of one source.

    The first of them polls all the time; the others help while there is more than one can carry, so that an idle source
    costs one long poll. While the source errs, the first alone tries it, ever more rarely.
    """

    def __init__(  # noqa: PLR0913 - what it works with, each by its name
        self,
        row: SourceRow,
        *,
        open_source: Callable[[str], Source],
        committer: Committer,
        engine: Engine,
        clock: Clock,
        wait_s: float,
        room: Room | None = None,
    ) -> None:
        self.row = row
        self._open_source = open_source
        self._source: Source | None = None
        self._committer = committer
        self._engine = engine
        self._clock = clock
        self._wait_s = wait_s
        self._room = room or Room()
        self._flowing = threading.Event()
        self._errors = 0
        self._empty = 0
        self._hands: list[Hand] = []
        self._receivers: list[threading.Thread] = []

    def start(self, receivers: int, stop: threading.Event, *, leads: bool = True) -> None:
        """Start the receivers; in a helping process none of them *leads*, since the worker's own first one does."""
        self._hands = [deque() for _ in range(receivers)]
        turns = [self._lead if leads else self._help, *[self._help] * (receivers - 1)]
        self._receivers = [
            keep_doing(partial(turn, hand), name=f"receive {self.row.name} {n}", until=stop)
            for n, (turn, hand) in enumerate(zip(turns, self._hands, strict=True))
        ]

    @property
    def idle(self) -> bool:
        """Whether the source answered empty twice in a row, or errs; and nothing of it is in hand."""
        return (self._empty >= _EMPTY_ENOUGH or self._errors > 0) and not any(self._hands)

    @property
    def flows(self) -> bool:
        """Whether there is more than one receiver can carry."""
        return self._flowing.is_set()

    @property
    def in_hand(self) -> int:
        """How many receives are not settled yet."""
        return sum(len(hand) for hand in self._hands)

    def let_flow(self, flows: bool) -> None:  # noqa: FBT001 - what it sets
        """Let the receivers help, or rest."""
        if flows:
            self._flowing.set()
        else:
            self._flowing.clear()

    @property
    def errs(self) -> bool:
        """Whether the last try ended in an error."""
        return self._errors > 0

    def wait(self, timeout_s: float) -> bool:
        """Wait until every receiver has ended and what it held is settled; return whether that was so in time.

        Also for one whose long poll is still out: what its answer brings would be hidden from everybody, until the
        queue's visibility timeout, if nobody were there to take it.
        """
        deadline = time.monotonic() + timeout_s
        for receiver in self._receivers:
            receiver.join(max(0.0, deadline - time.monotonic()))
        if any(receiver.is_alive() for receiver in self._receivers):
            return False
        try:
            for hand in self._hands:
                self._settle(hand, down_to=0)
        except SourceError:
            log.warning("not everything in hand was deleted: it will come again", extra={"arn": self.row.arn})
            return False
        return True

    def _lead(self, hand: Hand) -> float:
        try:
            self._take(hand, self._wait_s)
        except SourceError as error:
            return self._back_off(error)
        self._errors = 0
        return 0.0

    def _help(self, hand: Hand) -> float:
        if not hand and not self._flowing.wait(_HELPER_WAIT_S):
            return 0.0
        try:
            self._take(hand, 0.0)
        except SourceError:
            self._flowing.clear()  # the first receiver meets the same error, and says so
        return 0.0

    def _take(self, hand: Hand, wait_s: float) -> None:
        """Receive once, hand it to the committer, and delete what has become durable meanwhile.

        The next receive does not wait for the transaction: under load, transactions grow instead of their number.
        """
        more = 0
        try:
            if self._room.wait(self.row.id, _ROOM_WAIT_S):
                more = self._receive(hand, 0.0 if hand else wait_s)
        finally:
            self._settle(hand, down_to=MOST_IN_HAND if more else 0)

    def _receive(self, hand: Hand, wait_s: float) -> int:
        if self._source is None:
            self._source = self._open_source(self.row.arn)
        messages = self._source.receive(most=BATCH, wait_s=wait_s)
        if not messages:
            self._flowing.clear()
        elif len(messages) == BATCH:
            self._flowing.set()
        self._empty = 0 if messages else self._empty + 1
        self._room.take(self.row.id, messages)
        hand.append((messages, self._committer.submit(Taken(self.row, messages))))
        return len(messages)

    def _settle(self, hand: Hand, *, down_to: int) -> None:
        """Delete what is durable; wait for transactions until only *down_to* receives are still in hand."""
        error: Exception | None = None
        while hand and (len(hand) > down_to or hand[0][1].done()):
            messages, done = hand[0]
            kept = done.result()
            hand.popleft()
            try:
                self._let_go(kept)
            finally:
                self._room.give(self.row.id, messages)
            error = error or kept.error
        if error:
            self._empty = 0
            raise SourceError(
                f"What came could not be stored, so it was left in the queue. {ailment(error)} It goes on by itself."
            ) from error

    def _let_go(self, kept: Kept) -> None:
        left = self._source.delete(kept.messages) if self._source and kept.messages else ()
        if left:
            log.warning("stored, but not deleted: they will come again", extra={"arn": self.row.arn, "left": len(left)})

    def _back_off(self, error: SourceError) -> float:
        """Write the error down for people to see; return how long to leave the source alone."""
        self._errors += 1
        self._flowing.clear()
        return back_off(self._engine, self._clock, self.row, error, errors=self._errors)
