"""The Lambda function that everything may push failures at; it stores them before it answers.

It can be subscribed to SNS topics, be the target of EventBridge rules, of S3's notifications and of Lambda's own
on-failure destinations, and have SQS queues as event sources. Those need `ReportBatchItemFailures`: what could not be
stored is named in the answer, and stays in its queue. For everything else the invocation fails, and AWS tries it again.
"""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from deadletter.arrivals import arrivals_of
from deadletter.errors import RedriveError
from deadletter.lambda_base import count, engine, logger, metrics, tracer
from worker.threads import SystemClock

CLOCK = SystemClock()


class NotStored(RedriveError):
    """What was pushed is not durable: AWS has to push it again."""


@logger.inject_lambda_context
@tracer.capture_lambda_handler
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event: Any, context: LambdaContext) -> dict[str, list[dict[str, str]]]:  # noqa: ANN401 - whatever is pushed
    """Store what *event* holds; answer which messages of a queue are not durable.

    Raises:
        NotStored: Something is not that no answer can name, or nothing of a whole batch is.
    """
    # boto3 and the database's library take a second to load: in the first invocation, which waits for these anyway.
    from deadletter import aws  # noqa: PLC0415
    from deadletter.pushed import collect_pushed  # noqa: PLC0415

    arrivals = arrivals_of(event, pushed_to=own_arn(context))
    failed = collect_pushed(
        engine(), arrivals, pushed_to=own_arn(context), open_objects=aws.open_objects, now=CLOCK.now()
    )
    count({"Collected": len(arrivals) - len(failed), "NotStored": len(failed)})
    logger.info("what was pushed is stored", arrivals=len(arrivals), not_stored=len(failed))
    if failed and (len(failed) == len(arrivals) or not all(arrival.item for arrival in failed)):
        raise NotStored(f"{len(failed):,} of {len(arrivals):,} messages could not be stored: push them again.")
    return {"batchItemFailures": [{"itemIdentifier": arrival.item} for arrival in failed if arrival.item]}


def own_arn(context: LambdaContext) -> str:
    """Return our function's ARN, without the alias or version that it was invoked by."""
    return ":".join(context.invoked_function_arn.split(":")[:7])
