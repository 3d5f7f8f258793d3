"""Who listens to a bus or a topic: the rules with their targets, the subscribers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deadletter.aws.clients import Purpose, client_for
from deadletter.aws.trouble import ERRORS, lookup_error
from deadletter.errors import LookupRefused
from deadletter.event import name_of
from deadletter.ports import Rule

MOST_PAGES = 20
"""Pages of a listing that are read: a bus has 300 rules unless its quota was raised."""


class AwsListeners:
    """See `Listeners`."""

    def rules(self, bus_arn: str) -> Sequence[Rule]:
        """Return the rules of a bus; see `Listeners.rules`."""
        return [
            Rule(each["Name"], each.get("EventPattern"), off=each.get("State") == "DISABLED")
            for each in _all(_RULES, bus_arn, {"EventBusName": _name(bus_arn)})
        ]

    def targets(self, bus_arn: str, rule: str) -> Sequence[str]:
        """Return the ARNs of a rule's targets; see `Listeners.targets`."""
        return [each["Arn"] for each in _all(_TARGETS, bus_arn, {"EventBusName": _name(bus_arn), "Rule": rule})]

    def subscribers(self, topic_arn: str) -> Sequence[str]:
        """Return the endpoints that are subscribed to a topic; see `Listeners.subscribers`."""
        return [each["Endpoint"] for each in _all(_SUBSCRIBERS, topic_arn, {"TopicArn": topic_arn})]


def _name(bus_arn: str) -> str:
    return bus_arn.partition(":event-bus/")[2]


@dataclass(frozen=True, slots=True)
class _Listing:
    """One listing call: whose client's which method, the permission that it takes, and what its entries are called."""

    service: str
    method: str
    action: str
    items: str


_RULES = _Listing("events", "list_rules", "events:ListRules", "Rules")
_TARGETS = _Listing("events", "list_targets_by_rule", "events:ListTargetsByRule", "Targets")
_SUBSCRIBERS = _Listing("sns", "list_subscriptions_by_topic", "sns:ListSubscriptionsByTopic", "Subscriptions")


def _all(listing: _Listing, arn: str, given: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
    """Yield the entries of a listing, page by page."""
    asked = dict(given)
    for _ in range(MOST_PAGES):
        try:
            answer = getattr(client_for(arn, listing.service, Purpose.READ), listing.method)(**asked)
        except ERRORS as error:
            raise lookup_error(error, action=listing.action, arn=arn) from error
        yield from answer.get(listing.items, [])
        if not answer.get("NextToken"):
            return
        asked["NextToken"] = answer["NextToken"]
    raise LookupRefused(
        f"{name_of(arn)} has more {listing.items.lower()} than {MOST_PAGES} pages, and no more are read."
    )
