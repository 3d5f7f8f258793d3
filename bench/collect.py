"""Collecting (receive, parse, group, store, delete) against a bare boto3 loop that only receives and deletes."""

import json
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import boto3

from bench.rounds import Ratio, compare
from deadletter import aws
from deadletter.actor import Actor
from deadletter.event import ReceivedMessage
from deadletter.ports import Source, SourceState
from deadletter.settings import Settings
from deadletter.store import make_engine, upgrade, write
from deadletter.store.sources import add_source
from sandbox.local import Sandbox
from worker.loop import Worker

MESSAGES = 2_000
THREADS = 4
_CAUSES = 25


def collect_against_bare_loop(box: Sandbox) -> Ratio:
    """Return the ratio at 1 KB a message, with as many receivers as the loop has threads, into SQLite."""
    queue_url = boto3.client("sqs").create_queue(QueueName="bench")["QueueUrl"]
    queue_arn = f"arn:aws:sqs:{box.region}:{box.account}:bench"
    return compare(lambda: _collect(queue_url, queue_arn), lambda: _bare_loop(queue_url))


def _fill(queue_url: str) -> None:
    sqs = boto3.client("sqs")
    for start in range(0, MESSAGES, 10):
        entries = [{"Id": str(n), "MessageBody": _record(start + n)} for n in range(10)]
        sqs.send_message_batch(QueueUrl=queue_url, Entries=entries)


def _record(number: int) -> str:
    """Return an on-failure record of about 1 KB, as Lambda writes it, with one of some causes."""
    request_id = str(uuid.uuid4())
    cause = number % _CAUSES
    frame = f'  File "/var/task/app.py", line {31 + cause}, in step_{cause}\n    reserve(event)\n'
    record = {
        "version": "1.0",
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "requestContext": {
            "requestId": request_id,
            "functionArn": "arn:aws:lambda:eu-west-1:000000000000:function:orders-ingest:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": {"orderId": f"ord-{number}", "note": "x" * 300},
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": {
            "errorMessage": f"inventory service refused order ord-{number}",
            "errorType": "ValueError",
            "requestId": request_id,
            "stackTrace": [frame],
        },
    }
    return json.dumps(record)


def _bare_loop(queue_url: str) -> float:
    _fill(queue_url)
    done = _Countdown(MESSAGES)

    def loop() -> None:
        sqs = boto3.client("sqs")
        while not done.reached.is_set():
            messages = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10).get("Messages", [])
            if messages:
                entries = [{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(messages)]
                sqs.delete_message_batch(QueueUrl=queue_url, Entries=entries)
                done.count(len(messages))

    return _timed(done, [threading.Thread(target=loop) for _ in range(THREADS)])


def _collect(queue_url: str, queue_arn: str) -> float:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder), receivers=THREADS, receive_wait_s=1)
        upgrade(settings)
        engine = make_engine(settings)
        with write(engine) as session:
            add_source(session, queue_arn, target=None, by=Actor("bench", "command line"), now=datetime.now(UTC))
        _fill(queue_url)
        done = _Countdown(MESSAGES)
        worker = Worker(settings, engine, open_source=_counting(done))
        thread = threading.Thread(target=worker.run)
        rate = _timed(done, [thread], stop=worker.stop)
        engine.dispose()
        return rate


def _timed(done: "_Countdown", threads: Sequence[threading.Thread], stop: Callable[[], None] = lambda: None) -> float:
    at = time.perf_counter()
    for thread in threads:
        thread.start()
    if not done.reached.wait(120):
        raise RuntimeError(f"After 120 s, {done.left} of {MESSAGES} messages are still to be deleted.")
    took = time.perf_counter() - at
    stop()
    for thread in threads:
        thread.join()
    return MESSAGES / took


class _Countdown:
    """Counts deleted messages from any thread; `reached` is set at the last."""

    def __init__(self, left: int) -> None:
        self.left = left
        self.reached = threading.Event()
        self._lock = threading.Lock()

    def count(self, some: int) -> None:
        with self._lock:
            self.left -= some
            if self.left <= 0:
                self.reached.set()


def _counting(done: _Countdown) -> Callable[[str], Source]:
    return lambda arn: _CountingSource(aws.open_source(arn), done)


class _CountingSource:
    """The real source; only says when something was deleted."""

    def __init__(self, source: Source, done: _Countdown) -> None:
        self._source = source
        self._done = done

    def receive(self, *, most: int, wait_s: float) -> Sequence[ReceivedMessage]:
        return self._source.receive(most=most, wait_s=wait_s)

    def delete(self, messages: Sequence[ReceivedMessage]) -> Sequence[str]:
        left = self._source.delete(messages)
        self._done.count(len(messages) - len(left))
        return left

    def state(self) -> SourceState:
        return self._source.state()
