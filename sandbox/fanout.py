"""SNS and EventBridge on their way to functions of the sandbox, which ministack by itself cannot find.

What is real: topics, subscriptions with their filters, rules with their patterns and input transformers, dead-letter
configurations, all as ministack keeps them, and Publish and PutEvents as it answers them. What is ours: from the moment
when ministack would call a function, the call, its retries, and the message in the dead-letter queue. As on AWS, a
function is invoked asynchronously, so that only an invocation that Lambda did not take has failed here.

Runs in the emulator's process, in the place of two functions of ministack, whose version is therefore pinned.
"""

from __future__ import annotations

import itertools
import json
import logging
import threading
import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from ministack.services import eventbridge, sns  # type: ignore[import-untyped]

from sandbox.clients import Clients
from sandbox.shapes import Refusal, event_body, lambda_event, notification, target_attributes

Json = dict[str, Any]

RULE_RETRIES, RULE_AGE_S = 185, 86_400.0
"""What a target has without a RetryPolicy (EventBridge API reference)."""
SNS_RETRIES, SNS_AGE_S = 3, 3600.0
"""AWS has 100,015 tries in 23 days (SNS Developer Guide, "Message delivery retries"); nobody could wait for those."""
_LEAST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 600.0
_CODES = {
    "ResourceNotFoundException": "NO_RESOURCE",
    "AccessDeniedException": "NO_PERMISSIONS",
    "TooManyRequestsException": "THROTTLING",
}
"""EventBridge's name for what Lambda answers. That a function which is gone is NO_RESOURCE is an assumption."""
_RETRIABLE = {"THROTTLING", "ERROR_FROM_TARGET", "CONNECTION_FAILURE"}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """How often, and for how many of AWS's seconds, a delivery is tried again."""

    retries: int
    age_s: float

    @classmethod
    def of_target(cls, target: Json) -> Patience:
        """Return that of a rule's target."""
        policy = target.get("RetryPolicy") or {}
        return cls(
            int(policy.get("MaximumRetryAttempts", RULE_RETRIES)),
            float(policy.get("MaximumEventAgeInSeconds", RULE_AGE_S)),
        )


class Fanout:
    """Delivers to functions, and leaves what Lambda did not take in dead-letter queues.

    Args:
        clients: The emulator's and Lambda's.
        scale: How many seconds a second of AWS lasts.
    """

    def __init__(self, clients: Clients, scale: float) -> None:
        self._clients = clients
        self._scale = scale

    def notify(self, function_arn: str, subscription_arn: str, envelope: Json) -> None:
        """Deliver a notification to a function; where that fails, to the subscription's dead-letter queue.

        There it has the form that a queue would get, without a word about what failed.
        """
        event = lambda_event(envelope, subscription_arn)
        if self._deliver(function_arn, json.dumps(event), Patience(SNS_RETRIES, SNS_AGE_S)):
            found = self._clients("sns").get_subscription_attributes(SubscriptionArn=subscription_arn)
            policy = json.loads(found["Attributes"].get("RedrivePolicy") or "{}")
            self._bury(policy.get("deadLetterTargetArn"), json.dumps(envelope, separators=(",", ":")), {})

    def pass_on(self, rule_arn: str, target: Json, event: Json, payload: str) -> None:
        """Deliver *payload* to a target; where that fails, the event as it was to the target's dead-letter queue.

        Schedules come this way too. Their dead-letter queues get something else, which is not built: nothing.
        """
        refusal = self._deliver(target["Arn"], payload, Patience.of_target(target))
        if refusal and ":rule/" in rule_arn:
            attributes = target_attributes(rule_arn, target["Arn"], refusal)
            self._bury((target.get("DeadLetterConfig") or {}).get("Arn"), event_body(event), attributes)

    def _deliver(self, function_arn: str, payload: str, patience: Patience) -> Refusal | None:
        """Invoke until Lambda takes it; return what it said where it does not."""
        ends = time.monotonic() + patience.age_s * self._scale
        for retries in itertools.count():
            refusal = self._invoke(function_arn, payload)
            if refusal is None or refusal.code not in _RETRIABLE:
                return refusal
            if retries >= patience.retries:
                return refusal._replace(retries=retries, exhausted="MaximumRetryAttempts")
            pause_s = max(_LEAST_PAUSE_S, min(_LONGEST_PAUSE_S, 2.0**retries) * self._scale)
            if time.monotonic() + pause_s > ends:
                return refusal._replace(retries=retries, exhausted="MaximumEventAgeInSeconds")
            time.sleep(pause_s)
        return None

    def _invoke(self, function_arn: str, payload: str) -> Refusal | None:
        try:
            self._clients("lambda").invoke(FunctionName=function_arn, InvocationType="Event", Payload=payload.encode())
        except ClientError as error:
            answer = error.response["Error"]
            return Refusal(_CODES.get(answer["Code"], "ERROR_FROM_TARGET"), answer["Message"])
        except BotoCoreError as error:
            return Refusal("CONNECTION_FAILURE", str(error))
        return None

    def _bury(self, queue_arn: str | None, body: str, attributes: Mapping[str, str]) -> None:
        if queue_arn is None:
            return  # nowhere to fail to: it is gone
        try:
            self._clients("sqs").send_message(
                QueueUrl=self._clients.queue_url(queue_arn),
                MessageBody=body,
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
                },
            )
        except (BotoCoreError, ClientError) as error:
            log.warning("A failure could not be delivered to %s and is lost, as on AWS: %s", queue_arn, error)


def install(fanout: Fanout) -> None:
    """Put *fanout* in the place of what ministack has for functions."""
    here: ContextVar[tuple[str, Json, Json]] = ContextVar("here")
    invoke_target = eventbridge._invoke_target  # noqa: SLF001 - the only place that knows the target's settings

    def invoke(target: Json, event: Json, rule: Json, view: Any = None) -> None:  # noqa: ANN401 - ministack's own
        whole = (view or eventbridge._pattern_event_view(event)).event_with_detail()  # noqa: SLF001 - as it does
        here.set((rule.get("Arn", ""), target, whole))
        invoke_target(target, event, rule, view)

    def dispatch(_arn: str, payload: str) -> None:
        threading.Thread(target=fanout.pass_on, args=(*here.get(), payload), daemon=True).start()

    def deliver(arn: str, envelope: str, _topic: str, subscription: str, *_rest: Any) -> None:  # noqa: ANN401
        fanout.notify(arn, subscription, notification(json.loads(envelope), subscription))

    eventbridge._invoke_target = invoke  # noqa: SLF001
    eventbridge._dispatch_to_lambda = dispatch  # noqa: SLF001
    sns._deliver_to_lambda = deliver  # noqa: SLF001
