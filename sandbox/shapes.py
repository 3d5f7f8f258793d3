"""What SNS and EventBridge write: the notification in its two spellings, and what a dead-letter queue gets."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from sandbox.functions import REGION
from sandbox.records import iso, now

Json = dict[str, Any]

_SIGNATURE = "dGhpcyBzYW5kYm94IHNpZ25zIG5vdGhpbmc="
_ENVELOPE = ("version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail")
_LAMBDAS_WORDS = {"SigningCertURL": "SigningCertUrl", "UnsubscribeURL": "UnsubscribeUrl"}


class Refusal(NamedTuple):
    """Why a target got nothing: EventBridge's code, the target's words, the retries, and what they ran out of."""

    code: str
    message: str
    retries: int = 0
    exhausted: str | None = None


def notification(theirs: Json, subscription_arn: str) -> Json:
    """Return a notification as a queue gets it: *theirs*, with the time and the addresses put right.

    ministack tells whole seconds only, and the same subscription in every address.
    """
    host = f"https://sns.{REGION}.amazonaws.com/"
    return {
        **theirs,
        "Timestamp": iso(now()),
        "Signature": _SIGNATURE,
        "SigningCertURL": f"{host}SimpleNotificationService-sandbox.pem",
        "UnsubscribeURL": f"{host}?Action=Unsubscribe&SubscriptionArn={subscription_arn}",
    }


def lambda_event(envelope: Json, subscription_arn: str) -> Json:
    """Return a notification as a function gets it: two addresses spelt otherwise, and no field left out."""
    whole: Json = {"Type": None, "MessageId": None, "TopicArn": None, "Subject": None, **envelope}
    told = {_LAMBDAS_WORDS.get(name, name): value for name, value in whole.items()}
    record = {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": subscription_arn,
        "Sns": {**told, "MessageAttributes": envelope.get("MessageAttributes", {})},
    }
    return {"Records": [record]}


def event_body(event: Json) -> str:
    """Return an event of EventBridge as JSON, its envelope in AWS's order."""
    return json.dumps({name: event[name] for name in _ENVELOPE if name in event}, separators=(",", ":"))


def target_attributes(rule_arn: str, target_arn: str, refusal: Refusal) -> dict[str, str]:
    """Return the attributes with which a target's dead-letter queue gets an event.

    What the retries ran out of is there only for an error that is worth a retry.
    """
    condition = {"EXHAUSTED_RETRY_CONDITION": refusal.exhausted} if refusal.exhausted else {}
    return {
        "RULE_ARN": rule_arn,
        "TARGET_ARN": target_arn,
        "ERROR_CODE": refusal.code,
        "ERROR_MESSAGE": refusal.message,
        **condition,
        "RETRY_ATTEMPTS": str(refusal.retries),
    }
