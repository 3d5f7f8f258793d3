"""A Lambda function that a redrive invokes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from deadletter.aws.clients import Purpose, client_for
from deadletter.aws.trouble import ERRORS, target_error
from deadletter.errors import AnswerLost, TargetRefused
from deadletter.event import Json, decode_json, name_of, storable
from deadletter.ports import Answer, Outgoing, TargetFacts
from deadletter.refetch import numbers

RETRY_WAITS_S = (60.0, 120.0)
"""How long Lambda waits before its first and its second retry of an asynchronous invocation."""

MARGIN_S = 30.0
"""Added to how long Lambda may take to give an event up: its queue, the record's way, and our collecting."""


_SHOWN = 5
"""Items that a sentence names."""


class LambdaTarget:
    """A function, invoked with one event a call; by `RequestResponse` its answer is the outcome."""

    batch_size = 1

    def __init__(self, arn: str, invocation: str) -> None:
        self._arn = arn
        self._invocation = invocation
        self._client = client_for(arn, "lambda", Purpose.SEND)

    def send(self, batch: Sequence[Outgoing]) -> Sequence[Answer | Exception]:
        """Invoke the function once for each of *batch*; see `Target.send`."""
        return [self._invoke(outgoing) for outgoing in batch]

    def facts(self) -> TargetFacts:
        """Return the function's limits, and how long an asynchronous event takes to be given up."""
        reader = client_for(self._arn, "lambda", Purpose.READ)
        timeout_s = _asked(reader.get_function_configuration, FunctionName=self._arn).get("Timeout")
        retries = self._retries(reader)
        concurrency = _asked(reader.get_function_concurrency, FunctionName=_unqualified(self._arn))
        return TargetFacts(
            settle_s=timeout_s * (retries + 1) + sum(RETRY_WAITS_S[:retries]) + MARGIN_S if timeout_s else None,
            timeout_s=timeout_s,
            reserved_concurrency=concurrency.get("ReservedConcurrentExecutions"),
        )

    def _retries(self, reader: Any) -> int:  # noqa: ANN401 - a boto3 client
        """Return how often Lambda invokes again what failed: set for each version and alias, 2 where it is not set."""
        configs = _asked(reader.list_function_event_invoke_configs, FunctionName=_unqualified(self._arn))
        qualifier = self._arn.removeprefix(_unqualified(self._arn)) or ":$LATEST"
        for config in configs.get("FunctionEventInvokeConfigs", []):
            if config["FunctionArn"].endswith(qualifier) and "MaximumRetryAttempts" in config:
                return int(config["MaximumRetryAttempts"])
        return len(RETRY_WAITS_S)

    def _invoke(self, outgoing: Outgoing) -> Answer | Exception:
        try:
            payload = outgoing.payload.encode()
        except UnicodeEncodeError as error:
            return TargetRefused(f"No UTF-8 can carry its payload: a lone surrogate at character {error.start:,}.")
        try:
            answer = self._client.invoke(FunctionName=self._arn, InvocationType=self._invocation, Payload=payload)
            said = answer["Payload"].read() if "Payload" in answer else b""
        except ERRORS as error:
            return target_error(error, action="lambda:InvokeFunction", arn=self._arn)
        request_id = answer.get("ResponseMetadata", {}).get("RequestId")
        if self._invocation == "Event":
            return _queued(outgoing.key, request_id, self._arn)
        failed = answer.get("FunctionError")
        if not failed and is_illegible(said, sent=outgoing.payload):
            return AnswerLost(
                f"{name_of(self._arn)} took a batch, and its answer is no JSON: which records failed, nobody can tell."
            )
        return read_answer(outgoing.key, request_id, failed, said, sent=outgoing.payload)


