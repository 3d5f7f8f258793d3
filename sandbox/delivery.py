"""Where failures go: the function's DLQ and its on-failure destination, one sender a kind of place."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping

from botocore.exceptions import BotoCoreError, ClientError

from sandbox.clients import Clients
from sandbox.records import GivenUp, error_attributes, failure_record

Attributes = Mapping[str, tuple[str, str]]
Send = Callable[[str, str, Attributes], None]
"""Sends to an ARN a body with attributes."""

log = logging.getLogger(__name__)


class Delivery:
    """Delivers failures. `lost` counts those not taken (AWS's DeadLetterErrors, DestinationDeliveryFailures)."""

    def __init__(self, clients: Clients) -> None:
        self.lost = 0
        self._clients = clients
        self._senders: dict[str, Send] = {"sqs": self._to_queue, "sns": self._to_topic}

    def give_up(self, event: GivenUp) -> None:
        """Send the event itself to the function's DLQ, and a record of it to the on-failure destination."""
        if arn := event.function.dead_letter_arn:
            self._send(arn, event.payload, error_attributes(event))
        if arn := event.function.on_failure_arn:
            self._send(arn, failure_record(event), {})

    def _send(self, arn: str, body: str, attributes: Attributes) -> None:
        try:
            self._senders[arn.split(":")[2]](arn, body, attributes)
        except (BotoCoreError, ClientError, KeyError) as error:
            self.lost += 1
            log.warning("A failure could not be delivered to %s and is lost, as on AWS: %s", arn, error)

    def _to_queue(self, arn: str, body: str, attributes: Attributes) -> None:
        self._clients("sqs").send_message(
            QueueUrl=self._clients.queue_url(arn),
            MessageBody=body,
            MessageAttributes=_attributes(attributes),
            MessageSystemAttributes={"AWSTraceHeader": {"DataType": "String", "StringValue": trace_header()}},
        )

    def _to_topic(self, arn: str, body: str, attributes: Attributes) -> None:
        self._clients("sns").publish(TopicArn=arn, Message=body, MessageAttributes=_attributes(attributes))


def trace_header() -> str:
    """Return a trace header as Lambda's are: root, parent, sampling, lineage."""
    root = f"1-{secrets.token_hex(4)}-{secrets.token_hex(12)}"
    return f"Root={root};Parent={secrets.token_hex(8)};Sampled=0;Lineage=1:{secrets.token_hex(4)}:0"


def _attributes(attributes: Attributes) -> dict[str, dict[str, str]]:
    return {name: {"DataType": kind, "StringValue": value} for name, (kind, value) in attributes.items()}
