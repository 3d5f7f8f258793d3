"""orders-fulfil: pack orders in batches from a queue.

What fails stays in the queue, whose redrive policy moves it to its DLQ.
"""

from __future__ import annotations

import os
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.typing import LambdaContext

from . import effects, outside

logger = Logger()
metrics = Metrics(namespace="Shop")
processor = BatchProcessor(event_type=EventType.SQS)
persistence = DynamoDBPersistenceLayer(table_name=os.environ["IDEMPOTENCY_TABLE"])
config = IdempotencyConfig(
    event_key_jmespath="orderId",  # never the message id: a redrive sends the same order as a new message
    raise_on_no_idempotency_key=True,
    expires_after_seconds=14 * 24 * 3600,  # as long as an event can lie in a dead-letter queue
)


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Pack every order of the batch, and name the messages whose orders failed."""
    config.register_lambda_context(context)
    return process_partial_response(event=event, record_handler=record_handler, processor=processor, context=context)


def record_handler(record: SQSRecord) -> dict[str, Any]:
    """Pack the order in one message."""
    packed: dict[str, Any] = pack(order=record.json_body)
    return packed


@idempotent_function(  # type: ignore[untyped-decorator] # Powertools leaves its result untyped
    data_keyword_argument="order", config=config, persistence_store=persistence
)
def pack(order: outside.Order) -> dict[str, Any]:
    """Pack one order once, however often it comes."""
    outside.book_parcel(order, destination(order))
    parcel_id = effects.record("parcel", order["orderId"])
    metrics.add_metric(name="OrdersFulfilled", unit=MetricUnit.Count, value=1)
    logger.info("Packed", order_id=order["orderId"], parcel_id=parcel_id)
    return {"orderId": order["orderId"], "parcelId": parcel_id}


def destination(order: outside.Order) -> str:
    """Return where the parcel goes. Release 1 did not know that orders to be picked up have no address."""
    if outside.RELEASE > 1 and order["delivery"] == "pickup":
        return "pickup shelf"
    address = order["shippingAddress"]
    return f"{address['postcode']} {address['city']}"
