"""An EventBridge bus that a redrive puts events on: only where a person chose one, knowing that it fans out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from deadletter.aws.clients import Purpose, client_for
from deadletter.aws.trouble import ERRORS, target_error
from deadletter.errors import AnswerLost, TargetBusy, TargetRefused
from deadletter.event import Json, name_of
from deadletter.jsontext import decode
from deadletter.ports import Answer, Outgoing, TargetFacts

_BUSY = frozenset({"InternalFailure", "InternalException", "ThrottlingException"})

NOT_AN_EVENT = (
    "A bus takes events with source, detail-type and detail, and its payload is none. Choose a function or a queue."
)
RESERVED = "Its source is {source!r}, and only AWS itself may put events of an aws. source on a bus. Choose its target."


class EventBridgeTarget:
    """A bus. Each event gets a new id and time there, and goes to every rule that matches."""

    batch_size = 1

    def __init__(self, arn: str) -> None:
        self._arn = arn
        self._client = client_for(arn, "events", Purpose.SEND)

    def send(self, batch: Sequence[Outgoing]) -> Sequence[Answer | Exception]:
        """Put each of *batch* on the bus by a call of its own; see `Target.send`."""
        return [self._put(outgoing) for outgoing in batch]

    def facts(self) -> TargetFacts:
        """Return nothing: how long a rule's target takes to give up is the target's business."""
        return TargetFacts()

    def _put(self, outgoing: Outgoing) -> Answer | Exception:
        event = decode(outgoing.payload)[1]
        if refusal := _refusal(event):
            return TargetRefused(refusal)
        try:
            answer = self._client.put_events(Entries=[_entry(dict(event or {}), self._arn)])  # type: ignore[call-overload]
        except ERRORS as error:
            return target_error(error, action="events:PutEvents", arn=self._arn)
        return self._answer(outgoing.key, (answer.get("Entries") or [{}])[0])

    def _answer(self, key: int, entry: Mapping[str, Any]) -> Answer | Exception:
        bus = name_of(self._arn)
        if entry.get("EventId"):
            return Answer(key=key, sent_id=entry["EventId"], finished=False)
        if "ErrorCode" not in entry:
            return AnswerLost(f"{bus} answered without saying what became of it. It may or may not have arrived.")
        said = f"{entry['ErrorCode']}: {entry.get('ErrorMessage') or 'no message'}"
        if entry["ErrorCode"] in _BUSY:
            return TargetBusy(f"{bus} could not take it now, and we try again later. (AWS: {said})")
        return TargetRefused(f"{bus} refused it: {said}")


def _refusal(event: object) -> str | None:
    if not isinstance(event, dict):
        return NOT_AN_EVENT
    source = event.get("source")
    if not isinstance(source, str) or not isinstance(event.get("detail-type"), str) or "detail" not in event:
        return NOT_AN_EVENT
    return RESERVED.format(source=source) if source.startswith("aws.") else None


def _entry(event: Mapping[str, Json], bus_arn: str) -> dict[str, Any]:
    resources = event.get("resources")
    return {
        "EventBusName": bus_arn,
        "Source": event["source"],
        "DetailType": event["detail-type"],
        "Detail": json.dumps(event["detail"]),
        **({"Resources": resources} if isinstance(resources, list) else {}),
    }
