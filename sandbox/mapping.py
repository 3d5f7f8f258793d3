"""SQS as an event source.

Poll, invoke, delete what succeeded. What failed comes back by itself, and the queue's redrive policy counts.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sandbox.clients import Clients
from sandbox.environment import Invocation, Result
from sandbox.functions import REGION, FunctionName, QueueMapping, Registry
from sandbox.pool import Pool, Throttled

POLL_S = 1
"""How long one poll waits for messages. Lambda's pollers wait up to 20 s; ours must notice the end."""
MOST_A_CALL = 10
_ERROR_PAUSE_S = 0.2

log = logging.getLogger(__name__)


class Poller:
    """The pollers of one event source mapping: as many as it may run batches at once."""

    def __init__(self, mapping: QueueMapping, registry: Registry, pool: Pool, clients: Clients) -> None:
        self.mapping = mapping
        self._registry = registry
        self._pool = pool
        self._clients = clients
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._poll, name=f"poller-{n}", daemon=True)
            for n in range(mapping.maximum_concurrency)
        ]

    def start(self) -> None:
        """Start polling."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ask the pollers to end after what they have in hand."""
        self._stopped.set()

    def join(self) -> None:
        """Wait for the pollers' end."""
        for thread in self._threads:
            thread.join()

    def _poll(self) -> None:
        while not self._stopped.is_set():
            try:
                if batch := self._gather():
                    self._handle(batch)
            except (BotoCoreError, ClientError, OSError, Throttled) as error:
                log.debug("The mapping of %s pauses: %s", self.mapping.queue_arn, error)
                self._stopped.wait(_ERROR_PAUSE_S)

    def _gather(self) -> list[Any]:
        """Receive up to a batch of messages: whatever is there, and what comes while the window is open."""
        batch: list[Any] = self._receive(self.mapping.batch_size)
        closes = time.monotonic() + self.mapping.window_s
        while batch and len(batch) < self.mapping.batch_size and time.monotonic() < closes:
            batch += self._receive(self.mapping.batch_size - len(batch))
        return batch

    def _receive(self, most: int) -> list[Any]:
        answer = self._clients("sqs").receive_message(
            QueueUrl=self._clients.queue_url(self.mapping.queue_arn),
            MaxNumberOfMessages=min(most, MOST_A_CALL),
            WaitTimeSeconds=POLL_S,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return list(answer.get("Messages", []))

    def _handle(self, batch: Sequence[Any]) -> None:
        target = FunctionName.parse(self.mapping.function_name)
        function = self._registry.get(target.name, target.qualifier)
        event = {"Records": [sqs_record(message, self.mapping.queue_arn) for message in batch]}
        result = self._pool.run(function, Invocation(payload=json.dumps(event), arn=target.arn))
        failed = failed_ids(result, [message["MessageId"] for message in batch])
        self._delete([message for message in batch if message["MessageId"] not in failed])
        self._show_again([message for message in batch if message["MessageId"] in failed])

    def _delete(self, messages: Sequence[Any]) -> None:
        url = self._clients.queue_url(self.mapping.queue_arn)
        for some in _in_tens(messages):
            entries = [{"Id": str(n), "ReceiptHandle": each["ReceiptHandle"]} for n, each in enumerate(some)]
            self._clients("sqs").delete_message_batch(QueueUrl=url, Entries=entries)

    def _show_again(self, messages: Sequence[Any]) -> None:
        """Shorten the wait for the next attempt, where the mapping says so."""
        if self.mapping.retry_wait_s is None:
            return
        url = self._clients.queue_url(self.mapping.queue_arn)
        for some in _in_tens(messages):
            entries = [
                {"Id": str(n), "ReceiptHandle": each["ReceiptHandle"], "VisibilityTimeout": self.mapping.retry_wait_s}
                for n, each in enumerate(some)
            ]
            self._clients("sqs").change_message_visibility_batch(QueueUrl=url, Entries=entries)


def sqs_record(message: Any, queue_arn: str) -> dict[str, Any]:  # noqa: ANN401 - boto3's dict
    """Return *message* as a record of the event that Lambda passes to a function."""
    attributes = {name: _attribute(value) for name, value in message.get("MessageAttributes", {}).items()}
    digest = {"md5OfMessageAttributes": message["MD5OfMessageAttributes"]} if attributes else {}
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": attributes,
        **digest,
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": REGION,
    }


def failed_ids(result: Result, sent: Sequence[str]) -> frozenset[str]:
    """Return the messages that the function did not do, by its partial batch response.

    All of them where it failed, or where the response is not one: an identifier that is missing, empty or unknown
    fails the batch.
    """
    everything = frozenset(sent)
    if result.failed:
        return everything
    try:
        failures = (json.loads(result.payload) or {}).get("batchItemFailures") or []
        ids = frozenset(failure["itemIdentifier"] for failure in failures)
    except (AttributeError, KeyError, TypeError):
        return everything
    return ids if ids.issubset(everything) else everything


def _attribute(value: Any) -> dict[str, Any]:  # noqa: ANN401 - boto3's dict
    text = {"stringValue": value["StringValue"]} if "StringValue" in value else {}
    return {**text, "stringListValues": [], "binaryListValues": [], "dataType": value["DataType"]}


def _in_tens(messages: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(messages), MOST_A_CALL):
        yield messages[start : start + MOST_A_CALL]
