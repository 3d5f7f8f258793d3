from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deadletter.errors import AnswerLost, IllegalMove, TargetBusy, TargetRefused
from deadletter.event import ReceivedMessage, TargetKind, TargetRef
from deadletter.fingerprint import cause_of, fingerprint
from deadletter.outcome import (
    EVENT_MOVES,
    OUTCOME_MOVES,
    REDRIVE_MOVES,
    SETTLED,
    EventStatus,
    Outcome,
    RedriveStatus,
    check_event_move,
    check_redrive_move,
    event_status_after,
)
from deadletter.parse import parse_message
from deadletter.ports import Answer
from deadletter.redrive.answers import lost, report_of
from deadletter.store.redrives.claims import Claimed
from deadletter.store.redrives.outcomes import Report

FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:orders-capture"
MESSAGE = ReceivedMessage("m-1", '{"order_id": "ord-1"}')
CLAIMED = Claimed(
    redrive_id=1,
    position=3,
    event_id=31,
    target=TargetRef(TargetKind.LAMBDA, FUNCTION),
    invocation="RequestResponse",
    message=MESSAGE,
    stands_for=FUNCTION,
    deduplication_id="redrive-1-3-5a",
)
texts = st.none() | st.text(max_size=20)
answers: st.SearchStrategy[Answer | Exception] = st.one_of(
    st.builds(
        Answer,
        key=st.just(31),
        sent_id=st.just("id-1"),
        finished=st.just(value=True),
        failed=st.booleans(),
        error_type=texts,
        error_message=texts,
        stack_trace=st.none() | st.lists(st.text(max_size=9)).map(tuple),
    ),
    st.builds(Answer, key=st.just(31), sent_id=st.just("id-1"), finished=st.just(value=False)),
    st.builds(TargetBusy, st.text(), retry_after_s=st.none() | st.floats(0, 99)),
    st.builds(TargetRefused, st.text()),
    st.builds(AnswerLost, st.text()),
    st.builds(ValueError, st.text()),
)


def report(answer: Answer | Exception) -> Report:
    return report_of(CLAIMED, parse_message(MESSAGE), answer, jitter=0.5)


@given(answers)
def test_whatever_a_target_answers_is_a_legal_move_of_what_was_being_sent(answer: Answer | Exception) -> None:
    made = report(answer)

    assert made.outcome in OUTCOME_MOVES[Outcome.SENDING]
    assert (made.position, made.event_id) == (3, 31)
    assert (made.fingerprint is not None) == (made.outcome is Outcome.FAILED_AGAIN)


@given(answers)
def test_only_a_known_answer_settles_and_only_a_known_refusal_counts_as_not_sent(answer: Answer | Exception) -> None:
    outcome = report(answer).outcome

    assert (outcome in {Outcome.SENT, Outcome.SUCCEEDED, Outcome.FAILED_AGAIN}) == isinstance(answer, Answer)
    assert (outcome is Outcome.SKIPPED) == isinstance(answer, TargetRefused)
    assert (outcome is Outcome.WAITING) == isinstance(answer, TargetBusy)


def test_a_busy_target_is_not_a_failure_of_the_event() -> None:
    made = report(TargetBusy("Slow down.", retry_after_s=7.0))

    assert made.reason is None
    assert made.busy is not None
    assert made.busy.retry_after_s == 7.0


def test_an_error_that_nobody_expected_leaves_it_unknown_and_says_so() -> None:
    made = report(lost(KeyError("x")))

    assert made.outcome is Outcome.UNKNOWN
    assert "may have arrived" in (made.reason or "")


def test_a_new_failure_of_the_same_cause_has_the_fingerprint_of_the_group() -> None:
    answer = Answer(
        key=31, sent_id="id-1", finished=True, failed=True, error_type="PaymentError", error_message="declined"
    )
    known: dict[str, Any] = {"error_type": "PaymentError", "error_message": "declined"}
    event = parse_message(MESSAGE)

    made = report(answer)
    assert made.fingerprint == fingerprint(cause_of(type(event)(producer=event.producer, **known), stands_for=FUNCTION))


@given(st.lists(st.sampled_from(Outcome), max_size=12))
def test_no_chain_of_legal_moves_sends_twice(wished: list[Outcome]) -> None:
    now, sends, kept_back = Outcome.WAITING, 0, 0
    for outcome in wished:
        if outcome in OUTCOME_MOVES[now]:
            sends += outcome is Outcome.SENDING
            kept_back += (now, outcome) == (Outcome.SENDING, Outcome.WAITING)
            now = outcome

    assert sends - kept_back <= 1


@given(st.lists(st.sampled_from(EventStatus), max_size=12))
def test_an_event_only_ever_makes_legal_moves(wished: list[EventStatus]) -> None:
    now = EventStatus.UNRESOLVED
    for status in wished:
        if status in EVENT_MOVES[now]:
            check_event_move(now, status)
            now = status
        else:
            with pytest.raises(IllegalMove, match=f"{now} cannot become {status}"):
                check_event_move(now, status)


@given(st.sampled_from(RedriveStatus), st.sampled_from(RedriveStatus))
def test_a_redrive_that_ended_never_moves_again(before: RedriveStatus, after: RedriveStatus) -> None:
    if after in REDRIVE_MOVES[before]:
        check_redrive_move(before, after)
    else:
        with pytest.raises(IllegalMove):
            check_redrive_move(before, after)
    assert not REDRIVE_MOVES[RedriveStatus.FINISHED] | REDRIVE_MOVES[RedriveStatus.CANCELLED]


@pytest.mark.parametrize("outcome", Outcome)
def test_an_event_belongs_to_its_redrive_until_its_outcome_is_settled(outcome: Outcome) -> None:
    after = event_status_after(outcome)

    assert (after is not EventStatus.REDRIVING) == (outcome in SETTLED)
    assert (after is EventStatus.RESOLVED) == (outcome is Outcome.SUCCEEDED)
