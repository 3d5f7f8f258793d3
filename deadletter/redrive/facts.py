"""What a plan has to know of events besides their rows: whose account they stand in, their payloads, their order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy.orm import Session

from deadletter.event import TargetRef, account_of
from deadletter.parse import parse_message
from deadletter.plan import NEEDS_JSON, Candidate
from deadletter.rebuild import MAY_NOT_BE_JSON, payload_is_json
from deadletter.store.redrives import selections
from deadletter.store.sources import list_source_arns


def list_accounts(session: Session) -> frozenset[str]:
    """Return the accounts of the sources that are registered."""
    return frozenset(account_of(arn) for arn in list_source_arns(session).values()) - {""}


def at_home(candidate: Candidate, override: TargetRef | None, ours: frozenset[str]) -> Candidate:
    """Return *candidate*, if its source's ARN names no account (a bucket's) with the account that it stands in.

    That is its target's, where a source of that account is registered: whoever registered it said that it is theirs.
    """
    target = override or candidate.target
    if candidate.account or target is None or account_of(target.arn) not in ours:
        return candidate
    return replace(candidate, account=account_of(target.arn))


def asks_for_more(candidate: Candidate, override: TargetRef | None) -> bool:
    """Return whether the target asks for something of the event that its row does not say; see `with_payload_facts`."""
    return _is_ordered(candidate, override) or _may_not_be_json(candidate, override)


def with_payload_facts(
    session: Session, candidates: Sequence[Candidate], override: TargetRef | None
) -> list[Candidate]:
    """Return *candidates*, knowing what their targets ask: whether a payload is JSON, and its place in a FIFO queue."""
    unsure = [each.event_id for each in candidates if _may_not_be_json(each, override)]
    bad = {
        event_id
        for event_id, message in selections.iter_messages(session, unsure)
        if not payload_is_json(parse_message(message))
    }
    places = selections.list_places(session, [each.event_id for each in candidates if _is_ordered(each, override)])
    return [
        replace(
            each,
            payload_is_json=False if each.event_id in bad else each.payload_is_json,
            place=places.get(each.event_id),
        )
        if each.event_id in bad or each.event_id in places
        else each
        for each in candidates
    ]


def _is_ordered(candidate: Candidate, override: TargetRef | None) -> bool:
    target = override or candidate.target
    return target is not None and target.arn.endswith(".fifo")


def _may_not_be_json(candidate: Candidate, override: TargetRef | None) -> bool:
    """Return whether nobody has looked yet, at the payload of an event for which it matters."""
    target = override or candidate.target
    unknown = candidate.payload_is_json is None and candidate.producer in MAY_NOT_BE_JSON
    return unknown and target is not None and target.kind in NEEDS_JSON
