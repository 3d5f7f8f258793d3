"""failures-forward: an on-failure destination that is a function. Keeps every failure record in a queue, as it came."""

from __future__ import annotations

import json
import os
from typing import Any

import boto3
from aws_lambda_powertools.utilities.typing import LambdaContext

sqs = boto3.client("sqs")


def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> None:
    """Put the record into the queue."""
    sqs.send_message(QueueUrl=os.environ["QUEUE_URL"], MessageBody=json.dumps(event))