def read_answer(
    key: int, request_id: str | None, function_error: str | None, payload: bytes, *, sent: str = ""
) -> Answer:
    """Return what a function's own answer says: success, its error, or that it reported items as failed.

    A batch handler answers 200 without FunctionError, and names what failed in `batchItemFailures`; *sent* is the event
    that it got, whose records these names are of.
    """
    text = payload.decode("utf-8", "replace")
    said = decode_json(text)[1]
    if function_error:
        error = said if isinstance(said, dict) else {"errorMessage": text[:1000]}
        return Answer(
            key=key,
            sent_id=request_id,
            finished=True,
            failed=True,
            error_type=_text(error.get("errorType")),
            error_message=_text(error.get("errorMessage")),
            stack_trace=_frames(error.get("stackTrace")),
            evidence="The function answered with an error.",
        )
    if isinstance(said, dict) and said.get("batchItemFailures"):
        evidence = failed_items(said["batchItemFailures"], sent)
        return Answer(key=key, sent_id=request_id, finished=True, failed=True, evidence=evidence)
    return Answer(key=key, sent_id=request_id, finished=True, evidence="The function answered without an error.")


_BATCHES = ("aws:sqs", "aws:kinesis", "aws:dynamodb")


def is_illegible(payload: bytes, *, sent: str) -> bool:
    """Return whether an answer is no JSON where that matters: a batch's answer is what names the records that failed.

    (Lambda itself takes such an answer for the failure of the whole batch; one that was cut on its way looks the same.)
    """
    if not payload or decode_json(payload.decode("utf-8", "replace"))[0]:
        return False
    event = decode_json(sent)[1]
    records = event.get("Records") if isinstance(event, dict) else None
    first = records[0] if isinstance(records, list) and records else None
    return isinstance(first, dict) and first.get("eventSource") in _BATCHES


def failed_items(reported: Json, sent: str) -> str:
    """Say which of the event's records a function reported as failed.

    A name that is empty, null or of no record means the whole batch to Lambda (guide "services-kinesis-batchfailure-
    reporting"), and so does anything that is no list of names.
    """
    event = decode_json(sent)[1]
    if isinstance(event, list):  # a pipe's, whose records are reported by their event's id
        known = [str(record.get("eventID", "")) if isinstance(record, dict) else "" for record in event]
    else:
        records = event.get("Records") if isinstance(event, dict) else None
        known = [item_of(record) for record in records] if isinstance(records, list) else []
    names = [
        entry.get("itemIdentifier") if isinstance(entry, dict) else None
        for entry in (reported if isinstance(reported, list) else [None])
    ]
    if len(known) <= 1:
        return "The function reported it in batchItemFailures, which says nothing about the cause."
    if not isinstance(reported, list) or not set(map(str, names)) <= set(known):
        return f"The function reported its whole batch of {len(known):,} in batchItemFailures, without a cause."
    some = ", ".join(map(str, names[:_SHOWN])) + (" …" if len(names) > _SHOWN else "")
    return f"The function reported {len(set(names)):,} of {len(known):,} records in batchItemFailures: {some}."


def item_of(record: Json) -> str:
    """Return the name by which a function reports a record: SQS's message id, a stream's sequence number."""
    if not isinstance(record, dict):
        return ""
    return str(record.get("messageId") or numbers([record])[0])


def _queued(key: int, request_id: str | None, arn: str) -> Answer | Exception:
    if not request_id:
        return AnswerLost(f"{name_of(arn)} answered without a request id: it may or may not have taken it.")
    return Answer(key=key, sent_id=request_id, finished=False)


def _text(value: Json) -> str | None:
    return storable(value) if isinstance(value, str) else None


def _frames(value: Json) -> tuple[str, ...] | None:
    if not isinstance(value, list) or not all(isinstance(frame, str) for frame in value):
        return None
    return tuple(storable(frame) for frame in value)


def _unqualified(arn: str) -> str:
    return ":".join(arn.split(":")[:7])


def _asked(call: Any, **given: str) -> Mapping[str, Any]:  # noqa: ANN401 - a method of a boto3 client
    """Return the answer, or nothing where it may not be read: facts are a help, not a need."""
    try:
        answer: Mapping[str, Any] = call(**given)
    except ERRORS:
        return {}
    return answer
