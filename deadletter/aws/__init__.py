"""The network, by boto3: one module for each thing that is read or sent to.

boto3 finds endpoints and credentials by itself: it reads `AWS_PROFILE`, `AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_LAMBDA`
and the rest of its own environment. Region and account are those of the ARN; an account may have a role (`use_roles`).
"""

from __future__ import annotations

from deadletter.aws.clients import use_roles
from deadletter.aws.eventbridge_target import EventBridgeTarget
from deadletter.aws.idempotency import DynamoDbRecords, read_consumer
from deadletter.aws.kinesis_target import KinesisTarget
from deadletter.aws.lambda_target import LambdaTarget
from deadletter.aws.listeners import AwsListeners
from deadletter.aws.lookups import AwsLookups
from deadletter.aws.s3_source import S3Source
from deadletter.aws.sns_target import SnsTarget
from deadletter.aws.sqs_source import SqsSource
from deadletter.aws.sqs_target import SqsTarget
from deadletter.aws.step_functions_target import StepFunctionsTarget
from deadletter.aws.trouble import ERRORS, source_error
from deadletter.event import TargetKind
from deadletter.ports import IdempotencyRecords, Listeners, Lookups, ObjectSource, Target
from deadletter.preflight import Rules

__all__ = [
    "open_listeners",
    "open_lookups",
    "open_objects",
    "open_records",
    "open_source",
    "open_target",
    "read_consumer",
    "use_roles",
]


def open_source(arn: str) -> SqsSource:
    """Return the source with that ARN, an SQS queue. Opens no connection yet.

    Raises:
        SourceError: boto3 is not set up for it: an unknown profile, no Region.
    """
    try:
        return SqsSource(arn)
    except ERRORS as error:
        raise source_error(error, action="sqs:ReceiveMessage", arn=arn) from error


def open_objects(arn: str) -> ObjectSource:
    """Return the source `arn:aws:s3:::bucket/prefix`. Opens no connection yet.

    Raises:
        SourceError: boto3 is not set up for it, or the ARN is not a bucket's.
    """
    try:
        return S3Source(arn)
    except ERRORS as error:
        raise source_error(error, action="s3:ListBucket", arn=arn) from error


def open_target(kind: TargetKind, arn: str, invocation: str) -> Target:
    """Return the target with that ARN; *invocation* (`RequestResponse`, `Event`) matters to functions only."""
    match kind:
        case TargetKind.LAMBDA:
            return LambdaTarget(arn, invocation)
        case TargetKind.SQS:
            return SqsTarget(arn)
        case TargetKind.SNS:
            return SnsTarget(arn)
        case TargetKind.EVENTBRIDGE:
            return EventBridgeTarget(arn)
        case TargetKind.KINESIS:
            return KinesisTarget(arn)
        case TargetKind.STEP_FUNCTIONS:
            return StepFunctionsTarget(arn)


def open_listeners() -> Listeners:
    """Return AWS to be asked who listens to buses and topics. Opens no connection yet."""
    return AwsListeners()


def open_lookups() -> Lookups:
    """Return AWS to be asked for what records leave out. Opens no connection yet."""
    return AwsLookups()


def open_records(rules: Rules, target_arn: str) -> IdempotencyRecords:
    """Return the idempotency records of the consumer behind a target. Opens no connection yet.

    Raises:
        SourceError: boto3 is not set up for it: an unknown profile, no Region.
    """
    try:
        return DynamoDbRecords(rules, target_arn)
    except ERRORS as error:
        raise source_error(error, action="dynamodb:BatchGetItem", arn=target_arn) from error
