from datetime import timedelta

from console.runbook import Around, pattern, runbook, why_one_group
from deadletter.outcome import EventStatus
from tests.rows import NIGHT, make_event_row, make_group_row, make_redrive_row

NOW = NIGHT + timedelta(minutes=14)


def answers(around: Around) -> dict[str, str]:
    return {step.question: step.answer for step in runbook(around, now=NOW, links={"event": "/events/31"})}


def test_a_burst_is_told_from_a_drizzle() -> None:
    burst = [(hour, 100 if hour in {20, 21} else 1) for hour in range(48)]
    assert pattern(burst).startswith("Clustered: 80% of 246 failures fell in 2 hours.")
    assert pattern([(hour, 3) for hour in range(48)]).startswith("Steady: 144 failures over 48 hours.")
    assert pattern([(hour, 200) for hour in range(6)]).startswith("Clustered: 80% of 1,200 failures fell in 5 hours.")


def test_a_single_failure_is_no_burst() -> None:
    assert pattern([(7, 1)]) == "One failure: too few to tell."
    assert pattern([]) == "No failure in the time shown."


def test_the_questions_come_in_the_order_in_which_operators_ask() -> None:
    around = Around(make_group_row(), [(7, 1)], make_event_row(), None)
    assert list(answers(around)) == [
        "Clustered or steady?",
        "What is the cause?",
        "Is the fix deployed?",
        "Where does it go?",
        "What changed since?",
    ]


def test_a_group_that_was_not_redriven_says_so() -> None:
    around = Around(make_group_row(), [], make_event_row(), None)
    assert answers(around)["What changed since?"] == "None of its newest events was redriven."


def test_a_group_says_what_became_of_its_last_redrive_and_whether_it_failed_since() -> None:
    last = make_redrive_row(planned=2, succeeded=1, failed_again=1, finished_at=NIGHT)
    around = Around(make_group_row(last_seen=NIGHT + timedelta(minutes=1)), [], make_event_row(), last)
    assert answers(around)["What changed since?"] == (
        "Redriven 14 min ago: 1 of 2 succeeded, 1 failed again. It has failed since then."
    )


def test_one_event_is_offered_to_try_only_while_one_is_open() -> None:
    for status, offered in ((EventStatus.UNRESOLVED, 31), (EventStatus.RESOLVED, None)):
        around = Around(make_group_row(), [], make_event_row(status=status), None)
        steps = runbook(around, now=NOW, links={})
        assert steps[2].try_event == offered


def test_an_event_without_a_target_says_where_to_set_one() -> None:
    around = Around(make_group_row(), [], make_event_row(target_arn=None), None)
    assert answers(around)["Where does it go?"] == "No target is known: set one on the source, or in the plan."


def test_a_group_is_one_by_its_frames_or_else_by_its_message() -> None:
    assert [name for name, _ in why_one_group(make_group_row())] == ["Function", "Error type", "Frames"]
    assert [name for name, _ in why_one_group(make_group_row(frames=()))] == ["Function", "Error type", "Message"]
