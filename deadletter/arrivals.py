"""What AWS pushes at a function of ours, whatever pushed it, as messages like those that a queue hands over. Pure.

SNS, EventBridge, S3, an SQS event source mapping and a Lambda destination each have an event of their own; see the
Lambda Developer Guide on each. An id that AWS gave is kept; where it gave none, the content makes one, so that the same
record pushed twice is one message.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote_plus

from deadletter.event import BUS_ARN, FUNCTION_ARN, Json, ObjectRef, ReceivedMessage, decode_json

_MARKS = ("aws:s3", "aws.s3")
_SIGNATURE = re.compile(r"[0-9a-fA-F]{32}(?:-\d+)?")


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message, and the ARN of what pushed it.

    `item` is how a partial batch response names it (SQS's message id); None where AWS takes no such answer.
    """

    source_arn: str
    message: ReceivedMessage
    item: str | None = None


def arrivals_of(event: Json, *, pushed_to: str) -> list[Arrival]:
    """Return what *event*, a Lambda event as the runtime decoded it, holds; *pushed_to* is our own function's ARN.

    Pure and total: what nobody recognises is one message from *pushed_to* itself. S3's test event holds nothing.
    """
    records = event.get("Records") if isinstance(event, dict) else None
    if isinstance(records, list) and records and all(isinstance(record, dict) for record in records):
        return [_of_record(record, pushed_to) for record in records]
    if isinstance(event, dict) and event.get("Event") == "s3:TestEvent":
        return []
    return [Arrival(_pusher(event) or pushed_to, _whole(event))]


def objects_in(message: ReceivedMessage) -> list[ObjectRef]:
    """Return the objects that *message* points at, if it is a notification of S3's: also by way of SNS or EventBridge.

    A message that something outside of its body tells the producer of is none, whatever its body says.
    """
    told = "DeadLetterQueueSourceArn" in message.attributes or bool(message.message_attributes)
    if told or not any(mark in message.body for mark in _MARKS):
        return []
    body = decode_json(message.body)[1]
    if isinstance(body, dict) and body.get("Type") == "Notification" and isinstance(body.get("Message"), str):
        body = decode_json(body["Message"])[1]
    return list(_objects(body))


def is_test(message: ReceivedMessage) -> bool:
    """Return whether *message* is what S3 sends once, when a notification is set up: nothing has failed."""
    told = "DeadLetterQueueSourceArn" in message.attributes or bool(message.message_attributes)
    body = decode_json(message.body)[1] if not told and "s3:TestEvent" in message.body else None
    return isinstance(body, dict) and body.get("Service") == "Amazon S3" and body.get("Event") == "s3:TestEvent"


def _of_record(record: Mapping[str, Any], pushed_to: str) -> Arrival:
    read = _READERS.get(record.get("eventSource") or record.get("EventSource") or "")
    try:
        return read(record) if read else Arrival(pushed_to, _whole(record))
    except (KeyError, TypeError, AttributeError, ValueError):  # it calls itself what it is not
        return Arrival(pushed_to, _whole(record))


def _from_queue(record: Mapping[str, Any]) -> Arrival:
    """Read what an SQS event source mapping hands over: attributes are spelt otherwise than in ReceiveMessage."""
    message = ReceivedMessage(
        message_id=_text(record["messageId"]),
        body=_text(record["body"]),
        attributes={name: _text(value) for name, value in (record.get("attributes") or {}).items()},
        message_attributes={
            name: _attribute(value["dataType"], value.get("stringValue"), value.get("binaryValue"))
            for name, value in (record.get("messageAttributes") or {}).items()
        },
    )
    return Arrival(_text(record["eventSourceARN"]), message, item=message.message_id)


def _from_topic(record: Mapping[str, Any]) -> Arrival:
    """Read what SNS hands to a function: the message by itself, as raw delivery would give it to a queue."""
    sns = record["Sns"]
    given = {"Subject": sns.get("Subject"), "SentTimestamp": _epoch_ms(sns.get("Timestamp"))}
    message = ReceivedMessage(
        message_id=_text(sns["MessageId"]),
        body=_text(sns["Message"]),
        attributes={"TopicArn": _text(sns["TopicArn"])} | {name: text for name, text in given.items() if text},
        message_attributes={
            name: _sns_attribute(value) for name, value in (sns.get("MessageAttributes") or {}).items()
        },
    )
    return Arrival(_text(sns["TopicArn"]), message)


