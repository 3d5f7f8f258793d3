"""orders-notify: tell the customer.

Invoked asynchronously; a record of what fails goes to its on-failure destination.
"""

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
    """Send one confirmation, however often the order comes."""
    text = confirmation(event)
    outside.send_mail(event, text)
    message_id = effects.record("mail", event["orderId"])
    metrics.add_metric(name="OrdersNotified", unit=MetricUnit.Count, value=1)
    logger.info("Sent", message_id=message_id, remaining_ms=context.get_remaining_time_in_millis())
    return {"orderId": event["orderId"], "messageId": message_id}


def confirmation(order: outside.Order) -> str:
    """Write the confirmation, its receipt drawn."""
    pages = outside.draw_receipt(order)
    return f"Order {order['orderId']} goes to {destination(order)}. Receipt: {pages} page(s)."


def destination(order: outside.Order) -> str:
    """Return where the order goes. Release 1 did not know that orders to be picked up have no address."""
    if outside.RELEASE > 1 and order["delivery"] == "pickup":
        return "our shop, where you pick it up"
    address = order["shippingAddress"]
    return f"{address['street']}, {address['city']}"
