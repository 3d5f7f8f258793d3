"""From what a target answered to what became of the event. Pure but for its types."""

from __future__ import annotations

from dataclasses import replace

from deadletter.errors import AnswerLost, TargetBusy, TargetRefused
from deadletter.event import FailedEvent
from deadletter.fingerprint import Fingerprint, cause_of, fingerprint
from deadletter.outcome import Outcome
from deadletter.ports import Answer
from deadletter.store.redrives.claims import Claimed
from deadletter.store.redrives.outcomes import Report
from deadletter.store.redrives.pauses import Busy


def report_of(claimed: Claimed, event: FailedEvent, answer: Answer | Exception, *, jitter: float) -> Report:
    """Return what became of *claimed*, given the target's *answer*; *jitter*, 0 to 1, spreads back-offs.

    Nothing is guessed: whatever is neither an answer nor a refusal may have been taken, and is `unknown`.
    """
    if isinstance(answer, Answer):
        return _answered(claimed, event, answer)
    to, reason = _outcome_of(answer), str(answer)
    busy = Busy(reason, answer.retry_after_s, jitter, answer.limit) if isinstance(answer, TargetBusy) else None
    return replace(
        _report(claimed, to),
        reason=None if to is Outcome.WAITING else reason,
        busy=busy,
        refused=isinstance(answer, TargetRefused),
    )


def unsent(claimed: Claimed, because: str | None = None) -> Report:
    """Return the report that gives a claim back: it was not sent, and waits for its next turn.

    *because* says what is wrong with the target, as a sentence; it is left alone for a while then.
    """
    busy = Busy(because, None, 1.0) if because else None
    return replace(_report(claimed, Outcome.WAITING), busy=busy)


def _report(claimed: Claimed, outcome: Outcome) -> Report:
    return Report(position=claimed.position, event_id=claimed.event_id, target_arn=claimed.target.arn, outcome=outcome)


def _outcome_of(error: Exception) -> Outcome:
    if isinstance(error, TargetBusy):
        return Outcome.WAITING
    return Outcome.SKIPPED if isinstance(error, TargetRefused) else Outcome.UNKNOWN


def lost(error: Exception) -> AnswerLost:
    """Return what an error that nobody expected means for an event that may have been sent."""
    return AnswerLost(f"Sending failed in a way that we do not know ({type(error).__name__}): it may have arrived.")


def _answered(claimed: Claimed, event: FailedEvent, answer: Answer) -> Report:
    report = _report(claimed, Outcome.SUCCEEDED if answer.finished else Outcome.SENT)
    report = replace(report, sent_id=answer.sent_id, evidence=answer.evidence)
    if not answer.failed:
        return report
    return replace(
        report,
        outcome=Outcome.FAILED_AGAIN,
        error_type=answer.error_type,
        error_message=answer.error_message,
        stack_trace=answer.stack_trace,
        fingerprint=_fingerprint_of(claimed, event, answer),
    )


def _fingerprint_of(claimed: Claimed, event: FailedEvent, answer: Answer) -> Fingerprint:
    """Return the new failure's fingerprint, under the function that the event's own group stands under."""
    failed = replace(
        event,
        error_type=answer.error_type,
        error_message=answer.error_message,
        stack_trace=answer.stack_trace,
        condition=None,
    )
    return fingerprint(cause_of(failed, stands_for=claimed.stands_for or claimed.target.arn))
