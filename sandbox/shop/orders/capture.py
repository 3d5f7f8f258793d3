"""orders-capture: charge the card of an order. Invoked asynchronously; what fails goes to its dead-letter queue."""

from __future__ import annotations

import os
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer, IdempotencyConfig, idempotent
from aws_lambda_powertools.utilities.typing import LambdaContext

from . import effects, outside

logger = Logger()
metrics = Metrics(namespace="Shop")
persistence = DynamoDBPersistenceLayer(table_name=os.environ["IDEMPOTENCY_TABLE"])
config = IdempotencyConfig(
    event_key_jmespath="orderId",
    raise_on_no_idempotency_key=True,
    expires_after_seconds=14 * 24 * 3600,  # as long as an event can lie in a dead-letter queue
)


@logger.inject_lambda_context(correlation_id_path="orderId")
@metrics.log_metrics
@idempotent(config=config, persistence_store=persistence)
def lambda_handler(event: outside.Order, context: LambdaContext) -> dict[str, Any]:
    """Charge the card once, however often the order comes."""
    charge_id = charge(event)
    metrics.add_metric(name="OrdersCaptured", unit=MetricUnit.Count, value=1)
    logger.info("Charged", charge_id=charge_id, remaining_ms=context.get_remaining_time_in_millis())
    return {"orderId": event["orderId"], "chargeId": charge_id}


def charge(order: outside.Order) -> str:
    """Charge the order's card; return the charge's id."""
    outside.authorise_card(order)
    return effects.record("charge", order["orderId"])
