"""The IAM policy that one source needs: least privilege, ready to paste. Pure."""

from __future__ import annotations

import json

from deadletter.store.rows import SourceRow

COLLECT = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
"""What collecting from a queue needs."""
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


def policy_of(source: SourceRow) -> str:
    """Return the policy as indented JSON: reading the source, and sending to its target where it has one."""
    statements = [_allow("Collect", COLLECT, source.arn)]
    if source.target_kind and source.target_arn:
        statements.append(_allow("Redrive", REDRIVE[source.target_kind], source.target_arn))
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=2)


def _allow(sid: str, actions: tuple[str, ...], arn: str) -> dict[str, object]:
    return {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": arn}
