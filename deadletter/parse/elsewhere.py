"""Why an event cannot be sent again to what was to get it, and what to do instead: by the kind of thing that it is."""

from __future__ import annotations

from deadletter.event import BUS_ARN, storable

_API_DESTINATION = (
    "is an API destination, which only EventBridge itself can call, with credentials that it shows to nobody. Call its "
    "endpoint by hand with the payload, or name another target."
)
_BUS = (
    "is an event bus. PutEvents would give the event a new id and send it on to every rule there, so it goes there "
    "only where a person chooses the bus as the target."
)
_OTHER = (
    "is none of what this console sends to: functions, queues, topics, data streams and state machines. Name one of "
    "these, or send the event there by hand."
)
_CALL = (
    "{whose} is the API call {call}, which this console does not make. The payload is the call's request: make it by "
    "hand, or name a target that is to get the payload."
)
_UNIVERSAL = ":aws-sdk:"


def why_elsewhere(whose: str, arn: str) -> str:
    """Return a sentence about a target that a redrive does not send to by itself.

    Args:
        whose: Whose target it is: ``The rule's target``.
        arn: What the record or AWS names as the target; any text.
    """
    shown = storable(arn[:200]) or "not named"
    _, is_call, call = arn.partition(_UNIVERSAL)
    if is_call:
        return _CALL.format(whose=whose, call=storable(call[:100]))
    if ":api-destination/" in arn:
        return f"{whose} {shown} {_API_DESTINATION}"
    return f"{whose} {shown} {_BUS if BUS_ARN.fullmatch(arn) else _OTHER}"
