"""What records leave out: asked for once, kept, and said."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from deadletter.collect import Taken, store
from deadletter.errors import LookupBusy, LookupRefused
from deadletter.event import FailedEvent, Redrivable, StreamRange, TargetKind, TargetRef
from deadletter.filters import EventFilter
from deadletter.outcome import Outcome
from deadletter.parse import parse_message, read_entry
from deadletter.ports import StreamPart
from deadletter.redrive.sending import send
from deadletter.route import Route
from deadletter.store import models, read, write
from deadletter.store.lookups import is_waiting, take_due
from deadletter.store.queries import get_event, list_events
from deadletter.store.sources import add_source, list_sources
from tests.factories import ADA, NOW
from tests.fakes import FakeClock, FakeTarget, succeeds
from tests.store.redriving import check_counters, items, plan, run, take, tell
from tests.unit.test_refetch import kinesis_answer, recorded
from worker.fetching import Fetcher

EVENTS = Path(__file__).parents[1] / "events"
DLQ = "arn:aws:sqs:eu-west-1:210987654321:failures"
CLICKS = TargetRef(TargetKind.LAMBDA, "arn:aws:lambda:eu-west-1:210987654321:function:clicks-aggregate")
NOTIFY = TargetRef(TargetKind.LAMBDA, "arn:aws:lambda:eu-west-1:210987654321:function:orders-notify")
WHEN = datetime.fromisoformat("2026-09-14T09:00:00+00:00")


@dataclass
class FakeLookups:
    """AWS that answers as told."""

    records: list[dict[str, Any]] = field(default_factory=list)
    to: Route | None = None
    error: Exception | None = None
    asked: int = 0
    no_route: Exception | None = None

    def fetch(self, where: StreamRange, function_arn: str | None) -> StreamPart:
        assert where.shard_id
        assert function_arn is None or ":function:" in function_arn
        return StreamPart(self._answer(self.records), 86_400, None)

    def retention_s(self, where: StreamRange) -> int | None:
        return 86_400 if where.shard_id else None

    def route(self, event: FailedEvent) -> Route:
        assert event.origin_arn
        assert self.to or self.error or self.no_route
        if self.no_route:
            raise self.no_route
        return self._answer(self.to)

    def _answer(self, value: Any) -> Any:
        self.asked += 1
        if self.error:
            raise self.error
        return value


def collect(engine: Engine, name: str) -> int:
    """Collect one sample; return its event's id."""
    with write(engine) as session:
        add_source(session, DLQ, target=None, by=ADA, now=NOW)
    with read(engine) as session:
        (source,) = list_sources(session, now=NOW)
    store(engine, [Taken(source, [read_entry((EVENTS / name).read_text())])], now=WHEN)
    with read(engine) as session:
        return list_events(session, EventFilter()).rows[0].id


def fetch(engine: Engine, lookups: FakeLookups, at: datetime = WHEN) -> None:
    fetcher = Fetcher(engine, open_lookups=lambda: lookups, clock=FakeClock(at), stopping=lambda: False)
    while fetcher.turn() == 0.0:
        pass


def event(engine: Engine, event_id: int) -> models.Event:
    with read(engine) as session:
        return session.get_one(models.Event, event_id)


def sent_for(engine: Engine, redrive_id: int) -> str:
    """Send the one event of a redrive; return its payload."""
    (claimed,) = take(engine, redrive_id)
    target = FakeTarget(succeeds)
    (report,) = send([claimed], target)
    assert report.outcome is Outcome.SUCCEEDED, report.reason
    tell(engine, redrive_id, report)
    return target.received[0].payload


