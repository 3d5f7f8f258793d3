"""The idempotency pre-flight: from planned events to what their handlers' own records say of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from deadletter.editing import with_payload, without_payload
from deadletter.errors import NetworkError, TargetRefused
from deadletter.event import FailedEvent, Json, Producer, ReceivedMessage, TargetKind, TargetRef, decode_json
from deadletter.expressions import CannotApply
from deadletter.parse import parse_message
from deadletter.ports import OpenRecords
from deadletter.preflight import KeyRules, Protection, Record, Rules, keys_of, protection, validation_of, worst
from deadletter.rebuild import rebuild, sqs_record
from deadletter.route import Supplement
from deadletter.store.redrives.sendable import Sendable, iter_sendable
from deadletter.store.targets import rules_of

_CHANGES = (
    "Its key depends on something that a redrive changes ({what}), so no record of it can be found: it will run again."
)
_NEW_IN_QUEUE = "the message id, the receipt handle or the queue's attributes"
_NEW_IN_FUNCTION = "the receipt handle or the queue's attributes"


@dataclass(frozen=True, slots=True)
class Keyed:
    """The keys of one event, each with its validation hash; or the state it is in without any look-up, and why."""

    keys: Sequence[tuple[str, str | None]] = ()
    state: Protection | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """What the handler's records say of one event. `reason` is a sentence where the state needs one."""

    state: Protection
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """One event, where it goes, and the rules of that target."""

    event_id: int
    target: TargetRef
    rules: Rules


def ask(session: Session, targets: Mapping[int, TargetRef]) -> list[Asked]:
    """Return the events (id to target) whose targets have rules, with these."""
    rules = rules_of(session, {target.arn for target in targets.values()})
    return [Asked(event_id, target, rules[target.arn]) for event_id, target in targets.items() if target.arn in rules]


def key_all(session: Session, asked: Sequence[Asked], edited: Mapping[int, str]) -> Mapping[int, Keyed]:
    """Return the keys of events as they would be sent, by id; *edited* are the payloads that take originals' places."""
    by_id = {one.event_id: one for one in asked}
    compiled = {one.rules: KeyRules.of(one.rules) for one in asked}
    return {
        one.event_id: key_event(
            one, by_id[one.event_id].target, compiled[by_id[one.event_id].rules], edited.get(one.event_id)
        )
        for one in iter_sendable(session, list(by_id))
    }


def key_event(one: Sendable, target: TargetRef, rules: KeyRules, edited: str | None = None) -> Keyed:
    """Return the keys that the consumer behind *target* would compute for an event."""
    message, event = with_payload(one.message, parse_message(one.message), edited)
    supplement = without_payload(one.supplement, edited)
    try:
        found = keys_of(handled_event(message, event, target, supplement), rules)
        what = _changing(event, target)
        if what and _keys(found) != _keys(
            keys_of(handled_event(message, event, target, supplement, mark="new"), rules)
        ):
            return Keyed(state=Protection.NO_KEY, reason=_CHANGES.format(what=what))
        if not found or any(key is None for key, _ in found):
            return Keyed(state=Protection.NO_KEY)
        return Keyed([(key, validation_of(data, rules)) for key, data in found if key is not None])
    except (CannotApply, TargetRefused) as error:
        return Keyed(state=Protection.UNCHECKED, reason=f"No key can be computed: {error}")


def _keys(found: Sequence[tuple[str | None, Json]]) -> list[str | None]:
    return [key for key, _ in found]


def handled_event(
    message: ReceivedMessage, event: FailedEvent, target: TargetRef, supplement: Supplement | None, *, mark: str = ""
) -> Json:
    """Return the event that the handler gets; *mark* stands in whatever is new with every send.

    For a queue that is the SQS event of its event source mapping.

    Raises:
        TargetRefused: It could not be sent; the message says why.
    """
    payload = rebuild(message, event, target, key=0, deduplication_id="", supplement=supplement).payload
    if target.kind is TargetKind.SQS:
        sent = replace(message, message_id=mark or message.message_id, body=payload)
        return {"Records": [sqs_record(sent) | _marked(message, mark) | {"eventSourceARN": target.arn}]}
    known, handled = decode_json(payload)
    if not known:
        raise TargetRefused("Its payload is not JSON.")
    if mark and event.producer is Producer.SQS_REDRIVE:
        handled["Records"][0] |= _marked(message, mark)
    return handled


def look_up(
    asked: Iterable[Asked], keyed: Mapping[int, Keyed], open_records: OpenRecords, *, now: datetime
) -> Mapping[int, Checked]:
    """Return what the handlers' records say of every event that was *asked* about.

    A table that cannot be read is said with each of its events, and stops nothing.
    """
    by_table: dict[tuple[Rules, str], list[int]] = {}
    for one in asked:
        by_table.setdefault((one.rules, one.target.arn), []).append(one.event_id)
    checked: dict[int, Checked] = {}
    for (rules, arn), event_ids in by_table.items():
        mine = {event_id: keyed.get(event_id, Keyed(state=Protection.UNCHECKED)) for event_id in event_ids}
        checked |= _look_up(rules, arn, mine, open_records, now)
    return checked


def _look_up(
    rules: Rules, arn: str, keyed: Mapping[int, Keyed], open_records: OpenRecords, now: datetime
) -> Mapping[int, Checked]:
    keys = {key for each in keyed.values() for key, _ in each.keys}
    try:
        records = open_records(rules, arn).look_up(keys) if keys else {}
    except NetworkError as error:
        trouble = Checked(Protection.UNCHECKED, str(error))
        return {event_id: _known(each) or trouble for event_id, each in keyed.items()}
    return {event_id: _known(each) or judge(each, records, now) for event_id, each in keyed.items()}


def _known(keyed: Keyed) -> Checked | None:
    return None if keyed.state is None else Checked(keyed.state, keyed.reason)


def judge(keyed: Keyed, records: Mapping[str, Record], now: datetime) -> Checked:
    """Return the state of an event whose *records* were read."""
    return Checked(worst(protection(records.get(key), now=now, validation=v) for key, v in keyed.keys))


def check(
    session: Session,
    targets: Mapping[int, TargetRef],
    open_records: OpenRecords,
    *,
    edited: Mapping[int, str],
    now: datetime,
) -> Mapping[int, Checked]:
    """Return what is known of the events (id to target) whose targets have rules, by id."""
    asked = ask(session, targets)
    return look_up(asked, key_all(session, asked, edited), open_records, now=now) if asked else {}


def _changing(event: FailedEvent, target: TargetRef) -> str | None:
    """Return what a redrive changes in the event that the handler gets; None where nothing changes."""
    if target.kind is TargetKind.SQS:
        return _NEW_IN_QUEUE
    return _NEW_IN_FUNCTION if event.producer is Producer.SQS_REDRIVE else None


def _marked(message: ReceivedMessage, mark: str) -> dict[str, Json]:
    if not mark:
        return {}
    return {"receiptHandle": mark, "attributes": dict.fromkeys([*message.attributes, "SentTimestamp"], mark)}
