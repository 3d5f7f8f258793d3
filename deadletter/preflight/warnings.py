"""What an operator should know of a target's idempotency before trusting it. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from deadletter.preflight.keys import Rules

LONGEST_IN_QUEUE_S = 14 * 86_400
"""The longest that an event can lie in a dead-letter queue, in seconds (SQS's MessageRetentionPeriod)."""

_NAME = re.compile(r"[A-Za-z_]\w*")
_CHANGES = {
    "messageId": "a message sent to a queue again has a new message id",
    "receiptHandle": "every receive has a new receipt handle",
    "attributes": "a message sent again has new times and counts among its attributes",
    "requestId": "whoever calls again has a new request id",
    "approximateArrivalTimestamp": "a record written again arrives at another time",
}


def warnings_of(rules: Rules) -> Sequence[str]:
    """Return sentences for what makes *rules* protect less than they seem to."""
    return [*_about_the_key(rules), *_about_time(rules)]


def _about_the_key(rules: Rules) -> list[str]:
    if not rules.key_path and not rules.data_path:
        whole = (
            "No key path: the whole event is the key. A message that is sent to a queue again is another event, with a "
            "new message id and new attributes, so its record would never be found."
        )
        return [whole]
    used = [name for name in _NAME.findall(f"{rules.data_path} {rules.key_path}") if name in _CHANGES]
    found = [f"The key depends on {name}: {_CHANGES[name]}, so its record may never be found." for name in used]
    if not rules.key_path and rules.data_path and "body" not in _NAME.findall(rules.data_path):
        found.append(
            "No key path: the whole record is the key, with its message id and attributes, which a redrive changes."
        )
    return found


def _about_time(rules: Rules) -> list[str]:
    if rules.expires_s >= LONGEST_IN_QUEUE_S:
        return []
    short = (
        f"A record lives {rules.expires_s / 3_600:,.3g} h, and an event can lie in a dead-letter queue for 14 days: "
        "what is redriven later than that runs again, unprotected. expires_after_seconds of 1,209,600 would cover it."
    )
    return [short]