def test_a_batch_is_fetched_when_it_is_collected_and_sent_from_what_was_kept(engine: Engine) -> None:
    event_id = collect(engine, "kinesis-esm-sqs.json")
    assert event(engine, event_id).redrivable == Redrivable.REFETCH
    assert plan(engine).planned - plan(engine).skipped == 0
    fetch(engine, FakeLookups(error=LookupBusy("Slow down.")))
    assert event(engine, event_id).expires_at == datetime.fromisoformat("2026-09-15T08:01:55.310+00:00")

    seen = recorded("lambda-event-kinesis.json")
    fetch(engine, FakeLookups([kinesis_answer(each) for each in seen]), WHEN + timedelta(minutes=1))
    assert event(engine, event_id).expires_at is None
    with read(engine) as session:
        found = get_event(session, event_id).event
        assert not is_waiting(session)
    assert (found.redrivable, found.reason, found.truncated) == (Redrivable.YES, None, False)
    assert found.lookup is not None
    assert (found.lookup.status, found.lookup.fetched, found.lookup.lost_first) == ("found", 2, None)
    assert found.lookup.deadline_at == datetime.fromisoformat("2026-09-15T08:01:55.310+00:00")

    running = run(engine, invocation="Event")
    assert running.targets[0]["invocation"] == "RequestResponse"
    payload = json.loads(sent_for(engine, running.id))
    assert [record["kinesis"] for record in payload["Records"]] == [record["kinesis"] for record in seen]
    check_counters(engine)


def test_a_trimmed_half_is_said_and_the_rest_is_sent(engine: Engine) -> None:
    event_id = collect(engine, "kinesis-esm-sqs.json")
    second = recorded("lambda-event-kinesis.json")[1]
    fetch(engine, FakeLookups([kinesis_answer(second)]))

    found = event(engine, event_id)
    assert (found.redrivable, found.truncated) == (Redrivable.YES, True)
    assert found.reason is not None
    assert found.reason.startswith("Part of this batch is lost: 1 of its 2 records, with sequence numbers from 4966")
    with read(engine) as session:
        (row,) = list_events(session, EventFilter()).rows
    assert row.lookup is not None
    number = second["kinesis"]["sequenceNumber"]
    assert (row.lookup.status, row.lookup.lost) == ("partial", 1)
    assert row.lookup.lost_last == str(int(number) - 1)
    payload = json.loads(sent_for(engine, run(engine).id))
    assert [record["kinesis"]["sequenceNumber"] for record in payload["Records"]] == [number]


def test_a_batch_that_is_gone_cannot_be_sent_and_says_so(engine: Engine) -> None:
    event_id = collect(engine, "kinesis-esm-sqs.json")
    fetch(engine, FakeLookups([]))
    found = event(engine, event_id)
    assert found.redrivable == Redrivable.NO
    assert [item.reason for item in items(engine, plan(engine).id)] == [found.reason]
    assert found.reason is not None
    assert "2 of its 2 records" in found.reason


def test_a_busy_stream_is_asked_again_later_and_not_at_once(engine: Engine) -> None:
    event_id = collect(engine, "kinesis-esm-sqs.json")
    lookups = FakeLookups(error=LookupBusy("Slow down.", retry_after_s=7))
    fetch(engine, lookups)
    fetch(engine, lookups, WHEN + timedelta(seconds=6))
    assert (lookups.asked, event(engine, event_id).reason) == (1, "Slow down.")
    fetch(engine, lookups, WHEN + timedelta(seconds=8))
    assert lookups.asked == 2
    lookups.error, lookups.records = None, [kinesis_answer(each) for each in recorded("lambda-event-kinesis.json")]
    fetch(engine, lookups, WHEN + timedelta(minutes=5))
    assert event(engine, event_id).redrivable == Redrivable.YES


def test_what_could_not_be_asked_before_its_deadline_is_lost(engine: Engine) -> None:
    event_id = collect(engine, "kinesis-esm-sqs.json")
    fetch(engine, FakeLookups(error=LookupBusy("Slow down.")), WHEN + timedelta(days=1))
    assert event(engine, event_id).redrivable == Redrivable.NO


def test_what_a_worker_took_and_never_told_of_comes_up_again(engine: Engine) -> None:
    collect(engine, "kinesis-esm-sqs.json")
    with write(engine) as session:
        assert len(take_due(session, most=10, now=WHEN)) == 1
        assert take_due(session, most=10, now=WHEN + timedelta(seconds=30)) == []
        assert [due.tries for due in take_due(session, most=10, now=WHEN + timedelta(seconds=90))] == [2]


