"""An SNS topic that a redrive publishes to, where a rule's target is a topic or a person chose one."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from deadletter.aws.clients import Purpose, client_for
from deadletter.aws.trouble import ERRORS, target_error
from deadletter.errors import AnswerLost, TargetRefused
from deadletter.event import name_of
from deadletter.ports import Answer, Outgoing, TargetFacts

MAX_BYTES = 262_144
"""Of one message (SNS's quota)."""


class SnsTarget:
    """A topic. It hands what it gets to every subscriber: who sends here has chosen that."""

    batch_size = 1

    def __init__(self, arn: str) -> None:
        self._arn = arn
        self._fifo = arn.endswith(".fifo")
        self._client = client_for(arn, "sns", Purpose.SEND)

    def send(self, batch: Sequence[Outgoing]) -> Sequence[Answer | Exception]:
        """Publish each of *batch* by a call of its own; see `Target.send`."""
        return [self._publish(outgoing) for outgoing in batch]

    def facts(self) -> TargetFacts:
        """Return nothing: how long a topic takes to give up is its subscribers' business."""
        return TargetFacts()

    def _publish(self, outgoing: Outgoing) -> Answer | Exception:
        if refusal := _refusal(outgoing.payload):
            return TargetRefused(refusal)
        try:
            answer = self._client.publish(TopicArn=self._arn, Message=outgoing.payload, **self._extras(outgoing))
        except ERRORS as error:
            return target_error(error, action="sns:Publish", arn=self._arn)
        if not answer.get("MessageId"):
            return AnswerLost(f"{name_of(self._arn)} answered without a message id: it may or may not have taken it.")
        return Answer(key=outgoing.key, sent_id=answer["MessageId"], finished=False)

    def _extras(self, outgoing: Outgoing) -> dict[str, Any]:
        extras: dict[str, Any] = {}
        if outgoing.message_attributes:
            extras["MessageAttributes"] = {name: _value(part) for name, part in outgoing.message_attributes.items()}
        if self._fifo:
            extras["MessageGroupId"] = outgoing.group_id or f"event-{outgoing.key}"
            extras["MessageDeduplicationId"] = outgoing.deduplication_id
        return extras


def _refusal(payload: str) -> str | None:
    """Return why SNS would never take *payload*, as a sentence."""
    try:
        size = len(payload.encode())
    except UnicodeEncodeError as error:
        return f"No UTF-8 can carry its payload: a lone surrogate at character {error.start:,}."
    return f"It is {size:,} bytes long, and a topic takes at most {MAX_BYTES:,}." if size > MAX_BYTES else None


def _value(value: Mapping[str, str]) -> dict[str, Any]:
    binary = {"BinaryValue": base64.b64decode(value["BinaryValue"])} if "BinaryValue" in value else {}
    return {name: text for name, text in value.items() if name != "BinaryValue"} | binary
