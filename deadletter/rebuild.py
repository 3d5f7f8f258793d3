"""What goes out: the event as its consumer would have got it, made again from its record. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from deadletter.errors import TargetRefused
from deadletter.event import FailedEvent, Json, Producer, ReceivedMessage, TargetKind, TargetRef, decode_json, region_of
from deadletter.jsontext import decode
from deadletter.parse.scheduler import extras_of
from deadletter.ports import Outgoing
from deadletter.route import Route, Supplement
from deadletter.transform import find_text, transform

# What the sender put on the message. The attributes of a Lambda DLQ message are Lambda's own words about the failure.
_SENDERS_ATTRIBUTES = frozenset({Producer.SQS_REDRIVE, Producer.UNRECOGNISED})

# Handed to functions inside of an event of AWS's own, which is JSON by nature.
_WRAPPED = frozenset({Producer.SQS_REDRIVE, Producer.SNS_SUBSCRIPTION})

_LAMBDAS_WORDS = {"SigningCertURL": "SigningCertUrl", "UnsubscribeURL": "UnsubscribeUrl"}

_SCHEDULERS_PLACES = {
    "schedule-arn": "SCHEDULE_ARN",
    "scheduled-time": "SCHEDULED_TIME",
    "execution-id": "EXECUTION_ID",
    "attempt-number": "RETRY_ATTEMPTS",
}

# The source queue never showed these to its consumer; AWSTraceHeader would go on with the failed invocation's
# recursion count.
_NOT_THE_CONSUMERS = frozenset({"DeadLetterQueueSourceArn", "AWSTraceHeader"})


def rebuild(  # noqa: PLR0913 - what an event on its way out is made of, each by its name
    message: ReceivedMessage,
    event: FailedEvent,
    target: TargetRef,
    *,
    key: int,
    deduplication_id: str,
    supplement: Supplement | None = None,
) -> Outgoing:
    """Return what to send to *target* for *event*, which *message* told of.

    Args:
        message: The record as it was collected.
        event: What `parse_message` says of it.
        target: A function gets the exact text that it failed on, or the event that its event source mapping or topic
            would have made of the message; a queue gets the message as its sender, or its topic, wrote it, and so does
            whatever else takes a text.
        key: Ours, to match the answer to.
        deduplication_id: Fresh for this redrive: FIFO queues drop what they saw within 5 minutes.
        supplement: What was looked up for the event: a batch fetched from its stream, the way that it was going.

    Raises:
        TargetRefused: The target could never take it; the message says why.
    """
    given = supplement or Supplement()
    route = given.route if given.route and given.route.target == target else None  # a person may have named another
    held = _held(message, event, given)
    if target.kind is TargetKind.LAMBDA:
        return Outgoing(key=key, payload=_function_payload(message, event, held, route))
    attributes, group_id = _extras(message, event, given.route)
    payload = _queue_body(message, event, held, route)
    if target.kind is TargetKind.STEP_FUNCTIONS and not decode_json(payload)[0]:
        raise TargetRefused("Its payload is not JSON, and a state machine takes nothing else. Choose a queue.")
    return Outgoing(
        key=key,
        payload=payload,
        message_attributes=attributes,
        group_id=(route and route.group_id) or group_id or message.attributes.get("MessageGroupId"),
        deduplication_id=deduplication_id,
        partition_key=_partition_key(event, route) if target.kind is TargetKind.KINESIS else None,
    )


MAY_NOT_BE_JSON = frozenset({Producer.LAMBDA_ASYNC_DLQ, Producer.UNRECOGNISED})
"""Anybody may write to their queues. What others tell of, a function was invoked with, or it will be wrapped."""


def payload_is_json(event: FailedEvent) -> bool:
    """Return whether a function could be invoked with what *event* failed on."""
    if event.producer in _WRAPPED:
        return True
    return event.payload_text is not None and decode_json(event.payload_text)[0]


def _held(message: ReceivedMessage, event: FailedEvent, given: Supplement) -> str | None:
    """Return the original event: as the record holds it, else as it was looked up."""
    if event.producer is not Producer.SCHEDULER or not event.truncated:
        return given.payload_text if event.payload_text is None else event.payload_text
    whole = given.route.payload_text if given.route else None  # wherever it goes: a part of an input is no input
    return None if whole is None else _with_context(whole, message)


def _function_payload(message: ReceivedMessage, event: FailedEvent, held: str | None, route: Route | None) -> str:
    if event.producer is Producer.SQS_REDRIVE:
        return json.dumps({"Records": [sqs_record(message)]})  # ASCII, so that lone surrogates survive
    if event.producer is Producer.SNS_SUBSCRIPTION:
        return json.dumps({"Records": [sns_record(message, event)]})
    text = _payload_text(event, held, route)
    if not decode_json(text)[0]:
        refusal = "Its payload is not JSON, and a function takes nothing else. Choose a queue as the target."
        raise TargetRefused(refusal)
    return text


def _queue_body(message: ReceivedMessage, event: FailedEvent, held: str | None, route: Route | None) -> str:
    if event.producer is Producer.SQS_REDRIVE or (event.producer is Producer.SNS_SUBSCRIPTION and not _is_raw(route)):
        return message.body
    return _payload_text(event, held, route)


def _payload_text(event: FailedEvent, text: str | None, route: Route | None) -> str:
    if route and event.producer is Producer.EVENTBRIDGE_RULE and text is not None:
        return _transformed(event, text, route)
    if text is None:
        refusal = event.reason or "Its record does not hold the event, so there is nothing to send."
        raise TargetRefused(refusal)
    return text


def _transformed(event: FailedEvent, text: str, route: Route) -> str:
    is_json, body = decode_json(text)
    time = body.get("time") if is_json and isinstance(body, dict) else None
    return transform(text, route, rule_arn=event.origin_arn or "", ingested_at=time if isinstance(time, str) else "")


def _with_context(text: str, message: ReceivedMessage) -> str:
    """Return a schedule's input with the placeholders filled that Scheduler fills itself, from the record."""
    for place, name in _SCHEDULERS_PLACES.items():
        value = message.message_attributes.get(name, {}).get("StringValue")
        text = text if value is None else text.replace(f"<aws.scheduler.{place}>", value)
    return text


