"""An SQS queue that failures land in."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from deadletter.aws.clients import Purpose, client_for, sqs_calls
from deadletter.aws.trouble import ERRORS, source_error
from deadletter.event import ReceivedMessage, account_of
from deadletter.ports import SourceState

MAX_BATCH = 10
"""Messages in one call, SQS's limit."""

_STATE = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "MessageRetentionPeriod",
    "RedrivePolicy",
]


class SqsSource:
    """An SQS queue, read with long polls and emptied in batches."""

    def __init__(self, arn: str) -> None:
        self._arn = arn
        self._client = client_for(arn, "sqs", Purpose.READ)
        self._url = queue_url(self._client, arn)
        self._call = sqs_calls(self._client, account_of(arn))
        self._asked = {"QueueUrl": self._url, "MessageSystemAttributeNames": ["All"], "MessageAttributeNames": ["All"]}

    def receive(self, *, most: int, wait_s: float, hide_s: int | None = None) -> Sequence[ReceivedMessage]:
        """Take up to *most* (at most 10) messages with all their attributes; see `Source.receive`.

        They are hidden for *hide_s* seconds; None: for as long as the queue says.
        """
        hidden = {} if hide_s is None else {"VisibilityTimeout": hide_s}
        try:
            answer = self._call("ReceiveMessage", self._asked | hidden | {
                "MaxNumberOfMessages": min(most, MAX_BATCH), "WaitTimeSeconds": round(wait_s),
            })  # fmt: skip
        except ERRORS as error:
            raise source_error(error, action="sqs:ReceiveMessage", arn=self._arn) from error
        return [_received(message) for message in answer.get("Messages", [])]

    def delete(self, messages: Sequence[ReceivedMessage]) -> Sequence[str]:
        """Delete at most 10 messages; see `Source.delete`."""
        entries = [{"Id": str(n), "ReceiptHandle": message.receipt_handle} for n, message in enumerate(messages)]
        try:
            answer = self._call("DeleteMessageBatch", {"QueueUrl": self._url, "Entries": entries})
        except ERRORS as error:
            raise source_error(error, action="sqs:DeleteMessage", arn=self._arn) from error
        deleted = {entry["Id"] for entry in answer.get("Successful", [])}
        return [message.message_id for n, message in enumerate(messages) if str(n) not in deleted]

    def release(self, messages: Sequence[ReceivedMessage], *, after_s: int = 0) -> None:
        """Let at most 10 messages be seen again; see `ObservedSource.release`."""
        entries = [
            {"Id": str(n), "ReceiptHandle": message.receipt_handle, "VisibilityTimeout": after_s}
            for n, message in enumerate(messages)
        ]
        try:
            self._client.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)
        except ERRORS as error:
            raise source_error(error, action="sqs:ChangeMessageVisibility", arn=self._arn) from error

    def state(self) -> SourceState:
        """Return how full the queue is now; see `Source.state`."""
        try:
            answer = self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=_STATE)
        except ERRORS as error:
            raise source_error(error, action="sqs:GetQueueAttributes", arn=self._arn) from error
        attributes: Mapping[str, str] = answer.get("Attributes", {})
        policy = redrive_policy(attributes)
        return SourceState(
            depth=int(attributes.get("ApproximateNumberOfMessages", 0)),
            in_flight=int(attributes.get("ApproximateNumberOfMessagesNotVisible", 0)),
            retention_s=int(attributes.get("MessageRetentionPeriod", 0)),
            redrives_to=policy.get("deadLetterTargetArn"),
            max_receives=int(policy["maxReceiveCount"]) if str(policy.get("maxReceiveCount")).isdecimal() else None,
        )


def queue_url(sqs: Any, arn: str) -> str:  # noqa: ANN401 - a boto3 client
    """Return the URL of the queue with that ARN: made, not asked for, since asking takes a permission of its own."""
    account, name = (arn.split(":") + [""] * 6)[4:6]
    return f"{sqs.meta.endpoint_url.rstrip('/')}/{account}/{name}"


def redrive_policy(attributes: Mapping[str, str]) -> Mapping[str, Any]:
    """Return a queue's redrive policy; empty where it has none."""
    policy = json.loads(attributes.get("RedrivePolicy") or "{}")
    return policy if isinstance(policy, dict) else {}


def _received(message: Mapping[str, Any]) -> ReceivedMessage:
    return ReceivedMessage(
        message_id=message["MessageId"],
        body=message.get("Body", ""),
        attributes=message.get("Attributes", {}),
        message_attributes={name: _attribute(value) for name, value in message.get("MessageAttributes", {}).items()},
        receipt_handle=message["ReceiptHandle"],
    )


def _attribute(value: Mapping[str, Any]) -> Mapping[str, str]:
    kept = {name: value[name] for name in ("DataType", "StringValue") if name in value}
    if (binary := value.get("BinaryValue")) is not None:
        kept["BinaryValue"] = base64.b64encode(binary).decode("ascii") if isinstance(binary, bytes) else binary
    return kept
