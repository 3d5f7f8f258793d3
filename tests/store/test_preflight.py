"""The idempotency pre-flight of a plan, and the last look before sending, on the real database."""

import base64
import gzip
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from deadletter.editing import parse_transform
from deadletter.errors import BadInput, NotFound, SourceError
from deadletter.event import Producer, TargetKind, TargetRef
from deadletter.expressions import MAX_UNPACKED
from deadletter.outcome import Outcome
from deadletter.preflight import KeyRules, Protection, Record, Rules, keys_of, validation_of
from deadletter.redrive.editing import ByHand
from deadletter.redrive.last_look import LastLook
from deadletter.redrive.sending import send
from deadletter.store import models, read, write
from deadletter.store.redrives.claims import Claimed, claim
from deadletter.store.redrives.edits import edits_of_event, list_edits
from deadletter.store.rows import RedriveRow
from deadletter.store.targets import get_rules, list_rules, remove_rules, set_rules
from tests.factories import ACCOUNT, ADA, FUNCTION, NOW, make_event, make_message, make_parsed, store_some
from tests.fakes import FakeClock, FakeTarget, succeeds
from tests.records import FakeRecords
from tests.store.redriving import items, plan, run

RULES = Rules(
    table="orders-idempotency", prefix="orders-capture.app.lambda_handler", key_path="order_id", validation_path="total"
)
LATER, EARLIER = (int((NOW + timedelta(seconds=s)).timestamp()) for s in (600, -600))
QUEUE = TargetRef(TargetKind.SQS, ACCOUNT.format("sqs", "orders"))


def records_of_all_states() -> FakeRecords:
    """Records for orders 0 to 5, one for each state that a table can show."""
    totals = KeyRules.of(RULES)
    same, other = validation_of({"total": 5}, totals), "another"
    records = [
        Record("COMPLETED", LATER, validation=same),
        Record("INPROGRESS", LATER, LATER * 1000, same),
        None,
        Record("INPROGRESS", LATER, EARLIER * 1000, same),
        Record("COMPLETED", EARLIER, validation=same),
        Record("COMPLETED", LATER, validation=other),
    ]
    return FakeRecords({key_of(n): record for n, record in enumerate(records) if record})


def key_of(n: int, rules: Rules = RULES) -> str:
    key = keys_of({"order_id": f"ord-{n}"}, KeyRules.of(rules))[0][0]
    assert key is not None
    return key


EXPECTED = (
    Protection.DONE, Protection.RUNNING, Protection.NOT_SEEN, Protection.CRASHED, Protection.EXPIRED,
    Protection.REFUSED, Protection.NO_KEY,
)  # fmt: skip


def store_orders(engine: Engine, n: int = 7) -> None:
    """Store failed orders, the oldest first, each with the key of its number; number 6 has no order id."""
    with write(engine) as session:
        bodies = [{"order_id": None if number % 7 == 6 else f"ord-{number % 7}", "total": 5} for number in range(n)]
        parsed = [
            make_parsed(payload_text=json.dumps(body), occurred_at=NOW - timedelta(minutes=n - number))
            for number, body in enumerate(bodies)
        ]
        store_some(session, *parsed)
        set_rules(session, FUNCTION, RULES, by=ADA, now=NOW)


def facts(redrive: RedriveRow) -> Mapping[str, Any]:
    assert redrive.preflight is not None
    return redrive.preflight


def states(engine: Engine, redrive: RedriveRow) -> list[Protection | None]:
    return [item.protection for item in items(engine, redrive.id)]


def test_a_plan_sorts_its_events_into_all_seven_states(engine: Engine) -> None:
    store_orders(engine)
    planned = plan(engine, open_records=records_of_all_states())
    assert states(engine, planned) == list(EXPECTED)
    assert facts(planned) == {
        "skip_done": True,
        "states": {state.value: 1 for state in EXPECTED},
        "protected": 3,
        "unprotected": 3,
    }


def test_a_zip_bomb_where_the_key_should_be_says_that_nobody_looked_and_holds_up_no_other(engine: Engine) -> None:
    packed = [gzip.compress(unpacked) for unpacked in (b"0" * (MAX_UNPACKED + 1), b"ord-1")]
    with write(engine) as session:
        texts = [json.dumps({"zipped": base64.b64encode(each).decode()}) for each in packed]
        times = [NOW - timedelta(minutes=n) for n in (2, 1)]
        store_some(session, *(make_parsed(payload_text=t, occurred_at=at) for t, at in zip(texts, times, strict=True)))
        rules = replace(RULES, key_path="powertools_base64_gzip(zipped)", validation_path="")
        set_rules(session, FUNCTION, rules, by=ADA, now=NOW)
    planned = plan(engine, open_records=FakeRecords())
    assert states(engine, planned) == [Protection.UNCHECKED, Protection.NOT_SEEN]
    bomb = items(engine, planned.id)[0]
    assert "larger than" in (bomb.protection_reason or "")


