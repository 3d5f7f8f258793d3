from datetime import timedelta

import pytest

from console import progress
from deadletter.outcome import Outcome, RedriveStatus
from tests.rows import NIGHT, make_item_row, make_redrive_row

NOW = NIGHT + timedelta(minutes=5)


def states(**given: object) -> list[str]:
    return [stage.state for stage in progress.stages(make_redrive_row(**given), NOW)]


def test_the_stages_only_move_forward() -> None:
    assert states(status=RedriveStatus.PLANNED) == ["current", "ahead", "ahead", "ahead"]
    assert states(status=RedriveStatus.RUNNING) == ["done", "current", "ahead", "ahead"]
    assert states(status=RedriveStatus.WATCHING) == ["done", "done", "current", "ahead"]
    assert states(status=RedriveStatus.FINISHED) == ["done", "done", "done", "done"]


def test_a_cancelled_redrive_that_still_awaits_outcomes_is_watching() -> None:
    assert states(status=RedriveStatus.CANCELLED, sent=3)[2] == "current"


def test_cancelling_says_what_stays_sent_and_what_will_not_be() -> None:
    redrive = make_redrive_row(planned=500, sent=12, succeeded=390, failed_again=9, unknown=1, waiting=88)
    assert progress.cancel_note(redrive) == "412 sent stay sent; 88 will not be sent."


def test_the_time_left_follows_from_the_rate() -> None:
    redrive = make_redrive_row(status=RedriveStatus.RUNNING, waiting=748, rate=20.0)
    assert progress.time_left(redrive, NOW) == "About 37 s left at this rate."


@pytest.mark.parametrize(
    ("reason", "said"),
    [("It is at its limit (429).", "It is at its limit (429)."), (None, "The target asked to slow down.")],
)
def test_a_target_that_asked_to_slow_down_is_named_with_its_reason(reason: str | None, said: str) -> None:
    redrive = make_redrive_row(
        status=RedriveStatus.RUNNING, waiting=7, busy_until=NOW + timedelta(seconds=9), busy_reason=reason
    )
    assert progress.time_left(redrive, NOW) == f"{said} Next try in 9 s."


@pytest.mark.parametrize("status", [RedriveStatus.PLANNED, RedriveStatus.FINISHED])
def test_what_does_not_run_has_no_time_left(status: RedriveStatus) -> None:
    assert progress.time_left(make_redrive_row(status=status, waiting=5), NOW) is None


def test_the_legend_counts_every_event_once() -> None:
    redrive = make_redrive_row(
        planned=10, waiting=1, sending=1, sent=1, succeeded=3, failed_again=2, skipped=1, unknown=1
    )
    assert sum(entry.n for entry in progress.legend(redrive)) == 10


def test_new_causes_come_most_first() -> None:
    items = [make_item_row(group_id=group, group_title=f"cause {group}") for group in (4, 9, 9)]
    assert progress.new_causes([*items, make_item_row()]) == [(9, "cause 9", 2), (4, "cause 4", 1)]


def test_the_watch_says_how_long_it_still_lasts() -> None:
    redrive = make_redrive_row(status=RedriveStatus.WATCHING, sent_all_at=NOW - timedelta(seconds=60), settle_s=360)
    assert progress.stages(redrive, NOW)[2].note == "5 min more"


def test_outcomes_have_words_without_underscores() -> None:
    entries = progress.legend(make_redrive_row(failed_again=2))
    assert {entry.words for entry in entries if entry.outcome is Outcome.FAILED_AGAIN} == {"failed again"}
