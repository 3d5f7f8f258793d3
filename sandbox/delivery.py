"""Where failures go: the function's DLQ and its on-failure destination, one sender a kind of place."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from sandbox.clients import Clients
from sandbox.records import GivenUp, error_attributes, failure_record

Attributes = Mapping[str, tuple[str, str]]
DETAIL_TYPE = "Lambda Function Invocation Result - Failure"
"""What AWS sends, with an ASCII hyphen; the Developer Guide prints a dash."""

log = logging.getLogger(__name__)


class NotTaken(Exception):
    """The place answered, and did not take what it was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What is sent to a place, with what only some kinds of place need.

    `attributes` are for a queue and a topic. A bus gets the ARN `about`, a bucket the key's beginning `folder` and,
    where it keeps more than the others get, the text `stored`. Not `traced`, a queue's message has no trace header.
    """

    body: str
    attributes: Attributes = field(default_factory=dict)
    about: str = ""
    folder: str = ""
    stored: str | None = None
    traced: bool = True


Send = Callable[[str, Letter], None]
"""Sends a letter to an ARN."""


class Delivery:
    """Delivers failures. `lost` counts those not taken (AWS's DeadLetterErrors, DestinationDeliveryFailures).

    ministack takes events for a bus that does not exist, so that those are not counted.
    """

    def __init__(self, clients: Clients) -> None:
        self.lost = 0
        self._clients = clients
        self._senders: dict[str, Send] = {
            "sqs": self._to_queue,
            "sns": self._to_topic,
            "events": self._to_bus,
            "s3": self._to_bucket,
            "lambda": self._to_function,
        }

    def give_up(self, event: GivenUp) -> None:
        """Send the event itself to the function's DLQ, and a record of it to the on-failure destination."""
        if arn := event.function.dead_letter_arn:
            self.send(arn, Letter(body=event.payload, attributes=error_attributes(event)))
        if arn := event.function.on_failure_arn:
            self.send(arn, _record_of(event))

    def send(self, arn: str, letter: Letter) -> None:
        """Send *letter* to *arn*, once; what the place does not take is lost."""
        try:
            self._senders[arn.split(":")[2]](arn, letter)
        except (BotoCoreError, ClientError, KeyError, NotTaken) as error:
            self.lost += 1
            log.warning("A failure could not be delivered to %s and is lost, as on AWS: %s", arn, error)

    def _to_queue(self, arn: str, letter: Letter) -> None:
        trace = {"AWSTraceHeader": {"DataType": "String", "StringValue": trace_header()}}
        self._clients("sqs").send_message(
            QueueUrl=self._clients.queue_url(arn),
            MessageBody=letter.body,
            MessageAttributes=_attributes(letter.attributes),
            MessageSystemAttributes=trace if letter.traced else {},
        )

    def _to_topic(self, arn: str, letter: Letter) -> None:
        self._clients("sns").publish(
            TopicArn=arn, Message=letter.body, MessageAttributes=_attributes(letter.attributes)
        )

    def _to_bus(self, arn: str, letter: Letter) -> None:
        entry = {
            "EventBusName": arn,
            "Source": "lambda",
            "DetailType": DETAIL_TYPE,
            "Resources": [arn, letter.about],
            "Detail": letter.body,
        }
        answer = self._clients("events").put_events(Entries=[entry])
        if answer["FailedEntryCount"]:
            raise NotTaken(answer["Entries"][0].get("ErrorMessage"))

    def _to_bucket(self, arn: str, letter: Letter) -> None:
        body = letter.body if letter.stored is None else letter.stored
        key = object_key(letter.folder, datetime.now(UTC))
        self._clients("s3").put_object(Bucket=arn.rpartition(":")[2], Key=key, Body=body.encode())

    def _to_function(self, arn: str, letter: Letter) -> None:
        self._clients("lambda").invoke(FunctionName=arn, InvocationType="Event", Payload=letter.body.encode())


def object_key(folder: str, at: datetime) -> str:
    """Return the key of a record in a bucket: `aws/lambda/<folder>/YYYY/MM/DD/YYYY-MM-DDTHH.MM.SS-<uuid>`."""
    return f"aws/lambda/{folder}/{at:%Y/%m/%d/%Y-%m-%dT%H.%M.%S}-{uuid4()}"


def trace_header() -> str:
    """Return a trace header as Lambda's are: root, parent, sampling, lineage."""
    root = f"1-{secrets.token_hex(4)}-{secrets.token_hex(12)}"
    return f"Root={root};Parent={secrets.token_hex(8)};Sampled=0;Lineage=1:{secrets.token_hex(4)}:0"


def _record_of(event: GivenUp) -> Letter:
    return Letter(
        body=failure_record(event),
        about=event.function.arn_of(event.qualifier),
        folder=f"async/{event.function.name}",
    )


def _attributes(attributes: Attributes) -> dict[str, dict[str, str]]:
    return {name: {"DataType": kind, "StringValue": value} for name, (kind, value) in attributes.items()}
