"""A Kinesis data stream that a redrive puts records on."""

from __future__ import annotations

from collections.abc import Sequence

from deadletter.aws.clients import Purpose, client_for
from deadletter.aws.trouble import ERRORS, target_error
from deadletter.errors import AnswerLost, TargetRefused
from deadletter.event import name_of
from deadletter.ports import Answer, Outgoing, TargetFacts


class KinesisTarget:
    """A data stream. Each event becomes one record, under the partition key that its rule or schedule gives it."""

    batch_size = 1

    def __init__(self, arn: str) -> None:
        self._arn = arn
        self._client = client_for(arn, "kinesis", Purpose.SEND)

    def send(self, batch: Sequence[Outgoing]) -> Sequence[Answer | Exception]:
        """Put each of *batch* on the stream by a call of its own; see `Target.send`."""
        return [self._put(outgoing) for outgoing in batch]

    def facts(self) -> TargetFacts:
        """Return nothing: how long a stream's readers take to give up is theirs to say."""
        return TargetFacts()

    def _put(self, outgoing: Outgoing) -> Answer | Exception:
        try:
            data = outgoing.payload.encode()
        except UnicodeEncodeError as error:
            return TargetRefused(f"No UTF-8 can carry its payload: a lone surrogate at character {error.start:,}.")
        key = outgoing.partition_key or f"event-{outgoing.key}"
        try:
            answer = self._client.put_record(StreamARN=self._arn, Data=data, PartitionKey=key)
        except ERRORS as error:
            return target_error(error, action="kinesis:PutRecord", arn=self._arn)
        if not answer.get("SequenceNumber"):
            said = f"{name_of(self._arn)} answered without a sequence number: it may or may not have taken it."
            return AnswerLost(said)
        return Answer(key=outgoing.key, sent_id=f"{answer['ShardId']}:{answer['SequenceNumber']}", finished=False)
