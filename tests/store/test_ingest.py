import re
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from deadletter.event import Producer, TargetKind, TargetRef
from deadletter.filters import EventFilter
from deadletter.outcome import EventStatus
from deadletter.store import write
from deadletter.store.ailing import ailment
from deadletter.store.check import recount
from deadletter.store.engine import BUSY_TIMEOUT_MS, is_postgres, limit_waiting
from deadletter.store.ingest import Stored, store_all, store_messages
from deadletter.store.models import Record
from deadletter.store.queries import get_event, list_events, list_groups, status_counts
from deadletter.store.rows import EventDetail
from deadletter.store.rowset import find_each, table_of
from tests.factories import (
    NOW,
    QUEUE,
    make_dlq_event,
    make_event,
    make_message,
    make_parsed,
    make_source,
    store_some,
)
from tests.statements import counted

BUSY = "PRAGMA busy_timeout"


def test_messages_are_looked_up_by_the_index_before_a_table_has_statistics(session: Session) -> None:
    if is_postgres(session):
        session.execute(text("TRUNCATE records CASCADE"))  # what other tests left is known to be small
    store_some(session, *(make_parsed() for _ in range(60)))
    record = table_of(Record).c
    known = select(record.message_id).where(record.source_id == 1)
    query = find_each(session, known, record.message_id, [f"message-{n}" for n in range(500)])
    compiled = query.compile(session.connection(), compile_kwargs={"render_postcompile": True})
    explain = "EXPLAIN " if is_postgres(session) else "EXPLAIN QUERY PLAN "
    given = (
        compiled.params if is_postgres(session) else tuple(compiled.params[name] for name in compiled.positiontup or ())
    )
    plan = " ".join(row[-1] for row in session.connection().exec_driver_sql(explain + str(compiled), given))
    by_message = r"Index Cond: \(\(source_id = .*AND \(message_id =|SEARCH records .*source_id=\? AND message_id=\?"
    assert re.search(by_message, plan), plan


def only_event(session: Session) -> EventDetail:
    (row,) = list_events(session, EventFilter()).rows
    return get_event(session, row.id)


def test_a_message_becomes_an_event_in_a_group(session: Session) -> None:
    store_some(session, make_parsed(error_type="PaymentError", payload_text='{"order_id": "ord-7741"}'))

    found = only_event(session)
    assert (found.event.status, found.event.failures, found.event.label) == (EventStatus.UNRESOLVED, 1, "ord-7741")
    (group,) = list_groups(session, EventFilter(), now=NOW).rows
    assert (group.id, group.counts.unresolved, group.status) == (found.event.group_id, 1, EventStatus.UNRESOLVED)
    assert group.spark[-1] == 1
    assert group.sources == ["orders-dlq"]
    assert recount(session) == []


def test_the_same_message_again_changes_nothing(session: Session) -> None:
    parsed = make_parsed()
    source_id = store_some(session, parsed)

    stored = store_messages(session, source_id, [parsed, parsed, make_parsed()], now=NOW)

    assert stored == Stored(new=1, known=2, merged=0, failed_again=0)
    assert status_counts(session).unresolved == 2
    assert recount(session) == []


def test_a_record_is_kept_byte_for_byte(session: Session) -> None:
    body = 'NUL \x00, half a pair \ud83d, and "\u2028"'
    attributes = {"SentTimestamp": "1795402500000", "odd\x00": "\udc00"}
    sent = {"note": {"DataType": "String", "StringValue": "\ud800\x00 é"}}
    message = make_message(body=body, attributes=attributes, message_attributes=sent)
    store_some(session, make_parsed(make_event(payload_text=body, error_message=body), message=message))

    main = only_event(session).main
    assert (main.body, main.attributes, main.message_attributes) == (body, attributes, sent)


