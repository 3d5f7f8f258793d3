"""A Step Functions state machine of which a redrive starts executions."""

from __future__ import annotations

from collections.abc import Sequence

from deadletter.aws.clients import Purpose, client_for
from deadletter.aws.trouble import ERRORS, code_of, target_error
from deadletter.errors import TargetRefused
from deadletter.event import name_of
from deadletter.ports import Answer, Outgoing, TargetFacts

MAX_BYTES = 262_144
"""Of an execution's input, as UTF-8 (Step Functions' quota)."""


class StepFunctionsTarget:
    """A state machine. Each event is the input of one execution, whose name is of this redrive and this event.

    A standard workflow starts a name once in 90 days (StartExecution in the API reference), so that the same event of
    the same redrive does not start twice; an express workflow does not look at names.
    """

    batch_size = 1

    def __init__(self, arn: str) -> None:
        self._arn = arn
        self._client = client_for(arn, "stepfunctions", Purpose.SEND)

    def send(self, batch: Sequence[Outgoing]) -> Sequence[Answer | Exception]:
        """Start an execution for each of *batch*; see `Target.send`."""
        return [self._start(outgoing) for outgoing in batch]

    def facts(self) -> TargetFacts:
        """Return nothing: an execution may take a year."""
        return TargetFacts()

    def _start(self, outgoing: Outgoing) -> Answer | Exception:
        if refusal := _refusal(outgoing.payload, self._arn):
            return TargetRefused(refusal)
        named = {"name": outgoing.deduplication_id} if outgoing.deduplication_id else {}
        try:
            answer = self._client.start_execution(stateMachineArn=self._arn, input=outgoing.payload, **named)
        except ERRORS as error:
            if code_of(error) == "ExecutionAlreadyExists":  # of this very redrive: an earlier answer was lost
                return Answer(key=outgoing.key, sent_id=f"{self._arn}/{outgoing.deduplication_id}", finished=False)
            return target_error(error, action="states:StartExecution", arn=self._arn)
        return Answer(key=outgoing.key, sent_id=answer.get("executionArn"), finished=False)


def _refusal(payload: str, arn: str) -> str | None:
    """Return why a state machine would never take *payload*, as a sentence."""
    try:
        size = len(payload.encode())
    except UnicodeEncodeError as error:
        return f"No UTF-8 can carry its payload: a lone surrogate at character {error.start:,}."
    if size > MAX_BYTES:
        return f"It is {size:,} bytes long, and {name_of(arn)} takes at most {MAX_BYTES:,} as an execution's input."
    return None