def test_what_is_done_already_is_skipped_unless_it_is_to_be_sent(engine: Engine) -> None:
    store_orders(engine)
    skipping = plan(engine, open_records=records_of_all_states())
    sending = plan(engine, open_records=records_of_all_states(), skip_done=False)
    assert (skipping.skipped, skipping.waiting, sending.skipped, sending.waiting) == (1, 6, 0, 7)
    done = items(engine, skipping.id)[0]
    assert (done.outcome, done.reason) == (
        Outcome.SKIPPED,
        "Done already: the handler's idempotency record answers it.",
    )
    assert skipping.digest != sending.digest


def test_a_target_without_rules_has_no_preflight(engine: Engine) -> None:
    store_orders(engine)
    with write(engine) as session:
        remove_rules(session, FUNCTION, by=ADA, now=NOW)
    records = records_of_all_states()
    planned = plan(engine, open_records=records)
    assert (planned.preflight, set(states(engine, planned)), records.asked) == (None, {None}, [])


def test_a_table_that_cannot_be_read_is_said_and_stops_no_plan(engine: Engine) -> None:
    store_orders(engine)
    planned = plan(engine, open_records=FakeRecords(error=SourceError("The permission is missing.")))
    assert Counter(states(engine, planned)) == {Protection.UNCHECKED: 6, Protection.NO_KEY: 1}
    assert items(engine, planned.id)[0].protection_reason == "The permission is missing."
    assert (facts(planned)["protected"], facts(planned)["unprotected"]) == (0, 7)


def test_the_key_of_a_message_for_a_queue_is_that_of_the_record_in_its_batch(engine: Engine) -> None:
    rules = replace(RULES, data_path="Records[*].powertools_json(body)", validation_path="")
    message = make_message('{"order_id": "ord-1"}', attributes={"DeadLetterQueueSourceArn": QUEUE.arn})
    with write(engine) as session:
        event = make_event(producer=Producer.SQS_REDRIVE, request_id=None, target=QUEUE, payload_text=message.body)
        store_some(session, make_parsed(event, message=message, target=QUEUE))
        set_rules(session, QUEUE.arn, rules, by=ADA, now=NOW)
    planned = plan(engine, open_records=FakeRecords({key_of(1): Record("COMPLETED", LATER)}))
    assert states(engine, planned) == [Protection.DONE]


@pytest.mark.parametrize("path", ["Records[0].messageId", "", "Records[0].receiptHandle", "Records[0].attributes"])
def test_a_key_that_every_send_changes_protects_nothing(engine: Engine, path: str) -> None:
    message = make_message(attributes={"DeadLetterQueueSourceArn": QUEUE.arn})
    with write(engine) as session:
        event = make_event(producer=Producer.SQS_REDRIVE, request_id=None, target=QUEUE, payload_text=message.body)
        store_some(session, make_parsed(event, message=message, target=QUEUE))
        set_rules(session, QUEUE.arn, replace(RULES, key_path=path, validation_path=""), by=ADA, now=NOW)
    planned = plan(engine, open_records=FakeRecords())
    assert states(engine, planned) == [Protection.NO_KEY]
    assert "depends on something that a redrive changes" in (items(engine, planned.id)[0].protection_reason or "")


def test_a_functions_alias_has_the_rules_of_the_function(engine: Engine) -> None:
    store_orders(engine, 1)
    alias = TargetRef(TargetKind.LAMBDA, f"{FUNCTION}:live")
    planned = plan(engine, target=alias, open_records=records_of_all_states())
    assert states(engine, planned) == [Protection.DONE]


def claimed(engine: Engine, **given: Any) -> list[Claimed]:
    running = run(engine, **given)
    with write(engine) as session:
        moments = (NOW + timedelta(seconds=n) for n in range(running.waiting))
        return [one for now in moments for one in claim(session, running.id, worker="w", most=10, now=now)]


def last_look(engine: Engine, records: FakeRecords) -> LastLook:
    return LastLook(engine, records, FakeClock(NOW))


def test_what_is_done_since_the_plan_is_not_sent(engine: Engine) -> None:
    store_orders(engine, 3)
    claims = claimed(engine, open_records=records_of_all_states())
    target = FakeTarget(succeeds)
    since = FakeRecords({key_of(n): Record("COMPLETED", LATER, validation=None) for n in (1, 2)})
    with write(engine) as session:
        set_rules(session, FUNCTION, replace(RULES, validation_path=""), by=ADA, now=NOW)
    reports = send(claims, target, hold_back=last_look(engine, since))
    assert [report.outcome for report in reports] == [Outcome.SKIPPED, Outcome.SKIPPED]
    assert "just before sending" in (reports[0].reason or "")
    assert target.received == []


def test_what_the_plan_said_is_done_never_runs_because_its_record_went(engine: Engine) -> None:
    store_orders(engine, 1)
    claims = claimed(engine, open_records=records_of_all_states(), skip_done=False)
    target = FakeTarget(succeeds)
    for records in (FakeRecords(), FakeRecords(error=SourceError("gone"))):
        assert [report.outcome for report in send(claims, target, hold_back=last_look(engine, records))] == [
            Outcome.SKIPPED
        ]
    assert target.received == []
    answered = send(claims, target, hold_back=last_look(engine, records_of_all_states()))
    assert [report.outcome for report in answered] == [Outcome.SUCCEEDED]


