"""What a failure is to us.

The message as AWS handed it over, and what its record says. Frozen, standard library only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

# A Region becomes part of a host's name, and ARNs come from whoever may write to a queue.
_REGION = r"[a-z]{2,8}(?:-[a-z]{2,16}){1,3}-\d{1,2}"

FUNCTION_ARN = re.compile(
    rf"(arn:aws[a-z-]*:lambda:{_REGION}:\d{{12}}:function:[\w-]{{1,64}})(?::([\w$-]{{1,128}}))?", re.ASCII
)
"""A function's ARN, and its version or alias."""

QUEUE_ARN = re.compile(rf"arn:aws[a-z-]*:sqs:{_REGION}:\d{{12}}:[\w-]{{1,75}}(?:\.fifo)?", re.ASCII)
"""An SQS queue's ARN."""

BUCKET_ARN = re.compile(
    r"arn:aws[a-z-]*:s3:::([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/([^\x00-\x1f\x7f]{0,1024}))?", re.ASCII
)
"""A bucket's ARN, and the beginning that the keys of its objects must have (S3's bucket naming rules)."""

TOPIC_ARN = re.compile(rf"arn:aws[a-z-]*:sns:{_REGION}:\d{{12}}:[\w-]{{1,256}}(?:\.fifo)?", re.ASCII)
"""An SNS topic's ARN."""

BUS_ARN = re.compile(rf"arn:aws[a-z-]*:events:{_REGION}:\d{{12}}:event-bus/[/.\w-]{{1,256}}", re.ASCII)
"""An EventBridge bus's ARN."""

DATA_STREAM_ARN = re.compile(rf"arn:aws[a-z-]*:kinesis:{_REGION}:\d{{12}}:stream/[\w.-]{{1,128}}", re.ASCII)
"""A Kinesis data stream's ARN."""

STATE_MACHINE_ARN = re.compile(
    rf"arn:aws[a-z-]*:states:{_REGION}:\d{{12}}:stateMachine:[\w.-]{{1,80}}(?::[\w.-]{{1,80}})?", re.ASCII
)
"""A Step Functions state machine's ARN; a version or an alias may follow."""

STREAM_ARN = re.compile(
    rf"arn:aws[a-z-]*:(?:kinesis:{_REGION}:\d{{12}}:stream/[\w.-]{{1,128}}"
    rf"|dynamodb:{_REGION}:\d{{12}}:table/[\w.-]{{3,255}}/stream/[\w:.-]{{1,64}})",
    re.ASCII,
)
"""The ARN of a Kinesis data stream or of a DynamoDB table's stream."""

ORIGIN_ARN = re.compile(
    rf"arn:aws[a-z-]*:(?:events|scheduler|sns|pipes):{_REGION}:\d{{12}}:[\w./:-]{{1,600}}", re.ASCII
)
"""The ARN of what a record can name as the one that gave up: a rule, a schedule, a subscription, a pipe."""

Json = Any
"""A decoded JSON value."""

MAX_JSON_DEPTH_ERRORS = (ValueError, RecursionError)
"""What `json.loads` raises on text that is not JSON, is nested too deep, or holds a number too long to be one."""


class Producer(StrEnum):
    """Who wrote the record. The names are the ones that the pages, the command line and the table use."""

    LAMBDA_ASYNC_DLQ = "lambda-async-dlq"
    LAMBDA_DESTINATION = "lambda-destination"
    KINESIS_ESM = "kinesis-esm"
    DYNAMODB_ESM = "dynamodb-esm"
    KAFKA_ESM = "kafka-esm"
    SQS_REDRIVE = "sqs-redrive"
    SNS_SUBSCRIPTION = "sns-subscription"
    EVENTBRIDGE_RULE = "eventbridge-rule"
    SCHEDULER = "scheduler"
    PIPES = "pipes"
    UNRECOGNISED = "unrecognised"


class TargetKind(StrEnum):
    """What kind of thing a redrive sends to."""

    LAMBDA = "lambda"
    SQS = "sqs"
    SNS = "sns"
    """A topic: a rule's target, or chosen by a person. It fans out to every subscriber."""

    EVENTBRIDGE = "eventbridge"
    """A bus, chosen by a person. It fans out to every rule that matches."""

    KINESIS = "kinesis"
    """A data stream: a rule's or a schedule's target, or chosen by a person."""

    STEP_FUNCTIONS = "step-functions"
    """A state machine: a rule's, a schedule's or a pipe's target, or chosen by a person."""


class Redrivable(StrEnum):
    """Whether the record holds enough to be sent again: `yes`, only after fetching the data it points at, or `no`."""

    YES = "yes"
    REFETCH = "refetch"
    NO = "no"


