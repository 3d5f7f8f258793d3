"""A notification that SNS could not deliver to one subscriber: the message in its envelope, and no word on why."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from deadletter.event import ORIGIN_ARN, FailedEvent, Producer, Redrivable
from deadletter.parse.envelope import is_notification
from deadletter.parse.record import Record

REASON = (
    "The notification names its topic and subscription, not the function or queue behind them: that is looked up. "
    "It goes to that one subscriber, never to the topic, which would send it to all of them."
)
NO_SUBSCRIPTION = (
    "The notification does not say which subscription it was for (its UnsubscribeURL names none), so nobody knows "
    "which subscriber failed. Name the function or queue that is to get it."
)


def parse(record: Record) -> FailedEvent | None:
    """Read a notification that holds no record of another producer (those are tried before)."""
    body = record.body
    message = body.exact("Message")
    if message is None or not is_notification(body):
        return None
    subscription_arn = _subscription(body.text("UnsubscribeURL"), body.text("TopicArn") or "")
    return FailedEvent(
        producer=Producer.SNS_SUBSCRIPTION,
        occurred_at=body.time("Timestamp") or record.arrived_at,
        payload_text=message,
        redrivable=Redrivable.YES,
        reason=REASON if subscription_arn else NO_SUBSCRIPTION,
        origin_arn=subscription_arn,
    )


def _subscription(url: str | None, topic_arn: str) -> str | None:
    """Return the subscription that an UnsubscribeURL would end; None unless it is one of that topic."""
    try:
        given = parse_qs(urlsplit(url or "").query).get("SubscriptionArn", [""])[0]
    except ValueError:
        return None
    is_ours = given.rpartition(":")[0] == topic_arn
    return given if is_ours and ORIGIN_ARN.fullmatch(given) else None
