from datetime import timedelta
from typing import Any

from deadletter.filters import EventFilter
from deadletter.outcome import Outcome
from deadletter.report import MAX_FRAMES, MAX_MESSAGE_CHARS, MAX_PAYLOAD_CHARS, Report, Sample, make_report
from deadletter.secret_rules import MASK, SecretRules
from deadletter.store.rows import ReportCause, ReportFacts, StatusCounts
from tests.rows import (
    MORNING,
    NIGHT,
    make_body,
    make_detail,
    make_event_row,
    make_facts,
    make_group_row,
    make_item_row,
    make_record_row,
    make_redrive_row,
)

CARD = "4111 1111 1111 1111"


def report_of(facts: ReportFacts | None = None, **given: Any) -> Report:
    chosen = EventFilter(since=NIGHT, until=MORNING)
    return make_report(facts or make_facts(), **{"chosen": chosen, "made_at": MORNING, "made_by": "ada"} | given)


def sample_of(**detail: Any) -> Sample:
    cause = ReportCause(group=make_group_row(), events=1, open=1, resolved=0, sample=make_detail(**detail))
    found = report_of(make_facts(causes=(cause,))).causes[0].sample
    assert found is not None
    return found


def risks_of(**facts: Any) -> dict[str, int]:
    return {risk.kind: risk.events for risk in report_of(make_facts(**facts)).risks}


def test_the_headline_says_how_many_failed_and_where_each_stands() -> None:
    assert report_of().headline == "3 events failed: 1 resolved, 1 archived, 1 still open."


def test_a_quiet_night_says_that_nothing_failed() -> None:
    quiet = make_facts(events=0, counts=StatusCounts(), hours=(), functions=(), causes=(), redrives=(), outcomes={})
    report = report_of(quiet)
    assert report.headline == "Nothing failed in this time that matches."
    assert report.risks == ()


def test_hours_are_times_that_a_reader_understands() -> None:
    hours = report_of(make_facts(hours=((int(NIGHT.timestamp()) // 3600 + 1, 12),))).hours
    assert [(hour.since, hour.events) for hour in hours] == [(NIGHT + timedelta(hours=1), 12)]


def test_what_narrows_the_report_is_said_without_its_time() -> None:
    chosen = EventFilter(since=NIGHT, until=MORNING, function="orders-capture", group=4)
    assert report_of(chosen=chosen).filter == {"group": "4", "function": "orders-capture"}


def test_events_of_causes_that_are_not_listed_are_counted() -> None:
    assert report_of().events_of_other_causes == 1


def test_a_redrive_says_who_sent_how_many_where_and_what_became_of_them() -> None:
    row = make_redrive_row(planned=9, waiting=1, sending=1, sent=1, succeeded=2, failed_again=1, skipped=2, unknown=1)
    entry = report_of(make_facts(redrives=(row,))).redrives[0]
    assert (entry.started_by, entry.sent, entry.succeeded, entry.failed_again) == ("ada", 4, 2, 1)
    assert (entry.skipped, entry.unknown, entry.waiting) == (2, 1, 2)
    assert entry.targets == ("2 to arn:aws:lambda:eu-west-1:123456789012:function:orders-capture",)


def test_the_sample_shows_its_error_its_stack_and_its_event() -> None:
    sample = sample_of()
    assert sample.error_message == "card declined for order ord-7741"
    assert sample.stack_trace == ('  File "/var/task/app.py", line 12, in capture',)
    assert sample.payload == '{\n  "order": "ord-7741",\n  "amount": 18\n}'


def test_a_sample_that_failed_again_shows_the_stack_of_its_latest_failure() -> None:
    again = make_item_row(stack_trace=("new frame",))
    assert sample_of(items=(make_item_row(stack_trace=("older",)), again)).stack_trace == ("new frame",)


def test_the_latest_stack_comes_from_the_record_that_came_back_where_the_answer_had_none() -> None:
    first = make_record_row()
    back = make_record_row(id=91, body=make_body(stack=("came back\n",)))
    sample = sample_of(main=first, records=(first, back), items=(make_item_row(record_id=91),))
    assert sample.stack_trace == ("came back",)


def test_a_failure_without_a_stack_is_not_given_an_older_ones() -> None:
    assert sample_of(items=(make_item_row(),)).stack_trace == ()


def test_a_redrive_that_succeeded_since_leaves_the_stack_alone() -> None:
    assert sample_of(items=(make_item_row(outcome=Outcome.SUCCEEDED),)).stack_trace != ()


def test_a_record_without_its_event_has_no_payload() -> None:
    record = make_record_row(body="{}", attributes={"SentTimestamp": "1"}, message_attributes={})
    assert sample_of(main=record, records=(record,)).payload == "{}"


def test_secrets_are_masked_in_message_stack_payload_and_titles() -> None:
    secret = f"card {CARD} refused"
    record = make_record_row(body=make_body({"password": "hunter2", "note": secret}, stack=(secret,)))
    detail = make_detail(event=make_event_row(error_message=secret), main=record, records=(record,))
    cause = ReportCause(group=make_group_row(title=secret), events=1, open=1, resolved=0, sample=detail)
    redrive = make_redrive_row(title=secret)
    chosen = EventFilter(since=NIGHT, until=MORNING, text=secret)
    report = repr(report_of(make_facts(causes=(cause,), redrives=(redrive,)), chosen=chosen))
    assert "4111" not in report
    assert "hunter2" not in report
    assert report.count(MASK) >= 6


def test_a_house_s_own_secret_keys_are_masked_too() -> None:
    record = make_record_row(body=make_body({"loyalty_no": "L-1234"}))
    cause = ReportCause(
        group=make_group_row(), events=1, open=1, resolved=0, sample=make_detail(main=record, records=(record,))
    )
    report = report_of(make_facts(causes=(cause,)), secrets=SecretRules(frozenset({"loyalty_no"})))
    assert "L-1234" not in repr(report)


def test_long_texts_are_cut_and_say_by_how_much() -> None:
    record = make_record_row(body=make_body("x" * 9_000, stack=("frame",) * 50))
    sample = sample_of(event=make_event_row(error_message="m" * 3_000), main=record, records=(record,))
    assert sample.error_message == "m" * MAX_MESSAGE_CHARS + "… (2,000 more characters)"
    assert sample.payload is not None
    assert sample.payload.endswith("… (5,002 more characters)")
    assert len(sample.payload) < MAX_PAYLOAD_CHARS + 40
    assert sample.stack_trace[0] == "(20 outer frames left out)"
    assert len(sample.stack_trace) == MAX_FRAMES + 1


def test_every_doubt_that_remains_is_a_risk_with_its_number() -> None:
    counts = StatusCounts(unresolved=5, redriving=4, resolved=3, archived=2)
    found = risks_of(events=14, counts=counts, outcomes={"unknown": 6, "succeeded": 9}, presumed=7)
    assert found == {"unresolved": 5, "redriving": 4, "unknown": 6, "presumed": 7, "archived": 2, "not_shown": 12}


def test_when_all_is_resolved_with_evidence_no_risk_remains() -> None:
    assert risks_of(events=2, counts=StatusCounts(resolved=2), outcomes={"succeeded": 2}) == {}


def test_a_risk_is_a_sentence_for_a_person() -> None:
    report = report_of(make_facts(outcomes={"unknown": 1}))
    unknown = next(risk for risk in report.risks if risk.kind == "unknown")
    assert unknown.text.startswith("1 event sent with an unknown outcome: they may have run or not.")