@dataclass(frozen=True, slots=True)
class TargetRef:
    """Where a redrive would send: a kind and an ARN (a function's may carry an alias or a version)."""

    kind: TargetKind
    arn: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamRange:
    """Where a batch lies in its stream, both ends included.

    `first` and `last` are sequence numbers as AWS writes them: decimal text of up to 128 digits, which only as integers
    compare. `size` is how many records the batch had; None where the record does not say.
    """

    stream_arn: str
    shard_id: str
    first: str
    last: str
    size: int | None = None
    first_arrived_at: datetime | None = None
    last_arrived_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """One message as SQS handed it over, none of it interpreted.

    `attributes` are the system attributes (`SentTimestamp`, `DeadLetterQueueSourceArn`, ...) by name.
    `message_attributes` are the sender's, by name, each ``{"DataType", "StringValue"}`` or ``{"DataType",
    "BinaryValue"}`` with the bytes in base64 text.
    """

    message_id: str
    body: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    message_attributes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    receipt_handle: str = ""


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """One object of a bucket, as a listing or a notification names it: `size` in bytes, `etag` of what it holds now.

    A key is only text. It is sent to S3 as it stands, and is never a path of ours.
    """

    bucket: str
    key: str
    size: int | None = None
    etag: str = ""

    @property
    def message_id(self) -> str:
        """What stands for a message's id: another content under the same key is another object."""
        return f"{self.key}#{self.etag}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedEvent:
    """An event that its consumer gave up on: what the record says, and `None` instead of a guess where it does not.

    `function_arn` is without its qualifier. `occurred_at` is the record's own timestamp, else when the message was
    first sent; UTC. `payload_text` is the original event exactly as it stood in the record, JSON or not; `None` where
    the record does not hold it. `stack_trace` is as AWS's runtime writes it: one text a frame. `status_code` is the
    invocation's HTTP status (200 for a function's own error). `origin_arn` is the rule, schedule, subscription or pipe
    that gave up. `stream` is where the record says that its batch lies. `notes` are sentences for the page: what in the
    record contradicts itself, and what a redrive of it would do that one might not expect.
    """

    producer: Producer
    request_id: str | None = None
    function_arn: str | None = None
    qualifier: str | None = None
    condition: str | None = None
    invoke_count: int | None = None
    error_type: str | None = None
    error_message: str | None = None
    stack_trace: tuple[str, ...] | None = None
    status_code: int | None = None
    occurred_at: datetime | None = None
    payload_text: str | None = None
    target: TargetRef | None = None
    redrivable: Redrivable = Redrivable.YES
    reason: str | None = None
    truncated: bool = False
    origin_arn: str | None = None
    stream: StreamRange | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cause:
    """Why an event failed, as far as is known: the facts that a fingerprint is made of.

    `condition` and `producer` speak where no error is known (a message that a queue moved, a function that never ran).
    """

    function_arn: str | None = None
    error_type: str | None = None
    error_message: str | None = None
    stack_trace: Sequence[str] | None = None
    condition: str | None = None
    producer: Producer | None = None


def decode_json(text: str) -> tuple[bool, Json]:
    """Return ``(True, value)`` for strict JSON (no NaN, no Infinity), and ``(False, None)`` for anything else."""
    try:
        return True, json.loads(text, parse_constant=_refuse_constant)
    except MAX_JSON_DEPTH_ERRORS:
        return False, None


def _refuse_constant(name: str) -> None:
    message = f"{name} is not JSON"
    raise ValueError(message)


def storable(text: str) -> str:
    """Return *text* with what no database takes as text (NUL, lone surrogates) replaced by U+FFFD.

    Only for what is derived.
    """
    if text.isascii() and "\x00" not in text:
        return text
    return text.replace("\x00", "\ufffd").encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def name_of(arn: str) -> str:
    """Return the last part of an ARN that people call the thing by: the function's or the queue's name."""
    parts = arn.split(":")  # arn:partition:service:region:account:queue, or ...:account:function:name[:qualifier]
    if parts[2:5] == ["s3", "", ""]:
        return ":".join(parts[5:])  # a key may hold colons
    return parts[6] if len(parts) > 6 else parts[-1]  # noqa: PLR2004 - the comment above counts them


def region_of(arn: str) -> str:
    """Return the Region that an ARN names; empty where it names none."""
    return f"{arn}:::".split(":")[3]


def account_of(arn: str) -> str:
    """Return the account that an ARN names; empty where it names none, as a bucket's does not."""
    return f"{arn}::::".split(":")[4]