def _extras(
    message: ReceivedMessage, event: FailedEvent, route: Route | None
) -> tuple[Mapping[str, Mapping[str, str]], str | None]:
    """Return the message attributes that go along, and the message group that the event's own sender wanted."""
    if event.producer is Producer.SNS_SUBSCRIPTION:
        return (_published_attributes(message) if _is_raw(route) else {}), None
    if event.producer is Producer.SCHEDULER:
        called = message.message_attributes.get("TARGET_ARN", {}).get("StringValue", "")
        return (route.attributes, None) if route and event.truncated else extras_of(called, message.body)
    return message.message_attributes if event.producer in _SENDERS_ATTRIBUTES else {}, None


def _partition_key(event: FailedEvent, route: Route | None) -> str | None:
    """Return what a stream's record is put under: as the rule says, else the event's id, as EventBridge does.

    Raises:
        TargetRefused: The rule takes it from a place in the event where nothing is.
    """
    if route and route.partition_key is not None:
        return route.partition_key
    is_json, body = decode_json(event.payload_text or "")
    path = (route and route.partition_key_path) or "$.id"
    key = find_text(body, path) if is_json else None
    if key is None and route and route.partition_key_path:
        raise TargetRefused(f"Its rule takes the partition key from {path[:80]!r}, and there is no text in the event.")
    return key


def _is_raw(route: Route | None) -> bool:
    return route is not None and route.raw


def _published_attributes(message: ReceivedMessage) -> Mapping[str, Mapping[str, str]]:
    """Return a notification's attributes as SNS puts them on a raw message."""
    given = _envelope(message).get("MessageAttributes")
    pairs = given.items() if isinstance(given, dict) else ()
    return {
        name: {"DataType": part["Type"], "BinaryValue" if part["Type"] == "Binary" else "StringValue": part["Value"]}
        for name, part in pairs
        if isinstance(part, dict) and isinstance(part.get("Type"), str) and isinstance(part.get("Value"), str)
    }


def _envelope(message: ReceivedMessage) -> Mapping[str, Json]:
    body = decode(message.body)[1]
    return body if isinstance(body, dict) else {}


def sns_record(message: ReceivedMessage, event: FailedEvent) -> dict[str, Json]:
    """Return the record that SNS hands to a function (AWS's guide, "with-sns").

    Two members of the notification are spelt otherwise there, and one that was left out of it is null.
    """
    whole: dict[str, Json] = dict.fromkeys(("Type", "MessageId", "TopicArn", "Subject"))
    whole |= _envelope(message)
    return {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": event.origin_arn,
        "Sns": {
            **{_LAMBDAS_WORDS.get(name, name): value for name, value in whole.items()},
            "MessageAttributes": whole.get("MessageAttributes") or {},
        },
    }


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
