from datetime import timedelta

from console import life
from deadletter.outcome import Outcome
from tests.rows import NIGHT, make_body, make_detail, make_event_row, make_item_row, make_record_row


def told(*items: object, records: object = None) -> list[tuple[str, str]]:
    found = make_detail(items=items, **({"records": records} if records else {}))
    return [(step.what, step.tone) for step in life.steps(found)]


def minutes(n: int) -> dict[str, object]:
    return {"sent_at": NIGHT + timedelta(minutes=n), "settled_at": NIGHT + timedelta(minutes=n, seconds=1)}


def test_a_failure_that_nobody_has_touched_failed_and_was_collected() -> None:
    assert told() == [("failed", "bad"), ("collected from orders-dlq", "none")]


def test_the_second_record_of_one_failure_is_not_a_second_failure() -> None:
    second = make_record_row(id=91, source_name="orders-notify", is_failure=False, collected_at=NIGHT + timedelta(1))
    steps = told(records=(make_record_row(), second))
    assert steps[-1] == ("the same failure, told by orders-notify too", "none")
    assert [what for what, _ in steps].count("failed") == 1


def test_a_life_tells_every_redrive_and_whether_the_error_was_the_same() -> None:
    same = make_item_row(group_id=4, **minutes(1))
    other = make_item_row(group_id=5, **minutes(2))
    again = make_item_row(group_id=5, **minutes(3))
    good = make_item_row(outcome=Outcome.SUCCEEDED, **minutes(4))
    assert told(same, other, again, good)[2:] == [
        ("redriven by ada", "busy"),
        ("failed again with the same error", "bad"),
        ("redriven by ada", "busy"),
        ("failed again with another error", "bad"),
        ("redriven by ada", "busy"),
        ("failed again with the same error", "bad"),
        ("redriven by ada", "busy"),
        ("succeeded", "good"),
    ]


def test_a_failure_that_came_back_by_the_queue_is_told_once() -> None:
    records = (make_record_row(), make_record_row(id=92, occurred_at=NIGHT + timedelta(minutes=2)))
    steps = told(make_item_row(record_id=92, group_id=4, **minutes(1)), records=records)
    assert [what for what, _ in steps].count("failed") == 1
    assert ("failed again with the same error", "bad") in steps


def test_an_unknown_outcome_says_why() -> None:
    item = make_item_row(outcome=Outcome.UNKNOWN, reason="the worker stopped between send and record", **minutes(1))
    last = life.steps(make_detail(items=(item,)))[-1]
    assert (last.what, last.tone, last.note) == ("unknown", "warn", "the worker stopped between send and record")


def test_the_latest_failure_is_the_redrives_own_answer() -> None:
    item = make_item_row(error_type="ValidationError", error_message="unknown carrier", **minutes(1))
    failure = life.latest_failure(make_detail(items=(item,)))
    assert life.error_line(failure) == "ValidationError: unknown carrier"


def test_the_latest_failure_is_the_record_that_came_back() -> None:
    back = make_record_row(id=92, body=make_body().replace("declined", "refused"))
    detail = make_detail(
        event=make_event_row(failures=2),
        main=make_record_row(),
        records=(make_record_row(), back),
        items=(make_item_row(record_id=92, **minutes(1)),),
    )
    assert "refused" in (life.latest_failure(detail).error_message or "")
