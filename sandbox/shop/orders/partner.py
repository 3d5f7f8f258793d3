"""orders-invoice, orders-loyalty, orders-customs and the rest of the back office: tell a partner about each order.

Which partner, the environment says. One handler takes an order as it comes, or as a topic or a bus wraps it; the other
takes batches of a stream, where the first order that fails fails its batch.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.typing import LambdaContext

from . import effects, outside

PARTNER = os.environ["PARTNER"]

logger = Logger()
metrics = Metrics(namespace="Shop")
persistence = DynamoDBPersistenceLayer(table_name=os.environ["IDEMPOTENCY_TABLE"])
config = IdempotencyConfig(
    event_key_jmespath="orderId",  # never the id of a message or an event: a redrive may bring another one
    raise_on_no_idempotency_key=True,
    expires_after_seconds=14 * 24 * 3600,  # as long as an event can lie in a dead-letter queue
)


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> list[dict[str, Any]]:
    """Tell the partner about the order, or about each that a topic or a bus delivers."""
    config.register_lambda_context(context)
    return [tell(order=order) for order in _orders(event)]


@logger.inject_lambda_context
@metrics.log_metrics
def stream_handler(event: dict[str, Any], context: LambdaContext) -> None:
    """Tell the partner about every order of the batch."""
    config.register_lambda_context(context)
    for order in _streamed(event):
        tell(order=order)


@idempotent_function(  # type: ignore[untyped-decorator] # Powertools leaves its result untyped
    data_keyword_argument="order", config=config, persistence_store=persistence
)
def tell(order: outside.Order) -> dict[str, Any]:
    """Tell the partner once about one order, however often it comes."""
    outside.call_partner(PARTNER, order)
    effect_id = effects.record(PARTNER, order["orderId"])
    metrics.add_metric(name="PartnersTold", unit=MetricUnit.Count, value=1)
    return {"orderId": order["orderId"], "effectId": effect_id}


def _orders(event: dict[str, Any]) -> Iterator[outside.Order]:
    if "Records" in event:
        yield from (json.loads(record["Sns"]["Message"]) for record in event["Records"])
    else:
        yield event.get("detail", event)


def _streamed(event: dict[str, Any]) -> Iterator[outside.Order]:
    for record in event["Records"]:
        if "kinesis" in record:
            yield json.loads(base64.b64decode(record["kinesis"]["data"]))
        else:
            yield json.loads(record["dynamodb"]["NewImage"]["order"]["S"])
