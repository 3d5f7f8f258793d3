"""The Lambda function that sends redrives: one slice of one redrive a message on the work queue.

A message is ``{"redrive": 7, "slice": "<token>"}``. It says nothing of events: what is to be sent, and how fast, is in
the database, and is claimed there. So a message that is lost, or comes twice, or dies half-way, loses and doubles
nothing: the tick queues another, and Powertools' idempotency lets the same token run once.
"""

from __future__ import annotations

import json
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.typing import LambdaContext

from deadletter.lambda_base import count, engine, lambda_settings, logger, metrics, settings, tracer
from deadletter.outcome import Outcome
from worker.threads import SystemClock
from worker.work import Piece, queue_piece

# One item a message: a batch in which all failed is an answer, not an exception that hides which.
processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
persistence = DynamoDBPersistenceLayer(table_name=lambda_settings.idempotency_table)
# A day: longer than SQS could hand the same message over again within its five tries.
config = IdempotencyConfig(event_key_jmespath="[redrive, slice]", expires_after_seconds=24 * 3600)

_METRICS = {Outcome.FAILED_AGAIN: "FailedAgain", Outcome.UNKNOWN: "Unknown"}
_REDRIVEN = (Outcome.SENT, Outcome.SUCCEEDED, Outcome.FAILED_AGAIN)
_LONGEST_DELAY_S = 900
"""The longest that SQS delays a message."""


@logger.inject_lambda_context
@tracer.capture_lambda_handler
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event: dict[str, Any], context: LambdaContext) -> Any:  # noqa: ANN401 - a partial batch response
    """Send the slice of each message; what failed is named, and comes again."""
    config.register_lambda_context(context)

    def record_handler(record: SQSRecord, lambda_context: LambdaContext) -> object:
        return send(piece=json.loads(record.body), left_ms=lambda_context.get_remaining_time_in_millis)

    return process_partial_response(event=event, record_handler=record_handler, processor=processor, context=context)


@idempotent_function(  # type: ignore[untyped-decorator] # Powertools' own types do not say what it returns
    data_keyword_argument="piece", persistence_store=persistence, config=config, key_prefix="redrive-slice"
)
def send(*, piece: dict[str, Any], left_ms: Any) -> dict[str, Any]:  # noqa: ANN401 - a context's bound method
    """Send one slice, queue the rest anew, and return what came of it."""
    # The database and the adapters are loaded here: at the cold start they would count twice, once for nothing.
    from deadletter import aws  # noqa: PLC0415
    from worker.slices import send_slice  # noqa: PLC0415

    this = Piece.read(piece)
    done = send_slice(
        engine(),
        settings(),
        this.redrive,
        left_s=lambda: left_ms() / 1000,
        open_target=aws.open_target,
        clock=SystemClock(),
    )
    count({"Redriven": sum(done.outcomes[each] for each in _REDRIVEN)})
    count({name: done.outcomes[each] for each, name in _METRICS.items()})
    if done.rest_in_s is not None:
        queue_piece(lambda_settings.work_queue_url, this.next(), delay_s=min(int(done.rest_in_s), _LONGEST_DELAY_S))
    logger.info("a slice is sent", redrive=this.redrive, slice=this.token, outcomes=dict(done.outcomes))
    return {"outcomes": dict(done.outcomes), "rest": done.rest_in_s is not None}