def _from_bucket(record: Mapping[str, Any]) -> Arrival:
    return Arrival(f"arn:aws:s3:::{_text(record['s3']['bucket']['name'])}", _whole({"Records": [record]}))


_READERS: Mapping[str, Callable[[Mapping[str, Any]], Arrival]] = {
    "aws:sqs": _from_queue,
    "aws:sns": _from_topic,
    "aws:s3": _from_bucket,
}


def _sns_attribute(value: Mapping[str, Any]) -> Mapping[str, str]:
    kind, text = _text(value["Type"]), _text(value["Value"])
    return _attribute(kind, *((None, text) if kind.startswith("Binary") else (text, None)))


def _attribute(kind: str, text: str | None, binary: str | None) -> Mapping[str, str]:
    """Return an attribute as `ReceivedMessage` has it; bytes stay in base64 text."""
    given = {"DataType": kind, "StringValue": text, "BinaryValue": binary}
    return {name: _text(value) for name, value in given.items() if value is not None}


def _pusher(event: Json) -> str | None:
    """Return what pushed an event that comes by itself: a bus (EventBridge), or the function that failed (Lambda)."""
    if not isinstance(event, dict):
        return None
    if "detail-type" in event and isinstance(event.get("resources"), list):
        named = next((arn for arn in event["resources"] if isinstance(arn, str) and BUS_ARN.fullmatch(arn)), None)
        bus = f"arn:aws:events:{event.get('region')}:{event.get('account')}:event-bus/default"
        return named or (bus if BUS_ARN.fullmatch(bus) else None)
    context = event.get("requestContext")
    function = FUNCTION_ARN.fullmatch(str(context.get("functionArn"))) if isinstance(context, dict) else None
    return function[1] if function else None


def _whole(event: Json) -> ReceivedMessage:
    """Return *event* as the body of a message, under an id of its own: the same event again has the same."""
    text = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    same = json.dumps(event, sort_keys=True).encode()
    return ReceivedMessage(message_id=f"pushed-{hashlib.sha256(same).hexdigest()}", body=text)


def _objects(body: Json) -> Iterator[ObjectRef]:
    if not isinstance(body, dict):
        return
    if body.get("source") == "aws.s3":
        found = [body.get("detail")]
    else:
        records = body.get("Records")
        found = [record.get("s3") for record in records if _is_created(record)] if isinstance(records, list) else []
    for one in found:
        if ref := _ref(one, quoted=body.get("source") != "aws.s3"):
            yield ref


def _is_created(record: object) -> bool:
    """Return whether a record of S3's says that an object was made; others tell of removals and the like."""
    if not isinstance(record, dict) or record.get("eventSource") != "aws:s3":
        return False
    return str(record.get("eventName", "")).startswith("ObjectCreated:")


def _ref(told: object, *, quoted: bool) -> ObjectRef | None:
    """Return the object that S3 tells of; in its own notifications, but not in EventBridge's, keys are URL-encoded."""
    bucket, thing = (told.get("bucket"), told.get("object")) if isinstance(told, dict) else (None, None)
    if not isinstance(bucket, dict) or not isinstance(thing, dict):
        return None
    name, key, size = bucket.get("name"), thing.get("key"), thing.get("size")
    if not isinstance(name, str) or not isinstance(key, str) or not key:
        return None
    etag = str(thing.get("eTag") or thing.get("etag") or "")
    whole = size if isinstance(size, int) and not isinstance(size, bool) and size >= 0 else None
    return ObjectRef(name, unquote_plus(key) if quoted else key, whole, etag if _SIGNATURE.fullmatch(etag) else "")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _epoch_ms(text: object) -> str | None:
    try:
        moment = datetime.fromisoformat(_text(text))
        return str(round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000))
    except (TypeError, ValueError, OverflowError):
        return None