def test_a_notification_goes_to_the_one_subscriber_that_failed_once(engine: Engine) -> None:
    event_id = collect(engine, "sns-subscription-dlq.json")
    assert plan(engine).planned - plan(engine).skipped == 0
    fetch(engine, FakeLookups(to=Route(target=NOTIFY)))
    assert event(engine, event_id).target_arn == NOTIFY.arn

    running = run(engine)
    assert [(line["kind"], line["arn"], line["count"]) for line in running.targets] == [("lambda", NOTIFY.arn, 1)]
    assert running.targets[0]["why"] == "the one subscriber that failed, by its subscription"
    assert json.loads(sent_for(engine, running.id)) == json.loads((EVENTS / "lambda-event-sns.json").read_text())
    assert plan(engine).planned - plan(engine).skipped == 0


def test_where_nobody_may_ask_a_person_can_say_where_it_goes(engine: Engine) -> None:
    event_id = collect(engine, "eventbridge-target-dlq.json")
    fetch(engine, FakeLookups(error=LookupRefused("The permission events:ListTargetsByRule is missing.")))
    assert event(engine, event_id).redrivable == Redrivable.REFETCH
    (item,) = items(engine, plan(engine).id)
    assert item.reason == "The permission events:ListTargetsByRule is missing."
    assert json.loads(sent_for(engine, run(engine, target=NOTIFY).id))["detail-type"] == "OrderPlaced"


def pipe(engine: Engine, lookups: FakeLookups, at: datetime = WHEN) -> models.Event:
    event_id = collect(engine, "pipes-dlq-kinesis.json") if not lookups.asked else 1
    fetch(engine, lookups, at)
    return event(engine, event_id)


def test_a_pipe_that_enriches_keeps_its_batch_for_whom_a_person_names(engine: Engine) -> None:
    seen = recorded("lambda-event-kinesis.json")
    refusal = LookupRefused("The pipe enriches its records, which this console does not call.")
    lookups = FakeLookups([kinesis_answer(each) for each in seen], no_route=refusal)
    kept = pipe(engine, lookups)
    assert (kept.redrivable, kept.target_arn) == (Redrivable.YES, None)
    (item,) = items(engine, plan(engine).id)
    assert (item.reason or "").startswith("The pipe enriches its records")
    assert "are fetched and kept" in (item.reason or "")

    lookups.records = []  # the stream has forgotten it by now
    fetch(engine, lookups, WHEN + timedelta(days=2))
    assert [each["partitionKey"] for each in json.loads(sent_for(engine, run(engine, target=CLICKS).id))] == [
        each["kinesis"]["partitionKey"] for each in seen
    ]


def test_a_pipe_that_may_be_asked_later_gets_its_target_then(engine: Engine) -> None:
    seen = recorded("lambda-event-kinesis.json")
    refusal = LookupRefused("The permission pipes:DescribePipe is missing. Grant it to us.")
    lookups = FakeLookups([kinesis_answer(each) for each in seen], no_route=refusal)
    assert pipe(engine, lookups).target_arn is None
    lookups.no_route, lookups.to = None, Route(target=CLICKS)
    fetch(engine, lookups, WHEN + timedelta(hours=1))
    assert event(engine, 1).target_arn == CLICKS.arn
    assert isinstance(json.loads(sent_for(engine, run(engine).id)), list)


def test_a_pointer_without_its_batch_is_not_sent_wherever_a_person_wants_it(engine: Engine) -> None:
    collect(engine, "kinesis-esm-sqs.json")
    (item,) = items(engine, plan(engine, target=CLICKS).id)
    assert item.outcome is Outcome.SKIPPED


def test_a_record_that_names_another_accounts_function_is_refused(engine: Engine) -> None:
    with write(engine) as session:
        add_source(session, DLQ.replace("210987654321", "123456789012"), target=None, by=ADA, now=NOW)
    with read(engine) as session:
        (source,) = list_sources(session, now=NOW)
    message = read_entry((EVENTS / "async-destination-sqs.json").read_text())
    assert parse_message(message).target is not None
    store(engine, [Taken(source, [message])], now=WHEN)
    (item,) = items(engine, plan(engine).id)
    assert item.reason is not None
    assert "Its target is in account 210987654321, and its source is not." in item.reason


@pytest.mark.parametrize("named", [None, NOTIFY])
def test_what_nobody_recognises_goes_where_a_person_says(engine: Engine, named: TargetRef | None) -> None:
    collect(engine, "sns-subscription-dlq-raw.json")
    planned = plan(engine, target=named)
    assert planned.planned - planned.skipped == (1 if named else 0)
