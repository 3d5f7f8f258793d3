"""The IAM policy that one source needs: least privilege, ready to paste. Pure."""

from __future__ import annotations

import json

from deadletter.store.rows import SourceRow

COLLECT = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
"""What collecting from a queue needs."""
OBSERVE = ("sqs:ReceiveMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes", "sqs:DeleteMessage")
"""What observing a queue needs. The last is for redriving: what is sent again is taken from the queue."""
LIST_OBJECTS, READ_OBJECTS, DELETE_OBJECTS = ("s3:ListBucket",), ("s3:GetObject",), ("s3:DeleteObject",)
"""What a prefix of a bucket needs. The last is for collecting, and for redriving what was left: it is taken."""
REDRIVE = {
    "lambda": (
        "lambda:InvokeFunction",
        "lambda:GetFunctionConfiguration",
        "lambda:GetFunctionConcurrency",
        "lambda:ListFunctionEventInvokeConfigs",
    ),
    "sqs": ("sqs:SendMessage", "sqs:GetQueueAttributes"),
}
"""What redriving to a target of each kind needs. All but the first are for reading the target's own limits."""
ELSEWHERE = {"kinesis": ("kinesis:PutRecord",), "step-functions": ("states:StartExecution",)}
"""What sending to a data stream or a state machine needs."""
FANNING_OUT = {"sns": ("sns:Publish",), "eventbridge": ("events:PutEvents",)}
"""What sending to everybody behind a topic or a bus needs: only where a person chooses that."""


def policy_of(source: SourceRow) -> str:
    """Return the policy as indented JSON: reading the source, and sending to its target where it has one."""
    statements = _reading(source)
    if source.target_kind and source.target_arn:
        statements.append(_allow("Redrive", (REDRIVE | ELSEWHERE | FANNING_OUT)[source.target_kind], source.target_arn))
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=2)


def _reading(source: SourceRow) -> list[dict[str, object]]:
    if source.kind == "push":
        return []  # it is pushed: what pushes needs the permission to invoke our function
    if source.kind == "sqs":
        return [_allow("Observe", OBSERVE, source.arn) if source.observed else _allow("Collect", COLLECT, source.arn)]
    bucket, _, prefix = source.arn.partition("/")
    objects = _allow("Read", READ_OBJECTS + DELETE_OBJECTS, f"{bucket}/{prefix}*")
    return [_allow("List", LIST_OBJECTS, bucket), objects]


def _allow(sid: str, actions: tuple[str, ...], arn: str) -> dict[str, object]:
    return {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": arn}
