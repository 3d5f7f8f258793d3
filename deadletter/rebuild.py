"""What goes out: the event as its consumer would have got it, made again from its record. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from deadletter.errors import TargetRefused
from deadletter.event import FailedEvent, Json, Producer, ReceivedMessage, TargetKind, TargetRef, decode_json, region_of
from deadletter.ports import Outgoing

# What the sender put on the message. The attributes of a Lambda DLQ message are Lambda's own words about the failure.
_SENDERS_ATTRIBUTES = frozenset({Producer.SQS_REDRIVE, Producer.UNRECOGNISED})

# The source queue never showed these to its consumer; AWSTraceHeader would go on with the failed invocation's
# recursion count.
_NOT_THE_CONSUMERS = frozenset({"DeadLetterQueueSourceArn", "AWSTraceHeader"})


def rebuild(
    message: ReceivedMessage, event: FailedEvent, target: TargetRef, *, key: int, deduplication_id: str
) -> Outgoing:
    """Return what to send to *target* for *event*, which *message* told of.

    Args:
        message: The record as it was collected.
        event: What `parse_message` says of it.
        target: A function gets the exact text that it failed on, or the SQS event that its event source mapping would
            have made of the message; a queue gets the message as its sender wrote it.
        key: Ours, to match the answer to.
        deduplication_id: Fresh for this redrive: FIFO queues drop what they saw within 5 minutes.

    Raises:
        TargetRefused: The target could never take it; the message says why.
    """
    if target.kind is TargetKind.LAMBDA:
        return Outgoing(key=key, payload=_function_payload(message, event))
    return Outgoing(
        key=key,
        payload=_queue_body(message, event),
        message_attributes=message.message_attributes if event.producer in _SENDERS_ATTRIBUTES else {},
        group_id=message.attributes.get("MessageGroupId"),
        deduplication_id=deduplication_id,
    )


def payload_is_json(event: FailedEvent) -> bool:
    """Return whether a function could be invoked with what *event* failed on."""
    if event.producer is Producer.SQS_REDRIVE:
        return True
    return event.payload_text is not None and decode_json(event.payload_text)[0]


def _function_payload(message: ReceivedMessage, event: FailedEvent) -> str:
    if event.producer is Producer.SQS_REDRIVE:
        return json.dumps({"Records": [sqs_record(message)]})  # ASCII, so that lone surrogates survive
    text = _payload_text(event)
    if not decode_json(text)[0]:
        refusal = "Its payload is not JSON, and a function takes nothing else. Choose a queue as the target."
        raise TargetRefused(refusal)
    return text


def _queue_body(message: ReceivedMessage, event: FailedEvent) -> str:
    return message.body if event.producer is Producer.SQS_REDRIVE else _payload_text(event)


def _payload_text(event: FailedEvent) -> str:
    if event.payload_text is None:
        refusal = event.reason or "Its record does not hold the event, so there is nothing to send."
        raise TargetRefused(refusal)
    return event.payload_text


def sqs_record(message: ReceivedMessage) -> dict[str, Json]:
    """Return the record that an SQS event source mapping hands to its function (AWS's guide, "with-sqs").

    The receipt handle is empty: the message is in no queue any more, so a handler that deletes or extends it by
    itself will fail.
    """
    queue_arn = message.attributes.get("DeadLetterQueueSourceArn", "")
    return {
        "messageId": message.message_id,
        "receiptHandle": "",
        "body": message.body,
        "attributes": {name: text for name, text in message.attributes.items() if name not in _NOT_THE_CONSUMERS},
        "messageAttributes": {name: _attribute(value) for name, value in message.message_attributes.items()},
        "md5OfBody": hashlib.md5(message.body.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest(),
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": region_of(queue_arn),
    }


def _attribute(value: Mapping[str, str]) -> dict[str, Json]:
    given = {"stringValue": value.get("StringValue"), "binaryValue": value.get("BinaryValue")}
    return {
        **{name: text for name, text in given.items() if text is not None},
        "stringListValues": [],
        "binaryListValues": [],
        "dataType": value.get("DataType", "String"),
    }