def test_hostile_texts_are_cut_to_what_the_lists_need(session: Session) -> None:
    long = "x\x00\ud83d" * 100_000
    hostile = make_event(
        error_type=long,
        error_message=long,
        qualifier=long,
        condition=long,
        request_id=long,
        function_arn=long,
        reason=long,
        invoke_count=10**30,
        payload_text=long,
        target=TargetRef(TargetKind.SQS, long),
    )
    store_some(session, make_parsed(hostile, stands_for=QUEUE))

    row = only_event(session).event
    assert row.error_type is not None
    assert row.error_message is not None
    assert (len(row.error_type), len(row.error_message)) == (200, 4096)
    assert (row.request_id, row.invoke_count, row.target_arn) == (None, None, None)
    assert row.payload_bytes == len(long.encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("rich_first", [True, False])
def test_dlq_and_destination_tell_of_one_event_with_the_richer_facts(session: Session, rich_first: bool) -> None:  # noqa: FBT001
    rich = make_event(
        error_type="PaymentError", error_message="card was declined", occurred_at=NOW - timedelta(hours=2)
    )
    poor = replace(make_dlq_event(rich), error_message="card was dec", occurred_at=NOW)
    arriving = [(make_parsed(rich), "destination"), (make_parsed(poor), "dlq")]
    for parsed, source in arriving if rich_first else reversed(arriving):
        store_some(session, parsed, source=source)

    found = only_event(session)
    assert (found.event.producer, found.event.error_type) == (Producer.LAMBDA_DESTINATION, "PaymentError")
    assert (found.event.error_message, found.event.occurred_at) == ("card was declined", rich.occurred_at)
    assert (found.event.failures, found.event.source_name) == (1, "destination")
    assert found.main.source_name == "destination"
    assert [record.is_failure for record in found.records] == [True, False]
    (group,) = list_groups(session, EventFilter(), now=NOW).rows
    assert (group.error_type, group.counts.total) == ("PaymentError", 1)
    assert recount(session) == []


def test_both_records_in_one_batch_are_one_event(session: Session) -> None:
    rich = make_event()
    source_id = make_source(session).id

    stored = store_messages(session, source_id, [make_parsed(make_dlq_event(rich)), make_parsed(rich)], now=NOW)

    assert stored == Stored(new=1, known=0, merged=1, failed_again=0)
    assert only_event(session).event.producer is Producer.LAMBDA_DESTINATION
    assert recount(session) == []


def test_both_records_from_two_sources_in_one_transaction_are_one_event(session: Session) -> None:
    rich = make_event()
    dlq, destination = make_source(session, "dlq").id, make_source(session, "destination").id

    batches = {dlq: [make_parsed(make_dlq_event(rich))], destination: [make_parsed(rich)]}
    stored = store_all(session, batches, now=NOW)

    assert (stored.new, stored.merged) == (1, 1)
    assert only_event(session).event.source_name == "destination"
    assert recount(session) == []


def test_a_record_without_the_payload_gives_facts_and_the_one_with_it_is_sent(session: Session) -> None:
    dlq = make_dlq_event(make_event(payload_text='{"order_id": "ord-1"}'))
    destination = make_event(request_id=dlq.request_id, payload_text=None, error_type="PaymentError")
    store_some(session, make_parsed(dlq), source="dlq")
    store_some(session, make_parsed(destination, message=make_message()), source="destination")

    found = only_event(session)
    assert (found.event.error_type, found.event.label) == ("PaymentError", "ord-1")
    assert found.main.source_name == "dlq"
    assert recount(session) == []


def test_a_known_request_id_with_another_payload_is_an_event_of_its_own(session: Session) -> None:
    real = make_event(payload_text='{"order_id": "ord-1"}')
    imitation = replace(real, payload_text='{"order_id": "ord-2"}')
    source_id = store_some(session, make_parsed(real))

    stored = store_messages(session, source_id, [make_parsed(imitation)], now=NOW)

    assert stored.new == 1
    rows = list_events(session, EventFilter()).rows
    assert {row.label: row.request_id for row in rows} == {"ord-1": real.request_id, "ord-2": None}
    assert recount(session) == []


def test_the_same_payload_written_in_another_order_is_the_same_event(session: Session) -> None:
    dlq = make_dlq_event(make_event(payload_text='{"a": 1, "b": [2]}'))
    destination = make_event(request_id=dlq.request_id, payload_text='{"b":[2],"a":1}')
    source_id = store_some(session, make_parsed(dlq))

    assert store_messages(session, source_id, [make_parsed(destination)], now=NOW).merged == 1


def test_an_event_goes_where_its_record_says_else_where_its_source_says(session: Session) -> None:
    other = TargetRef(TargetKind.SQS, "arn:aws:sqs:eu-west-1:123456789012:orders")
    store_some(session, make_parsed(make_event(target=None), target=other))

    row = only_event(session).event
    assert (row.target_kind, row.target_arn) == (other.kind, other.arn)


def test_any_number_of_messages_takes_the_same_number_of_statements(engine: Engine) -> None:
    with write(engine) as session:
        source_id = make_source(session).id

    def statements_for(n: int) -> int:
        batch = [make_parsed(error_type=f"E{number % 7}") for number in range(n)]
        with write(engine) as session, counted(engine) as statements:
            store_messages(session, source_id, batch, now=NOW)
        return len(statements)

    statements_for(7)
    assert statements_for(20) == statements_for(400) <= 20


def test_storing_waits_ten_seconds_for_a_lock_and_the_next_transaction_is_as_before(engine: Engine) -> None:
    asked, limited = ("SHOW lock_timeout", "10s") if engine.dialect.name == "postgresql" else (BUSY, BUSY_TIMEOUT_MS)
    with write(engine) as session:
        before = session.scalar(text(asked))
    with write(engine) as session:
        limit_waiting(session)
        assert session.scalar(text(asked)) == limited
    with write(engine) as session:
        assert session.scalar(text(asked)) == before


def test_a_lock_timeout_says_who_to_look_for() -> None:
    said = ailment(OperationalError("COPY", None, Exception("canceling statement due to lock timeout")))
    assert "pg_blocking_pids" in said
