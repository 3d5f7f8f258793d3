"""A stream's event source mapping at work: a thread a shard, each batch until it is done or given up on."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace

from botocore.exceptions import BotoCoreError, ClientError

from sandbox.batches import Batch, Condition, batch_letter, halves, is_spent, limit_of, split_by_age, undone
from sandbox.delivery import Send
from sandbox.environment import Result
from sandbox.functions import FunctionName, NoSuchFunction
from sandbox.pool import Throttled
from sandbox.records import now
from sandbox.streams import Source, StreamMapping, StreamRecord

POLL_S = 0.5
"""How long a shard rests that had nothing. Lambda reads each shard once a second."""
_FIRST_WAIT_S, _LAST_WAIT_S = 0.1, 2.0
"""Between attempts, doubling. AWS does not say how long it waits."""

Invoke = Callable[[FunctionName, str], tuple[str, Result]]
"""Runs a function with an event; returns the request id and the result."""

log = logging.getLogger(__name__)


class StreamPoller:
    """The readers of one event source mapping, one a shard; shards that come later get theirs.

    Other than on AWS, the children of a shard are read beside their parent, and a shard has one batch at a time.

    Args:
        mapping: The settings.
        source: The stream.
        invoke: Runs the function.
        send: Takes failure records.
        scale: How many seconds a second of AWS lasts, for the records' age.
    """

    def __init__(self, mapping: StreamMapping, *, source: Source, invoke: Invoke, send: Send, scale: float) -> None:
        self.mapping = mapping
        self.source = source
        self.invoke = invoke
        self.send = send
        self.scale = scale
        self.stopped = threading.Event()
        self._threads: dict[str, threading.Thread] = {}
        self._watcher = threading.Thread(target=self._watch, name="stream", daemon=True)

    def start(self) -> None:
        """Start reading."""
        self._watcher.start()

    def stop(self) -> None:
        """Ask the readers to end after the attempt in hand."""
        self.stopped.set()

    def join(self) -> None:
        """Wait for the readers' end."""
        self._watcher.join()
        for thread in self._threads.values():
            thread.join()

    def _watch(self) -> None:
        while not self.stopped.is_set():
            try:
                for shard_id in self.source.shards():
                    self._read(shard_id)
            except (BotoCoreError, ClientError) as error:
                log.debug("The shards of %s could not be listed: %s", self.mapping.stream_arn, error)
            self.stopped.wait(POLL_S * 4)

    def _read(self, shard_id: str) -> None:
        if shard_id not in self._threads:
            reader = ShardReader(self, shard_id)
            self._threads[shard_id] = threading.Thread(target=reader.run, name=shard_id, daemon=True)
            self._threads[shard_id].start()


class ShardReader:
    """Reads one shard in order: no record before all that came earlier are done or given up on."""

    def __init__(self, poller: StreamPoller, shard_id: str) -> None:
        self._poller = poller
        self._mapping = poller.mapping
        self._target = FunctionName.parse(poller.mapping.function_name)
        self._shard_id = shard_id
        self._position = {"ShardIteratorType": poller.mapping.starting_position}
        self._iterator: str | None = None

    def run(self) -> None:
        """Read until the shard ends or the poller is stopped."""
        stopped = self._poller.stopped
        while not stopped.is_set():
            try:
                records, ended = self._read()
            except (BotoCoreError, ClientError) as error:
                log.debug("Shard %s pauses: %s", self._shard_id, error)
                records, ended, self._iterator = [], False, None  # an iterator lives five minutes
            if records:
                self._process(Batch(shard_id=self._shard_id, records=tuple(records)))
                self._position = _behind(records[-1])
            elif ended:
                return
            else:
                stopped.wait(POLL_S)

    def _read(self) -> tuple[list[StreamRecord], bool]:
        """Return the next records, and whether the shard ends behind them."""
        source = self._poller.source
        if self._iterator is None:
            self._iterator = source.iterator(self._shard_id, self._position)
        records, self._iterator = source.read(self._shard_id, self._iterator, self._mapping.batch_size)
        return records, self._iterator is None

    def _process(self, batch: Batch) -> None:
        """Work on *batch* and on what becomes of it, in order, until nothing is left."""
        waiting = [batch]
        while waiting and not self._poller.stopped.is_set():
            waiting[:1] = self._attempt(waiting[0])

    def _attempt(self, batch: Batch) -> list[Batch]:
        """Invoke the function once; return the batches that take the place of this one."""
        expired, batch = self._split(batch)
        if expired.records:
            self._give_up(expired, Condition.AGE_EXCEEDED)
            return [batch] if batch.records else []
        try:
            tried = self._invoke(batch)
        except (Throttled, NoSuchFunction, OSError):  # no fault of the batch: it waits, until it is too old
            self._wait(batch.retries)
            return [batch]
        left = undone(tried, self._mapping)
        if self._poller.stopped.is_set() or not left.records:
            return []  # a sandbox that ends kills its environments: no failure of theirs
        return self._again(left)

    def _again(self, left: Batch) -> list[Batch]:
        raised = left.last is not None and left.last.failed
        if self._mapping.bisect and raised and len(left.records) > 1:
            return list(halves(left))
        if is_spent(left, self._mapping):
            self._give_up(left, Condition.RETRIES_EXHAUSTED)
            return []
        self._wait(left.retries)
        return [replace(left, retries=left.retries + 1)]

    def _split(self, batch: Batch) -> tuple[Batch, Batch]:
        slack_s = self._poller.source.grain_s + POLL_S  # else a short minute is over before the first look
        oldest = limit_of(self._mapping, now(), self._poller.scale, slack_s)
        return split_by_age(batch, oldest) if oldest else (batch.part(0, 0), batch)

    def _invoke(self, batch: Batch) -> Batch:
        request_id, result = self._poller.invoke(self._target, batch.event)
        return batch.tried(request_id, result)

    def _give_up(self, batch: Batch, condition: Condition) -> None:
        """Write the failure record, where there is a place for it; else nothing is left of the batch."""
        if arn := self._mapping.on_failure_arn:
            source, function_arn = self._poller.source, self._target.arn
            letter = batch_letter(batch, condition, mapping=self._mapping, function_arn=function_arn, source=source)
            self._poller.send(arn, letter)

    def _wait(self, times: int) -> None:
        self._poller.stopped.wait(min(_LAST_WAIT_S, _FIRST_WAIT_S * 2 ** min(times, 10)))


def _behind(record: StreamRecord) -> dict[str, str]:
    return {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": record.sequence_number}
