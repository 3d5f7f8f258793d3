"""The shapes of Lambda's API: errors, function configurations, mappings, pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from flask import Response, json

from sandbox.functions import LATEST, Function, QueueMapping
from sandbox.runtime.fault import PYTHON
from sandbox.streams import StreamMapping

Json = dict[str, Any]


class ApiError(Exception):
    """An answer of the API that is an error: HTTP status, AWS's code, and the fields of its body."""

    def __init__(self, status: int, code: str, headers: Mapping[str, str] | None = None, **body: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.headers = dict(headers or {})
        self.body = body

    def answer(self) -> Response:
        """Return the error as botocore reads it: the code in a header, the fields in the body."""
        return answer({"Type": "User", **self.body}, self.status, {"x-amzn-errortype": self.code, **self.headers})


def not_found(arn: str) -> ApiError:
    """There is no such function, version or alias."""
    return ApiError(404, "ResourceNotFoundException", Message=f"Function not found: {arn}")


def not_json(reason: str) -> ApiError:
    """The payload is not JSON."""
    message = f"Could not parse request body into json: Could not parse payload into json: {reason}"
    return ApiError(400, "InvalidRequestContentException", message=message)


def too_large(limit: int) -> ApiError:
    """The payload has more than *limit* bytes."""
    message = f"Request must be smaller than {limit} bytes for the InvokeFunction operation"
    return ApiError(413, "RequestTooLargeException", message=message)


def throttled() -> ApiError:
    """The function's reserved concurrency is used up."""
    return ApiError(
        429,
        "TooManyRequestsException",
        {"Retry-After": "1"},
        Reason="ReservedFunctionConcurrentInvocationLimitExceeded",
        message="Rate Exceeded.",
    )


def no_such_call() -> ApiError:
    """The sandbox has only those calls of Lambda's API that a redrive and its discovery need."""
    return ApiError(404, "UnknownOperationException", message="The sandbox's Lambda does not have this call.")


def bad_parameter(message: str) -> ApiError:
    """A parameter's value is not one that the API takes."""
    return ApiError(400, "InvalidParameterValueException", message=message)


def answer(
    body: Json | str = "", status: int = 200, headers: Mapping[str, str] | None = None, request_id: str | None = None
) -> Response:
    """Return *body* with the headers that every answer of AWS has."""
    text = body if isinstance(body, str) else json.dumps(body)
    response = Response(text, status, mimetype="application/json")
    response.headers["x-amzn-RequestId"] = request_id or str(uuid4())
    response.headers.update(headers or {})
    return response


def configuration(function: Function, qualifier: str | None = None) -> Json:
    """Return a FunctionConfiguration; with the ARN of *qualifier* where the caller named one."""
    dead_letter = {"DeadLetterConfig": {"TargetArn": function.dead_letter_arn}} if function.dead_letter_arn else {}
    return {
        "FunctionName": function.name,
        "FunctionArn": function.arn_of(qualifier),
        "Runtime": PYTHON,
        "Role": function.role_arn,
        "Handler": function.handler,
        "Timeout": max(1, round(function.timeout_s)),
        "MemorySize": function.memory_mb,
        "LastModified": function.last_modified.isoformat(timespec="milliseconds").replace("+00:00", "+0000"),
        "Version": LATEST,
        "Environment": {"Variables": dict(function.environment)},
        "TracingConfig": {"Mode": "PassThrough"},
        "RevisionId": function.revision,
        "PackageType": "Zip",
        "Architectures": ["x86_64"],
        **dead_letter,
    }


def invoke_config(function: Function) -> Json:
    """Return a FunctionEventInvokeConfig. Its ARN carries `:$LATEST`, as AWS's does."""
    return {
        "LastModified": function.last_modified.timestamp(),
        "FunctionArn": function.arn_of(LATEST),
        "MaximumRetryAttempts": function.maximum_retry_attempts,
        "MaximumEventAgeInSeconds": function.maximum_event_age_s,
        "DestinationConfig": {"OnFailure": {"Destination": function.on_failure_arn} if function.on_failure_arn else {}},
    }


def mapping_configuration(mapping: QueueMapping | StreamMapping, function_arn: str) -> Json:
    """Return an EventSourceMappingConfiguration: what all have, and what this kind has."""
    own = _stream_settings(mapping) if isinstance(mapping, StreamMapping) else _queue_settings(mapping)
    return {
        "UUID": mapping.uuid,
        "BatchSize": mapping.batch_size,
        "EventSourceArn": mapping.source_arn,
        "FunctionArn": function_arn,
        "LastModified": mapping.last_modified.timestamp(),
        "State": "Enabled",
        "StateTransitionReason": "USER_INITIATED",
        **own,
    }


def _queue_settings(mapping: QueueMapping) -> Json:
    return {
        "MaximumBatchingWindowInSeconds": int(mapping.window_s),
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "ScalingConfig": {"MaximumConcurrency": mapping.maximum_concurrency},
    }


def _stream_settings(mapping: StreamMapping) -> Json:
    on_failure = {"Destination": mapping.on_failure_arn} if mapping.on_failure_arn else {}
    return {
        "StartingPosition": mapping.starting_position,
        "MaximumBatchingWindowInSeconds": 0,
        "ParallelizationFactor": 1,
        "DestinationConfig": {"OnFailure": on_failure},
        "MaximumRecordAgeInSeconds": mapping.maximum_record_age_s,
        "BisectBatchOnFunctionError": mapping.bisect,
        "MaximumRetryAttempts": mapping.maximum_retry_attempts,
        "TumblingWindowInSeconds": 0,
        "FunctionResponseTypes": ["ReportBatchItemFailures"] if mapping.partial else [],
    }


def page(name: str, items: Sequence[Json], marker: str | None, most: int) -> Json:
    """Return one page of *items* under *name*; a marker is where the next one begins."""
    start = int(marker) if marker and marker.isdecimal() else 0
    rest = {"NextMarker": str(start + most)} if start + most < len(items) else {}
    return {name: list(items[start : start + most]), **rest}
