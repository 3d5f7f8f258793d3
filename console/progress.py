"""How far a redrive is, in the words and stages of its page. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from console.format import number, plural, span
from deadletter.breaker import Stage as Ramp
from deadletter.outcome import HELD, Outcome, RedriveStatus
from deadletter.store.redrives.care import closed_until
from deadletter.store.rows import ItemRow, RedriveRow


class Stage(NamedTuple):
    """One stage: its name, a note, and whether it is done, current or ahead."""

    name: str
    note: str
    state: str


class NewCause(NamedTuple):
    """A group that events of a redrive failed into, and how many of those looked at did."""

    group_id: int
    title: str
    n: int


@dataclass(frozen=True, slots=True)
class LegendEntry:
    """One number of the legend; `outcome` is the filter of the table that counts it."""

    outcome: Outcome
    n: int
    words: str


def stages(redrive: RedriveRow, now: datetime) -> list[Stage]:
    """Return the stages of a redrive: they only ever move forward."""
    sending = _sending(redrive)
    names = ["Plan frozen", *sending, "Watching", "Cancelled" if _cancelled(redrive) else "Finished"]
    notes = [
        f"{plural(redrive.planned, 'event')} · digest {redrive.digest[:8]}",
        *sending.values(),
        _watching(redrive, now),
        _ending(redrive),
    ]
    at = _reached(redrive, [*sending])
    current = "held" if redrive.held else "current"
    states = ["done" if i < at or at == len(names) else current if i == at else "ahead" for i in range(len(names))]
    return [Stage(*parts) for parts in zip(names, notes, states, strict=True)]


def _sending(redrive: RedriveRow) -> dict[str, str]:
    """Return the stages of sending with their notes: one, or with a canary three."""
    full = f"{number(redrive.rate)} a second at most"
    if not redrive.canary:
        return {"Sending": full}
    now = redrive.stage if redrive.status in {RedriveStatus.RUNNING, *HELD} else None
    ramp = f"{number(redrive.step)} in this step" if now is Ramp.RAMP else "twice as many each time"
    return {"Canary": f"{number(redrive.canary)} first", "Ramp": ramp, "Full rate": full}


def legend(redrive: RedriveRow) -> list[LegendEntry]:
    """Return what became of the events, what is known first; what none became is left out, except succeeded."""
    said = {
        Outcome.SUCCEEDED: "succeeded",
        Outcome.FAILED_AGAIN: "failed again",
        Outcome.UNKNOWN: "unknown",
        Outcome.SENT: "sent, outcome awaited",
        Outcome.SENDING: "being sent",
        Outcome.SKIPPED: "skipped",
        Outcome.WAITING: "waiting",
    }
    entries = [LegendEntry(outcome, getattr(redrive, outcome.value), words) for outcome, words in said.items()]
    begun = redrive.status not in {RedriveStatus.PLANNED, RedriveStatus.AWAITING_APPROVAL}
    return [entry for entry in entries if entry.n or (begun and entry.outcome is Outcome.SUCCEEDED)]


def time_left(redrive: RedriveRow, now: datetime) -> str | None:
    """Return in sentences how long the rest takes at this rate, or why it pauses; None where nothing goes out now."""
    if redrive.status is not RedriveStatus.RUNNING or redrive.waiting <= redrive.kept_back:
        return None
    if redrive.busy_until and redrive.busy_until > now:
        wait = span((redrive.busy_until - now).total_seconds())
        return f"{redrive.busy_reason or 'The target asked to slow down.'} Next try in {wait}."
    if closed_until(redrive.starts_at, redrive.window, now):
        return None
    left_s = redrive.waiting / redrive.rate
    return f"About {span(left_s)} left at this rate." if left_s >= 1 else "Less than a second left at this rate."


def cancel_note(redrive: RedriveRow) -> str:
    """Return what cancelling would mean now: ``412 sent stay sent; 88 will not be sent.``"""
    stays = redrive.ever_sent + redrive.sending + redrive.unknown
    return f"{number(stays)} sent stay sent; {number(redrive.waiting)} will not be sent."


def new_causes(items: Iterable[ItemRow]) -> list[NewCause]:
    """Return the groups that *items* failed into, most first."""
    counted = Counter((item.group_id, item.group_title or "") for item in items if item.group_id is not None)
    return [NewCause(group_id, title, n) for (group_id, title), n in counted.most_common() if group_id is not None]


def _reached(redrive: RedriveRow, sending: Sequence[str]) -> int:
    """Return the number of the current stage; one more than there are when all of it is over."""
    match redrive.status:
        case RedriveStatus.PLANNED | RedriveStatus.AWAITING_APPROVAL:
            return 0
        case RedriveStatus.RUNNING | RedriveStatus.PAUSED | RedriveStatus.TRIPPED:
            return 1 + (list(Ramp).index(redrive.stage) if len(sending) > 1 else 0)
        case RedriveStatus.WATCHING:
            return len(sending) + 1
    return len(sending) + 3 if redrive.ended else len(sending) + 1


def _watching(redrive: RedriveRow, now: datetime) -> str:
    if redrive.ended:
        return "every outcome is known" if not redrive.unknown else "what could be known is"
    if redrive.sent_all_at is None:
        return f"{span(redrive.settle_s)} after the last" if redrive.settle_s else "for what is not answered at once"
    left = redrive.settle_s - (now - redrive.sent_all_at).total_seconds()
    return f"{span(left)} more" if left > 0 else "any moment now"


def _ending(redrive: RedriveRow) -> str:
    if _cancelled(redrive):
        return f"by {redrive.cancelled_by}"
    if redrive.finished_at is None or redrive.started_at is None:
        return ""
    return f"after {span((redrive.finished_at - redrive.started_at).total_seconds())}"


def _cancelled(redrive: RedriveRow) -> bool:
    return redrive.status is RedriveStatus.CANCELLED
