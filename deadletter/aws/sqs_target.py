"""An SQS queue that a redrive sends to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from time import monotonic
from typing import Any

from botocore.exceptions import ClientError

from deadletter.aws.clients import Purpose, client_for, sqs_sends
from deadletter.aws.sqs_source import MAX_BATCH, queue_url, redrive_policy
from deadletter.aws.trouble import ERRORS, Trouble, kind_of, target_error
from deadletter.errors import AnswerLost, TargetBusy, TargetRefused
from deadletter.event import account_of, name_of
from deadletter.ports import Answer, Outgoing, TargetFacts

MAX_BYTES = 1_048_576
"""Of one message with its attributes, and of one batch (SQS's quota)."""

MARGIN_S = 30.0
"""Added to how long a queue may take to give a message up: its own clock, and our collecting."""

MOST_REPEATS = 2
REPEAT_WITHIN_S = 60.0
"""A call whose answer is lost is made again so often, if it took no longer than that: all within the 5 minutes."""

# What SQS takes: tab, line feed, carriage return, and what XML 1.0 calls a character (SendMessage in its API
# reference).
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class SqsTarget:
    """An SQS queue, sent to in batches; attributes, group and a fresh deduplication id go along."""

    batch_size = MAX_BATCH

    def __init__(self, arn: str) -> None:
        self._arn = arn
        self._fifo = arn.endswith(".fifo")
        self._client = client_for(arn, "sqs", Purpose.SEND)
        self._url = queue_url(self._client, arn)
        self._call = sqs_sends(self._client, account_of(arn))

    def send(self, batch: Sequence[Outgoing]) -> Sequence[Answer | Exception]:
        """Send at most 10 messages; see `Target.send`."""
        results: dict[int, Answer | Exception] = {}
        sendable = []
        for outgoing in batch:
            if refusal := _refusal(outgoing, self._arn):
                results[outgoing.key] = TargetRefused(refusal)
            else:
                sendable.append(outgoing)
        for part in _parts(sendable):
            results.update(self._send_part(part))
        return [results[outgoing.key] for outgoing in batch]

    def facts(self) -> TargetFacts:
        """Return how long the queue takes to give a message up: every visibility timeout until its DLQ gets it."""
        try:
            reader = client_for(self._arn, "sqs", Purpose.READ)
            names = ["VisibilityTimeout", "DelaySeconds", "RedrivePolicy"]
            attributes = reader.get_queue_attributes(QueueUrl=self._url, AttributeNames=names).get("Attributes", {})
        except ERRORS:
            return TargetFacts(batch_size=self.batch_size)
        tries = int(redrive_policy(attributes).get("maxReceiveCount", 1))
        waits_s = float(attributes.get("VisibilityTimeout", 30)) * tries + float(attributes.get("DelaySeconds", 0))
        return TargetFacts(settle_s=waits_s + MARGIN_S, batch_size=self.batch_size)

    def _send_part(self, part: Sequence[Outgoing], again: int = 0) -> Mapping[int, Answer | Exception]:
        """Send one call's worth; *again* counts the times that its answer was lost."""
        entries = [self._entry(n, outgoing) for n, outgoing in enumerate(part)]
        began = monotonic()
        try:
            answer = self._call("SendMessageBatch", {"QueueUrl": self._url, "Entries": entries})
        except ERRORS as error:
            if self._may_repeat(error, again, monotonic() - began):
                return self._send_part(part, again + 1)
            return self._not_sent(part, error)
        entries_by_id = {entry["Id"]: entry for side in ("Successful", "Failed") for entry in answer.get(side, [])}
        return {outgoing.key: self._answer(outgoing, entries_by_id.get(str(n))) for n, outgoing in enumerate(part)}

    def _may_repeat(self, error: Exception, again: int, took_s: float) -> bool:
        """Whether the same call can be made again although it may have arrived: a FIFO queue drops the second one.

        It knows it by the deduplication id, for 5 minutes (SQS Developer Guide). Unknown would hold a whole group up.
        """
        return self._fifo and kind_of(error) is Trouble.LOST and again < MOST_REPEATS and took_s < REPEAT_WITHIN_S

    def _not_sent(self, part: Sequence[Outgoing], error: Exception) -> Mapping[int, Answer | Exception]:
        """Return what a failed call means for each of *part*; one bad entry that spoils a batch is found by itself."""
        if len(part) > 1 and isinstance(error, ClientError) and kind_of(error) is Trouble.REFUSED:
            return {key: result for one in part for key, result in self._send_part([one]).items()}
        return {one.key: target_error(error, action="sqs:SendMessage", arn=self._arn) for one in part}

    def _entry(self, n: int, outgoing: Outgoing) -> dict[str, Any]:
        entry: dict[str, Any] = {"Id": str(n), "MessageBody": outgoing.payload}
        if outgoing.message_attributes:
            entry["MessageAttributes"] = {name: dict(value) for name, value in outgoing.message_attributes.items()}
        if outgoing.group_id or self._fifo:
            entry["MessageGroupId"] = outgoing.group_id or f"event-{outgoing.key}"
        if self._fifo:
            entry["MessageDeduplicationId"] = outgoing.deduplication_id
        return entry

    def _answer(self, outgoing: Outgoing, entry: Mapping[str, Any] | None) -> Answer | Exception:
        queue = name_of(self._arn)
        if entry is None or ("Code" not in entry and not entry.get("MessageId")):
            return AnswerLost(f"{queue} answered without saying what became of it. It may or may not have arrived.")
        if "Code" not in entry:
            return Answer(key=outgoing.key, sent_id=entry["MessageId"], finished=False)
        said = f"{entry['Code']}: {entry.get('Message') or 'no message'}"
        if entry.get("SenderFault"):
            return TargetRefused(f"{queue} refused it: {said}")
        return TargetBusy(f"{queue} could not take it now, and we try again later. (AWS: {said})")


def _refusal(outgoing: Outgoing, arn: str) -> str | None:
    """Return why SQS would never take *outgoing*, as a sentence."""
    if found := _ILLEGAL.search(outgoing.payload):
        return (
            f"SQS takes no U+{ord(found[0]):04X}, and its body has one at character {found.start():,}. Edit it first."
        )
    if (size := _size(outgoing)) > MAX_BYTES:
        return f"It is {size:,} bytes long with its attributes, and {name_of(arn)} takes at most {MAX_BYTES:,}."
    return None


def _size(outgoing: Outgoing) -> int:
    attributes = outgoing.message_attributes.items()
    return len(outgoing.payload.encode("utf-8", "surrogatepass")) + sum(
        len(text.encode("utf-8", "surrogatepass")) for name, value in attributes for text in (name, *value.values())
    )


def _parts(batch: Sequence[Outgoing]) -> Iterator[Sequence[Outgoing]]:
    """Yield *batch* in parts that one call may carry."""
    part: list[Outgoing] = []
    room = MAX_BYTES
    for outgoing in batch:
        size = _size(outgoing)
        if part and (size > room or len(part) == MAX_BATCH):
            yield part
            part, room = [], MAX_BYTES
        part.append(outgoing)
        room -= size
    if part:
        yield part