def test_a_table_that_cannot_be_read_holds_nothing_else_back(engine: Engine) -> None:
    store_orders(engine, 3)
    claims = claimed(engine, open_records=records_of_all_states())
    broken = last_look(engine, FakeRecords(error=SourceError("gone")))
    assert {report.outcome for report in send(claims, FakeTarget(succeeds), hold_back=broken)} == {Outcome.SUCCEEDED}


def test_a_last_look_that_goes_wrong_sends_nothing_and_waits(engine: Engine) -> None:
    store_orders(engine, 3)
    claims = claimed(engine, open_records=records_of_all_states())
    target = FakeTarget(succeeds)

    def broken(_claims: object) -> Mapping[int, str]:
        message = "the database is away"
        raise RuntimeError(message)

    assert {report.outcome for report in send(claims, target, hold_back=broken)} == {Outcome.WAITING}
    assert target.received == []


PATCH = '[{"op": "test", "path": "/order_id", "value": "ord-0"}, {"op": "add", "path": "/total", "value": 7}]'


def test_an_edited_event_is_sent_edited_and_its_original_is_kept(engine: Engine) -> None:
    store_orders(engine, 2)
    claims = claimed(engine, edit=parse_transform(PATCH))
    target = FakeTarget(succeeds)
    send(claims, target)
    assert [json.loads(sent.payload) for sent in target.received] == [{"order_id": "ord-0", "total": 7}]
    with read(engine) as session:
        edit = list_edits(session, claims[0].redrive_id).rows[0]
        assert edit == edits_of_event(session, claims[0].event_id)[0]
        assert (edit.how, edit.made_by, json.loads(edit.payload)["total"]) == ("json-patch", "ada", 7)
        assert json.loads(edit.message.body)["total"] == 5


def test_a_plan_counts_what_an_edit_does_not_change_and_skips_what_it_does_not_fit(engine: Engine) -> None:
    store_orders(engine, 3)
    edit = '[{"op": "test", "path": "/order_id", "value": "ord-2"}, {"op": "add", "path": "/total", "value": 5}]'
    planned = plan(engine, edit=parse_transform(edit))
    assert planned.edit == {"how": "json-patch", "text": edit, "by": "ada", "changed": 0, "unchanged": 1, "unfit": 2}
    assert (planned.waiting, planned.skipped) == (1, 2)
    assert "does not fit it" in (items(engine, planned.id)[0].reason or "")


def test_two_edits_of_the_same_events_are_two_plans(engine: Engine) -> None:
    store_orders(engine, 1)
    digests = {plan(engine, edit=ByHand(f'{{"total": {n}}}')).digest for n in range(3)}
    assert len(digests) == 3


def test_the_preflight_looks_up_the_key_of_what_is_sent(engine: Engine) -> None:
    store_orders(engine, 1)
    planned = plan(engine, edit=ByHand('{"order_id": "ord-2", "total": 5}'), open_records=records_of_all_states())
    assert states(engine, planned) == [Protection.NOT_SEEN]
    changed = plan(engine, edit=ByHand('{"order_id": "ord-0", "total": 6}'), open_records=records_of_all_states())
    assert states(engine, changed) == [Protection.REFUSED]


def test_nobody_can_change_or_delete_an_edit(engine: Engine) -> None:
    store_orders(engine, 1)
    plan(engine, edit=ByHand("{}"))
    for change in (models.Edit.__table__.update().values(how="x"), models.Edit.__table__.delete()):  # type: ignore[attr-defined] # SQLAlchemy types it as a FromClause
        with pytest.raises(DBAPIError, match="append-only"), write(engine) as session:
            session.execute(change)


def test_rules_are_kept_replaced_and_removed(session: Session) -> None:
    set_rules(session, f"{FUNCTION}:live", RULES, by=ADA, now=NOW)
    set_rules(session, FUNCTION, replace(RULES, expires_s=60), by=ADA, now=NOW)
    assert [(row.arn, row.rules.expires_s) for row in list_rules(session)] == [(FUNCTION, 60)]
    assert get_rules(session, f"{FUNCTION}:7").changed_by == "ada"
    remove_rules(session, FUNCTION, by=ADA, now=NOW)
    with pytest.raises(NotFound):
        get_rules(session, FUNCTION)


@pytest.mark.parametrize(
    ("arn", "rules"),
    [
        ("nonsense", RULES),
        (FUNCTION, replace(RULES, table=" ")),
        (FUNCTION, replace(RULES, prefix="")),
        (FUNCTION, replace(RULES, key_path="a[")),
        (FUNCTION, replace(RULES, expires_s=0)),
        (FUNCTION, replace(RULES, hash_function="crc")),
    ],
)
def test_rules_that_cannot_be_are_refused(session: Session, arn: str, rules: Rules) -> None:
    with pytest.raises(BadInput):
        set_rules(session, arn, rules, by=ADA, now=NOW)
