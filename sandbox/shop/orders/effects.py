"""What the shop does to the world.

One row for every card charged, message sent and parcel packed, so that doubles can be counted.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from uuid import uuid4

import boto3

table = boto3.resource("dynamodb").Table(os.environ["EFFECTS_TABLE"])


def record(kind: str, order_id: str) -> str:
    """Write a row of its own for this effect, even if there is one like it; return its id."""
    effect_id = str(uuid4())
    table.put_item(
        Item={"effect_id": effect_id, "kind": kind, "order_id": order_id, "at": datetime.now(UTC).isoformat()}
    )
    return effect_id
